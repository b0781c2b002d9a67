"""One job, and lists of them."""

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import JSONResponse, Response

from edworkers.core.lifecycle import State
from edworkers.ports import JobRecord
from edworkers.ports.books import Deed
from edworkers.ports.browse import JobDetail as Detail
from edworkers.ports.browse import JobPage, JobSummary, Wanted
from edworkers.server.access.identity import Scope
from edworkers.server.api import models
from edworkers.server.api.enqueue import location_of
from edworkers.server.api.served import (
    Cursor,
    FollowedQueue,
    JobId,
    Limit,
    OperatedQueue,
    Operator,
    ReadQueue,
    ThePlatform,
    TheSight,
    needs,
    problems,
)
from edworkers.server.platform import ServedQueue
from edworkers.server.problems import Problem
from edworkers.server.sight import Sight

_CANCELLED = {
    "cancelled": "it is cancelled, and no runner will begin it",
    "requested": "it ends when a runner meets it, or when its own hears of it",
}
_ASKED_FOR = (
    "no record of {id!r} in {queue}: if it was pushed by LPUSH, it ends when a runner meets it; if there is no "
    "such job, nothing happens"
)
router = APIRouter(prefix="/queues/{queue}", tags=["Jobs"])
RESULT_RETRY_SECONDS = 1
_RETRY = {"Retry-After": {"description": "Seconds until it is worth asking again.", "schema": {"type": "integer"}}}


