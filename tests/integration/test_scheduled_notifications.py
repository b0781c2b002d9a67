"""`notification-batch` and `notification-sent` on a real PostgreSQL."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import psycopg
import pytest

from edworkers.core.outcome import Done, Failed, FollowUp, Outcome, Rejected
from edworkers.handlers.email import MODULE as EMAIL
from edworkers.handlers.scheduled import MODULE
from edworkers.testing import run_job

Connection = psycopg.AsyncConnection[Any]


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(migrated_url, autocommit=True) as connection:
        yield connection


async def notify(database: Connection, user: str, *titles: str, **columns: Any) -> None:
    row = {"user_id": user, "email": f"{user}@school.example", "kind": "grade", **columns}
    names = ", ".join([*row, "title"])
    for title in titles:
        places = ", ".join(["%s"] * (len(row) + 1))
        await database.execute(
            f"INSERT INTO edworkers.notifications ({names}) VALUES ({places})".encode(), [*row.values(), title]
        )


async def run(url: str, data: dict[str, Any] | None = None, **more: Any) -> Outcome:
    told = {"type": "notification-batch", "id": "batch-1", **more}
    return await run_job(MODULE, data or {}, env={"NEON_DATABASE_URL": url}, real_time=True, **told)


async def done(url: str, data: dict[str, Any] | None = None, **more: Any) -> Done:
    outcome = await run(url, data, **more)
    assert isinstance(outcome, Done), outcome
    return outcome


async def refusal(url: str, data: dict[str, Any] | None = None, **more: Any) -> str:
    outcome = await run(url, data, **more)
    assert isinstance(outcome, Failed), outcome
    assert not outcome.retryable
    return outcome.message


async def at_once(*attempts: Coroutine[Any, Any, Done]) -> list[Done]:
    """Run attempts in a thread each, for one event loop has one clock."""
    return await asyncio.gather(*(asyncio.to_thread(asyncio.run, attempt) for attempt in attempts))


async def finish(url: str, outcome: Done) -> int:
    """Run the job that marks the batch; returns how many were marked."""
    [mark] = [each for each in outcome.follow_ups if each.type == "notification-sent"]
    marked = await done(url, mark.data, type="notification-sent", id="mark")
    assert isinstance(marked.result, dict)
    return int(marked.result["marked"])


def mails(outcome: Done) -> list[dict[str, Any]]:
    return [follow.data for follow in outcome.follow_ups if follow.queue == "email"]


async def states(database: Connection) -> Counter[str]:
    cursor = await database.execute(
        "SELECT CASE WHEN sent_at IS NOT NULL THEN 'sent' WHEN batch_id IS NOT NULL THEN 'claimed' ELSE 'waiting' END"
        " FROM edworkers.notifications"
    )
    return Counter(state for (state,) in await cursor.fetchall())


async def test_each_user_gets_one_mail_for_all_that_waits(migrated_url: str, database: Connection) -> None:
    await notify(database, "bo", "Essay graded")
    await notify(database, "ada", "Quiz graded", "Lesson <b>moved</b>", body="At 9\nin room 2")
    outcome = await done(migrated_url)
    ada, bo = mails(outcome)
    assert (ada["to"], ada["subject"]) == (["ada@school.example"], "Quiz graded (and 1 more)")
    assert ada["text"] == "Quiz graded\nAt 9\nin room 2\n\nLesson <b>moved</b>\nAt 9\nin room 2\n"
    assert "<strong>Lesson &lt;b&gt;moved&lt;/b&gt;</strong></p><p>At 9<br>in room 2</p>" in ada["html"]
    assert (bo["to"], bo["subject"], bo["text"]) == (["bo@school.example"], "Essay graded", "Essay graded\n")
    assert outcome.result == {"mails": 2, "notifications": 3, "goesOn": False}


async def test_a_user_whose_address_cannot_be_right_is_marked_failed_and_the_others_are_mailed(
    migrated_url: str, database: Connection
) -> None:
    await notify(database, "ada", "one")
    await notify(database, "bo", "two", "three", email="not an address")
    outcome = await done(migrated_url)
    assert [mail["to"] for mail in mails(outcome)] == [["ada@school.example"]]
    assert outcome.result == {"mails": 1, "notifications": 1, "goesOn": False, "usersFailed": 1}
    assert await done(migrated_url, attempt=2) == outcome
    assert await finish(migrated_url, outcome) == 1
    query = "SELECT failure, sent_at FROM edworkers.notifications WHERE user_id = 'bo'"
    failed = await (await database.execute(query)).fetchall()
    assert {sent for _, sent in failed} == {None}
    assert {failure.partition(" such")[0] for failure, _ in failed} == {"email: must be one address"}
    await database.execute(
        "UPDATE edworkers.notifications SET email = 'bo@school.example', batch_id = NULL, failure = NULL"
        " WHERE user_id = 'bo'"
    )
    again = await done(migrated_url, id="batch-2")
    assert await finish(migrated_url, again) == 2


async def test_a_batch_of_nobody_who_can_be_mailed_makes_no_mail(migrated_url: str, database: Connection) -> None:
    await notify(database, "bo", "two", email="bo@nowhere")
    outcome = await done(migrated_url)
    assert outcome.follow_ups == ()
    assert outcome.result == {"mails": 0, "notifications": 0, "goesOn": False, "usersFailed": 1}


async def test_a_name_may_be_null(migrated_url: str, database: Connection) -> None:
    await notify(database, "ada", "one", name=None)
    [mail] = mails(await done(migrated_url, {"template": "digest"}))
    assert mail["variables"]["name"] == "ada"


async def test_the_mails_are_jobs_that_the_queue_email_takes(migrated_url: str, database: Connection) -> None:
    await notify(database, "ada", "Quiz\r\nBcc: eve@evil.example", body="\x07bell\u2028")
    [handler] = EMAIL.handlers
    for data in ({}, {"subject": "{count} new"}, {"template": "digest"}):
        [mail] = mails(await done(migrated_url, data))
        handler.data.model_validate(mail)
    assert mail["variables"]["items"][0]["title"] == "Quiz Bcc: eve@evil.example"


async def test_they_are_marked_sent_once_by_the_job_that_follows_the_mails(
    migrated_url: str, database: Connection
) -> None:
    await notify(database, "ada", "one", "two")
    outcome = await done(migrated_url)
    assert await states(database) == {"claimed": 2}
    assert await finish(migrated_url, outcome) == 2
    first = await (await database.execute("SELECT id, sent_at FROM edworkers.notifications ORDER BY id")).fetchall()
    assert await finish(migrated_url, outcome) == 0
    assert (
        await (await database.execute("SELECT id, sent_at FROM edworkers.notifications ORDER BY id")).fetchall()
        == first
    )


async def test_a_second_attempt_makes_the_same_mails_and_takes_no_more(migrated_url: str, database: Connection) -> None:
    await notify(database, "ada", "one")
    await notify(database, "cy", "three")
    first = await done(migrated_url)
    await notify(database, "ada", "later")
    await notify(database, "bo", "later, too")
    second = await done(migrated_url, attempt=2)
    assert second == first
    assert await states(database) == {"claimed": 2, "waiting": 2}
    other = await done(migrated_url, id="batch-2")
    assert [mail["subject"] for mail in mails(other)] == ["later", "later, too"]


async def test_keys_tell_mails_apart_whoever_of_the_others_is_gone(migrated_url: str, database: Connection) -> None:
    for user in ("ada", "bo"):
        await notify(database, user, "hello")
    first = await done(migrated_url)
    await database.execute("DELETE FROM edworkers.notifications WHERE user_id = 'ada'")
    second = await done(migrated_url, attempt=2)
    keys = [follow.key for follow in first.follow_ups if follow.queue == "email"]
    assert [follow.key for follow in second.follow_ups if follow.queue == "email"] == keys[1:]


async def test_of_two_attempts_at_once_both_find_the_same_batch(migrated_url: str, database: Connection) -> None:
    for number in range(20):
        await notify(database, f"user{number:02}", "hello")
    outcomes = await at_once(*(done(migrated_url, {"users": 15}) for _ in range(2)))
    assert outcomes[0] == outcomes[1]
    assert len(mails(outcomes[0])) == 15


async def test_two_batches_at_once_share_no_notification(migrated_url: str, database: Connection) -> None:
    for number in range(30):
        await notify(database, f"user{number:02}", "hello")
    outcomes = await at_once(*(done(migrated_url, id=f"batch-{number}") for number in range(4)))
    told = Counter(to for outcome in outcomes for mail in mails(outcome) for to in mail["to"])
    assert set(told.values()) == {1}
    rest = await done(migrated_url, id="batch-last")
    assert len(told) + len(mails(rest)) == 30


async def test_more_users_than_a_batch_has_are_mailed_by_the_job_that_goes_on(
    migrated_url: str, database: Connection
) -> None:
    for user in ("ada", "bo", "cy", "di", "ed"):
        await notify(database, user, "hello")
    outcome, told, number = await done(migrated_url, {"users": 2, "subject": "News"}), list[str](), 0
    while True:
        told += [to for mail in mails(outcome) for to in mail["to"]]
        rest = [follow for follow in outcome.follow_ups if follow.type == "notification-batch"]
        if not rest:
            break
        assert rest[0].queue == "scheduled"
        number += 1
        outcome = await done(migrated_url, rest[0].data, id=f"next-{number}")
    assert (told, number) == ([f"{user}@school.example" for user in ("ada", "bo", "cy", "di", "ed")], 2)
    assert rest == []


async def test_what_a_mail_has_no_place_for_waits_for_the_next_time(migrated_url: str, database: Connection) -> None:
    await notify(database, "ada", "one", "two", "three")
    outcome = await done(migrated_url, {"notificationsPerMail": 2})
    [mail] = mails(outcome)
    assert mail["text"] == "one\n\ntwo\n"
    assert not [follow for follow in outcome.follow_ups if follow.type == "notification-batch"]
    [mail] = mails(await done(migrated_url, id="tomorrow"))
    assert mail["text"] == "three\n"


async def test_whoever_has_opted_out_gets_no_mail_and_the_row_stays(migrated_url: str, database: Connection) -> None:
    await notify(database, "ada", "one", opted_out=True)
    await notify(database, "bo", "two")
    [mail] = mails(await done(migrated_url))
    assert mail["to"] == ["bo@school.example"]
    assert await states(database) == {"claimed": 1, "waiting": 1}


async def test_a_mail_goes_to_the_latest_address_of_its_user(migrated_url: str, database: Connection) -> None:
    await notify(database, "ada", "one", email="old@school.example")
    await notify(database, "ada", "two", email="new@school.example")
    [mail] = mails(await done(migrated_url))
    assert mail["to"] == ["new@school.example"]


async def test_nothing_that_waits_is_no_mail_and_no_mark(migrated_url: str) -> None:
    outcome = await done(migrated_url)
    assert (outcome.result, outcome.follow_ups) == ({"mails": 0, "notifications": 0, "goesOn": False}, ())


async def test_the_largest_batch_fits_into_its_jobs(migrated_url: str, database: Connection) -> None:
    for filling in ("&", "\U0001f600", "\x01"):
        told = {"email": "ada@school.example", "body": filling * 2000}
        await notify(database, f"user{filling!r}", *([filling * 200] * 50), **told)
    outcome = await done(migrated_url, {"notificationsPerMail": 50})
    assert len(mails(outcome)) == 3
    for look in ({"template": "digest"},):
        assert len(mails(await done(migrated_url, {"notificationsPerMail": 50, **look}))) == 3


async def test_a_job_with_the_id_of_an_old_batch_mails_nobody_twice(migrated_url: str, database: Connection) -> None:
    await notify(database, "ada", "one")
    await finish(migrated_url, await done(migrated_url))
    await notify(database, "ada", "two")
    assert "the batch 'batch-1' was mailed before" in await refusal(migrated_url)
    assert await states(database) == {"sent": 1, "waiting": 1}


async def test_without_the_tables_the_job_says_what_to_run(postgres_url: str) -> None:
    assert "run edworkers migrate" in await refusal(postgres_url)
    assert "run edworkers migrate" in await refusal(postgres_url, {"batch": "b"}, type="notification-sent")


async def test_a_batch_that_nobody_knows_is_buried(migrated_url: str) -> None:
    assert "there is no batch 'b'" in await refusal(migrated_url, {"batch": "b"}, type="notification-sent")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({"userz": 1}, "data.userz: Extra inputs are not permitted"),
        ({"users": 0}, "data.users: Input should be greater than or equal to 1"),
        ({"subject": "a\nBcc: eve@evil.example"}, "data.subject: must be one line"),
        ({"template": "../secrets"}, "data.template: must be the name of a template"),
    ],
)
async def test_data_that_is_wrong_is_buried_with_its_fault(data: dict[str, Any], fault: str) -> None:
    outcome = await run("postgresql://postgres@127.0.0.1:1/app", data)
    assert isinstance(outcome, Rejected)
    assert outcome.faults[0].startswith(fault)


def test_a_follow_up_tells_its_type_and_its_key() -> None:
    assert FollowUp("scheduled", {}, type="report", key="a") != FollowUp("scheduled", {}, type="report", key="b")
