"""`POST /v1/queues/{queue}/jobs`: one job, or many at once."""

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Header
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from edworkers.core.errors import InvalidJobError, QueueUnavailableError, ServerBusyError
from edworkers.core.keys import QUEUE_NAME
from edworkers.pipeline.traced import enqueue_traced
from edworkers.ports import Enqueue
from edworkers.server.access.identity import Scope, require
from edworkers.server.api.models import Accepted, BulkAccepted, BulkItem
from edworkers.server.api.served import ProducedQueue, Producer, ThePlatform, needs, platform_of, problems, queue_named
from edworkers.server.enqueue import make_job
from edworkers.server.idempotency import is_repeat, name_of
from edworkers.server.platform import Platform, ServedQueue
from edworkers.server.problems import Problem, away
from edworkers.server.strict_json import read_json, read_object

router = APIRouter(prefix="/queues/{queue}", tags=["Jobs"])
direct_router = APIRouter(tags=["Jobs"])
"""To be put before all others, and right into the app: what is used most is to be found first."""
MOST_JOBS = 1000
"""In one request."""
_JSON = "application/json"
_CLOUD_EVENT = "application/cloudevents+json"
_LINES = "application/x-ndjson"

_KEY_PATTERN = r"^[!-~]{1,255}$"
_KEY_IN_WORDS = "Makes a request safe to send again: the same key with the same body enqueues nothing twice."
IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", pattern=_KEY_PATTERN, max_length=255, description=_KEY_IN_WORDS)
]

_EXAMPLE = {"id": "answer-1", "data": {"conversationId": "c1", "userId": "u1", "prompt": "What is a prime?"}}
_JOB: dict[str, Any] = {
    "type": "object",
    "title": "Job",
    "description": "A job: an object with `data`, or the data itself. Each queue has a schema of its own.",
    "examples": [_EXAMPLE],
}
_BODY = {"required": True, "content": {_JSON: {"schema": _JOB}, _CLOUD_EVENT: {"schema": _JOB}}}
_MANY: dict[str, Any] = {
    "type": "array",
    "title": "Jobs",
    "minItems": 1,
    "maxItems": MOST_JOBS,
    "items": _JOB,
    "examples": [[_EXAMPLE]],
}
_LINE = {
    "type": "string",
    "title": "Job lines",
    "description": "A job a line.",
    "examples": [to_json(_EXAMPLE).decode()],
}
_BULK_BODY = {"required": True, "content": {_JSON: {"schema": _MANY}, _LINES: {"schema": _LINE}}}
_LOCATED = {"Location": {"description": "Where to ask for the job.", "schema": {"type": "string"}}}


_QUEUE = {
    "name": "queue",
    "in": "path",
    "required": True,
    "description": "The queue's name.",
    "schema": {"type": "string", "pattern": f"^{QUEUE_NAME.pattern}$", "maxLength": 41, "examples": ["ai"]},
}
_URGENT = {
    "name": "urgent",
    "in": "query",
    "required": False,
    "description": "Before all others that wait.",
    "schema": {"type": "boolean", "default": False},
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": _KEY_IN_WORDS,
    "schema": {"type": "string", "pattern": _KEY_PATTERN, "maxLength": 255},
}
_SWITCH = {"true": True, "1": True, "false": False, "0": False}
_may_enqueue = require(Scope.ENQUEUE)