@router.get(
    "/jobs",
    summary="List jobs in a state",
    responses=problems(),
    openapi_extra=needs(Scope.READ),
)
async def list_jobs(
    served: ReadQueue,
    sight: TheSight,
    state: Annotated[State, Query(description="In which state.")],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> models.JobList:
    """List those that wait in the order of their claims, delayed ones by when they are due, others the latest first."""
    try:
        return as_list(await served.browser.page(state, cursor, limit), sight)
    except ValueError as error:
        raise wrong_cursor(error) from error


@router.get("/dead", summary="List dead letters", responses=problems(), openapi_extra=needs(Scope.READ))
async def list_dead(served: ReadQueue, sight: TheSight, cursor: Cursor = None, limit: Limit = 50) -> models.JobList:
    """List dead letters, the latest first."""
    return await list_jobs(served, sight, State.DEAD, cursor, limit)


@router.get(
    "/failures",
    summary="Group dead letters by cause",
    responses=problems(),
    openapi_extra=needs(Scope.READ),
)
async def list_failures(served: ReadQueue, sight: TheSight, limit: Limit = 50) -> models.Failures:
    """Group dead jobs by what they failed of, those with the most jobs first."""
    found = [sight.failure(group) for group in await served.browser.failures(limit)]
    return models.Failures(failures=[models.Failure.model_validate(group, from_attributes=True) for group in found])


Text = Annotated[str | None, Query(min_length=1, max_length=500)]
Moment = Annotated[int | None, Query(ge=0, le=2**53, description="Unix ms.")]


@router.get("/search", summary="Search jobs", responses=problems(), openapi_extra=needs(Scope.READ))
async def search(  # noqa: PLR0913, PLR0917 - each is a parameter of the query
    served: ReadQueue,
    sight: TheSight,
    state: Annotated[State, Query(description="In which state.")],
    text: Annotated[Text, Field(description="Is in its id, type, group, payload or error.")] = None,
    type: Text = None,  # noqa: A002 - the field's name
    group: Text = None,
    error_kind: Annotated[Text, Query(alias="errorKind")] = None,
    fingerprint: Text = None,
    before: Moment = None,
    after: Moment = None,
    cursor: Cursor = None,
    steps: Annotated[int, Query(ge=1, le=5000, description="How many jobs to look at in this step.")] = 1000,
) -> models.SearchStep:
    """Look at jobs in steps: with `next` of one answer as `cursor` of the next, until it is null.

    People who may not operate find a text only in what they see of a job in a list.
    """
    wanted = Wanted(text, type, group, error_kind, fingerprint, before, after)
    try:
        found = await served.browser.search(state, wanted, cursor, steps)
    except ValueError as error:
        raise wrong_cursor(error) from error
    jobs = [_in_list(sight.summary(job)) for job in found.jobs if sight.finds(job, text)]
    return models.SearchStep(jobs=jobs, looked_at=found.looked_at, next=found.next)


def wrong_cursor(error: ValueError) -> Problem:
    """Say that a cursor isn't one."""
    fault = "query.cursor: take `next` of the answer before as it is, or none to begin"
    return Problem(422, "invalid-request", f"{fault} ({error})", faults=[fault])


def as_list(page: JobPage, sight: Sight) -> models.JobList:
    """Write a part of a list."""
    return models.JobList(jobs=[_in_list(sight.summary(job)) for job in page.jobs], total=page.total, next=page.next)


def _in_list(job: JobSummary) -> models.JobInList:
    return models.JobInList(
        id=job.id,
        state=job.state,
        type=job.type,
        group=job.group,
        attempts=job.attempts,
        at=job.at,
        seconds=job.seconds,
        error_kind=job.error_kind,
        error_message=job.error_message,
        fingerprint=job.fingerprint,
        runner=job.runner,
        data=job.data.decode(errors="replace"),
    )


@router.get(
    "/jobs/{job_id:path}/result",
    summary="Get what a job came to",
    response_model=models.Result,
    responses={
        202: {"description": "It hasn't ended yet.", "model": models.Unfinished, "headers": _RETRY},
        **problems(410),
    },
    openapi_extra=needs(Scope.READ, Scope.ENQUEUE),
)
async def get_result(served: FollowedQueue, sight: TheSight, job_id: JobId) -> Any:
    """Get the result: 200 once it is done, 202 before that, 410 if it is dead or was cancelled."""
    record = sight.record(await find(served, job_id))
    if record.state is State.DONE:
        return models.Result(
            job_id=record.id,
            queue=record.queue,
            status="done",
            result=record.result,
            finished_at=record.finished_at,
            seconds=record.seconds,
        )
    if record.state.is_final:
        raise _no_result(record)
    waiting = models.Unfinished(
        job_id=record.id,
        queue=record.queue,
        status="processing",
        state=record.state,
        attempts=record.attempts,
        progress=record.progress,
    )
    headers = {"Retry-After": str(RESULT_RETRY_SECONDS)}
    return JSONResponse(waiting.model_dump(mode="json", by_alias=True), 202, headers)


def _no_result(record: JobRecord) -> Problem:
    if record.state is State.CANCELLED:
        return Problem(410, "cancelled", f"{record.id} was cancelled", jobId=record.id)
    error = record.error or {}
    message = error.get("message", "it doesn't say why")
    detail = f"{record.id} is in the dead letters: {message}"
    return Problem(410, "dead", detail, faults=error.get("faults", ()), jobId=record.id, error=error)


async def find(served: ServedQueue, job_id: str) -> JobRecord:
    """Look up a job. Raises Problem 404."""
    record = await served.control.find(job_id)
    if record is None:
        raise unknown_job(served, job_id)
    return record


def unknown_job(served: ServedQueue, job_id: str) -> Problem:
    """Say that nothing is known of a job, and why that may be."""
    detail = (
        f"no record of a job {job_id!r} in {served.spec.queue}: its id is another, or it ended so long ago that its "
        "record is gone, or it was pushed by LPUSH and no runner has met it yet"
    )
    return Problem(404, "unknown-job", detail)


@router.post(
    "/jobs/{job_id:path}/cancel",
    summary="Cancel a job",
    response_model=models.Cancelled,
    responses={
        202: {"description": "It ends when a runner meets it, or its own hears of it.", "model": models.Cancelled},
        **problems(409),
    },
    openapi_extra=needs(Scope.OPERATE),
)
async def cancel(served: OperatedQueue, identity: Operator, platform: ThePlatform, job_id: JobId) -> Response:
    """Cancel a job that waits or runs: at once where it is delayed (200), else when a runner hears of it (202)."""
    queue = served.spec.queue
    is_known = await served.control.find(job_id) is not None
    answer = await served.control.cancel(job_id)
    if answer == "finished":
        raise Problem(409, "ended", f"{job_id} had ended before")
    if is_known:  # of another nobody knows whether there is anything to cancel
        await platform.books.note(Deed(platform.clock.now(), identity.name, "cancel", queue, job_id))
    detail = _CANCELLED[answer] if is_known else _ASKED_FOR.format(id=job_id, queue=queue)
    document = {"jobId": job_id, "queue": queue, "status": answer, "known": is_known, "detail": detail}
    return JSONResponse(document, 200 if answer == "cancelled" else 202)


@router.get(
    "/jobs/{job_id:path}",
    summary="Get everything about a job",
    responses=problems(),
    openapi_extra=needs(Scope.READ),
)
async def get_job(served: ReadQueue, sight: TheSight, job_id: JobId) -> models.JobDetail:
    """Get a job's record, its payload where that is kept, its past attempts, logs and related jobs."""
    detail = await served.browser.detail(job_id)
    if detail is None:
        raise unknown_job(served, job_id)
    return as_detail(sight.detail(detail))


def as_job(record: JobRecord) -> models.Job:
    """Write a job's record."""
    return models.Job.model_validate(record, from_attributes=True)


def as_detail(detail: Detail) -> models.JobDetail:
    """Write everything about a job."""
    payload = detail.record.payload
    text = None if payload is None else _as_text(payload)
    encoded = None if payload is None or text is not None else base64.b64encode(payload).decode("ascii")
    return models.JobDetail(
        **dict(as_job(detail.record)),
        group=detail.group,
        runner=detail.runner,
        fingerprint=detail.fingerprint,
        payload=text,
        payload_base64=encoded,
        text=detail.text,
        past=[models.Attempt.model_validate(attempt, from_attributes=True) for attempt in detail.past],
        logs=[models.Log.model_validate(line, from_attributes=True) for line in detail.logs],
        related=[
            models.RelatedJob(queue=job.queue, id=job.id, how=job.how, location=location_of(job.queue, job.id))
            for job in detail.related
        ],
    )


def _as_text(payload: bytes) -> str | None:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None
