"""`notification-batch`: one mail a user for all that waits, and each notification marked sent exactly once.

Three steps, each of which may be cut off and repeated. The job claims notifications for the batch that has its id: an
attempt after it finds them claimed, and takes no others. Its end puts the mails and a job `notification-sent` on their
queues, all or none. That one marks the batch sent: where it is marked, the mails were on their queue.

Environment: NEON_DATABASE_URL or DATABASE_URL.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from edworkers.adapters.postgres.connection import connect
from edworkers.core.outcome import Done, FollowUp, Outcome
from edworkers.handlers.data import JobData, must_match
from edworkers.handlers.scheduled.digest import Look, by_user, key_of, mail_of, unmailable
from edworkers.handlers.scheduled.notification_rows import Claim, claim_batch, mark_failed, mark_sent, read_batch
from edworkers.handlers.scheduled.work import find_faults, opens, refused
from edworkers.ports import Handler, JobContext

_check_template = must_match(r"[a-z0-9][a-z0-9-]{0,62}", "must be the name of a template: a-z, 0-9 and -")
_check_line = must_match(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,150}", "must be one line of 1 to 150 characters")


class NotificationBatchData(JobData):
    """How many waiting notifications to mail at once, and how the mails look."""

    users: int = Field(default=100, ge=1, le=500)
    """Users a batch; where more wait, another job goes on after them."""
    notifications_per_mail: int = Field(default=20, ge=1, le=50)
    """What a user has beyond them waits for the next time."""
    subject: Annotated[str, AfterValidator(_check_line)] | None = None
    """Subject of the mails, in which {count} is the number of notifications. Without it: the first one's title."""
    template: Annotated[str, AfterValidator(_check_template)] | None = None
    """A template of the queue `email`, such as `digest`, given `name` and `items` [{kind, title, text, at}]."""
    after_user: str | None = Field(default=None, max_length=200)
    """Only users behind this one: how a job that goes on knows where."""


class NotificationSentData(JobData):
    """Which batch to mark sent; made by notification-batch itself."""

    batch: str = Field(min_length=1, max_length=128)


async def _mail_batch(env: Mapping[str, str], data: NotificationBatchData, job: JobContext) -> Outcome:
    claim = Claim(job.id, data.after_user or "", data.users, data.notifications_per_mail)
    async with connect(env, application="edworkers notification-batch") as connection:
        await claim_batch(connection, claim)
        batch = await read_batch(connection, claim.batch)
        users = by_user(batch.notifications)
        failures = unmailable(users)
        if failures and not batch.sent:
            await mark_failed(connection, claim.batch, failures)
    if batch.sent:
        raise refused("batch", f"the batch {job.id!r} was mailed before: each job needs an id of its own, or none")
    look = Look(data.subject, data.template)
    mailed = [group for group in users if group[0].user_id not in failures]
    mails = [FollowUp("email", mail_of(group, job.id, look), key=key_of(group[0].user_id)) for group in mailed]
    counts = {"mails": len(mails), "notifications": sum(map(len, mailed)), "goesOn": batch.next_after is not None}
    result = {**counts, "usersFailed": len(failures)} if failures else counts
    return Done(result, (*mails, *_mark(job, mails), *_next(data, job.queue, batch.next_after)))


def _mark(job: JobContext, mails: list[FollowUp]) -> tuple[FollowUp, ...]:
    return (FollowUp(job.queue, {"batch": job.id}, type="notification-sent", key="sent"),) if mails else ()


def _next(data: NotificationBatchData, queue: str, next_after: str | None) -> tuple[FollowUp, ...]:
    if next_after is None:
        return ()
    more: dict[str, Any] = data.model_dump(by_alias=True, exclude_none=True)
    return (FollowUp(queue, {**more, "afterUser": next_after}, type="notification-batch", key="next"),)


async def _mark_batch(env: Mapping[str, str], data: NotificationSentData, job: JobContext) -> Outcome:  # noqa: ARG001
    async with connect(env, application="edworkers notification-sent") as connection:
        count = await mark_sent(connection, data.batch)
    if count is None:
        raise refused("batch", f"there is no batch {data.batch!r} in edworkers.notification_batches")
    return Done({"batch": data.batch, "marked": count})


HANDLERS = (
    Handler(type="notification-batch", data=NotificationBatchData, open=opens(_mail_batch), faults=find_faults),
    Handler(type="notification-sent", data=NotificationSentData, open=opens(_mark_batch), faults=find_faults),
)