@direct_router.post(
    "/v1/queues/{queue}/jobs",  # noqa: FAST003 - it is read by hand
    status_code=202,
    summary="Enqueue a job",
    response_model=Accepted,
    responses={
        202: {"description": "It is on the queue.", "headers": _LOCATED},
        200: {"description": "It was known already; nothing was enqueued.", "model": Accepted, "headers": _LOCATED},
        **problems(body=True),
    },
    openapi_extra=needs(Scope.ENQUEUE, requestBody=_BODY, parameters=[_QUEUE, _URGENT, _KEY]),
)
async def enqueue(request: Request) -> Response:
    """Enqueue one job, checked as a runner would check it; every fault is named."""
    # What other routes declare is read by hand here: FastAPI takes longer to do so than all the rest together.
    identity = await _may_enqueue(request)
    platform = platform_of(request)
    queue: str = request.path_params["queue"]
    served = queue_named(platform, identity, queue)
    key, urgent = _read_options(request)
    check_type(request, _JSON, _CLOUD_EVENT)
    body = await request.body()
    name = None if key is None else name_of(identity, queue, key)
    job = make_job(
        served,
        body,
        read_object(body),
        new_id=name or platform.new_id(),
        now=platform.clock.now(),
        urgent=urgent,
    )
    is_known = name is not None and await is_repeat(platform.books, name, body)
    trace, jobs = request.headers.get("traceparent"), [job._replace(revive=not is_known)]
    with telling_ids(platform, job.job_id):
        [is_new] = await enqueue_traced(served.control, queue, jobs, trace)
        is_taken = is_new or await _was_taken(served, job.job_id, name, is_known=is_known)
    return accepted(queue, job.job_id, is_new=is_taken)


async def _was_taken(served: ServedQueue, job_id: str, name: str | None, *, is_known: bool) -> bool:
    """Whether a job that wasn't new is on the queue by a request with the same key, which may still be under way.

    An id that was made of the key says so, unless the job made way for another with its unique key.
    """
    if name is None or not job_id.startswith(name):
        return is_known
    return await served.control.find(job_id) is not None


def _read_options(request: Request) -> tuple[str | None, bool]:
    """Read the idempotency key, and whether the job is urgent. Raises Problem 422 with every fault."""
    key, urgent = request.headers.get("idempotency-key"), request.query_params.get("urgent", "false")
    faults: list[str] = []
    if key is not None and re.fullmatch(_KEY_PATTERN, key) is None:
        faults.append("header.Idempotency-Key: must be 1 to 255 printable ASCII characters without spaces")
    if urgent not in _SWITCH:
        faults.append("query.urgent: must be true or false")
    if faults:
        raise Problem(422, "invalid-request", "; ".join(faults), faults=faults)
    return key, _SWITCH[urgent]


def check_type(request: Request, *known: str) -> str:
    """Give the media type of a body. Raises Problem 415 where it is none of those known."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"", "identity"}:
        detail = f"send the body as it is, without Content-Encoding: {coding}"
        raise Problem(415, "unsupported-type", detail, headers={"Accept-Encoding": "identity"})
    if given not in known:
        detail = f"send Content-Type: {' or '.join(known)}, not {given or 'nothing'}"
        raise Problem(415, "unsupported-type", detail, headers={"Accept-Post": ", ".join(known)})
    return given


@contextmanager
def telling_ids(platform: Platform, ids: str | Sequence[str], *, is_once: bool = False) -> Generator[None]:
    """Tell of jobs whose enqueueing wasn't confirmed which they were: they may be on the queue all the same.

    `is_once` of one whose id nobody can send again.
    """
    try:
        yield
    except ServerBusyError:
        raise  # nothing was sent
    except QueueUnavailableError as error:
        named: dict[str, Any] = {"jobId": ids} if isinstance(ids, str) else {"jobIds": list(ids)}
        what, them, with_what = ("job", "it", "this id") if isinstance(ids, str) else ("jobs", "them", "these ids")
        again = "before you try again" if is_once else f"or send {them} again with {with_what} or an Idempotency-Key"
        how = f"the {what} may have been taken all the same: ask for {them}{'' if is_once else ','} {again}"
        raise away(f"{platform.explain(error)}; {how}", **named) from error


def location_of(queue: str, job_id: str) -> str:
    """Give the path of a job."""
    return f"/v1/queues/{queue}/jobs/{quote(job_id, safe='')}"


def accepted(queue: str, job_id: str, *, is_new: bool) -> Response:
    """Answer what became of one job."""
    location = location_of(queue, job_id)
    status: Literal["processing", "duplicate"] = "processing" if is_new else "duplicate"
    document = {"jobId": job_id, "queue": queue, "status": status, "location": location}
    return Response(to_json(document), 202 if is_new else 200, {"Location": location}, _JSON)


@router.post(
    "/jobs/bulk",
    summary="Enqueue many jobs",
    responses={200: {"description": "Each job has its own answer."}, **problems(body=True)},
    openapi_extra=needs(Scope.ENQUEUE, requestBody=_BULK_BODY),
)
async def enqueue_many(
    request: Request,
    served: ProducedQueue,
    identity: Producer,
    platform: ThePlatform,
    idempotency_key: IdempotencyKey = None,
) -> BulkAccepted:
    """Enqueue up to 1000 jobs, as a JSON array or a job a line; those with faults are refused, the others enqueued."""
    kind = check_type(request, _JSON, _LINES)
    body = await request.body()
    bodies = _lines(body) if kind == _LINES else _items(body)
    if not 1 <= len(bodies) <= MOST_JOBS:
        raise Problem(422, "invalid-request", f"send 1 to {MOST_JOBS} jobs in one request, not {len(bodies)}")
    name = None if idempotency_key is None else name_of(identity, served.spec.queue, idempotency_key)
    batch = _Batch(served, platform, name)
    made = [batch.make(index, one) for index, one in enumerate(bodies)]
    is_known = name is not None and await is_repeat(platform.books, name, body)
    with telling_ids(platform, [job.job_id for job in made if isinstance(job, Enqueue)]):
        return await _enqueue(served, made, request.headers.get("traceparent"), name, is_known=is_known)


class _Batch:
    """Makes the jobs of one request; with a name their ids are made of it, and so known again."""

    def __init__(self, served: ServedQueue, platform: Platform, name: str | None) -> None:
        self._served = served
        self._platform = platform
        self._name = name

    def make(self, index: int, body: bytes) -> Enqueue | BulkItem:
        """Make one job, or say what is wrong with it."""
        try:
            job = make_job(
                self._served,
                body,
                read_object(body),
                new_id=self._platform.new_id() if self._name is None else f"{self._name}-{index}",
                now=self._platform.clock.now(),
            )
        except InvalidJobError as error:
            return BulkItem(index=index, status="refused", faults=list(error.faults))
        except Problem as problem:
            return BulkItem(index=index, status="refused", faults=[str(problem.detail)])
        return job


async def _enqueue(
    served: ServedQueue, made: Sequence[Enqueue | BulkItem], trace: str | None, name: str | None, *, is_known: bool
) -> BulkAccepted:
    """Enqueue what is fit for it; of a request that was sent before, each is answered as it was."""
    jobs = [job._replace(revive=not is_known) for job in made if isinstance(job, Enqueue)]
    news = await enqueue_traced(served.control, served.spec.queue, jobs, trace) if jobs else []
    taken = iter(
        [
            is_new or await _was_taken(served, job.job_id, name, is_known=is_known)
            for job, is_new in zip(jobs, news, strict=True)
        ]
    )
    items = [
        BulkItem(index=index, status="processing" if next(taken) else "duplicate", job_id=one.job_id)
        if isinstance(one, Enqueue)
        else one
        for index, one in enumerate(made)
    ]
    return BulkAccepted(
        queue=served.spec.queue,
        processing=sum(item.status == "processing" for item in items),
        duplicates=sum(item.status == "duplicate" for item in items),
        refused=sum(item.status == "refused" for item in items),
        jobs=items,
    )


def _lines(body: bytes) -> list[bytes]:
    return [line for line in body.split(b"\n") if line.strip()]


def _items(body: bytes) -> list[bytes]:
    document = read_json(body)
    if not isinstance(document, list):
        raise Problem(400, "not-json", "the body must be a JSON array of jobs; or send them a line each, as x-ndjson")
    return [to_json(item) for item in document]  # pyright: ignore[reportUnknownVariableType]
