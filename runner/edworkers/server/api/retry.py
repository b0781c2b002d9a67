"""`POST /v1/queues/{queue}/jobs/{job_id}/retry`: a dead job once more, with its own data or with other."""

from collections.abc import Mapping
from typing import Any, cast

from fastapi import APIRouter
from pydantic_core import from_json, to_json
from starlette.requests import Request
from starlette.responses import Response

from edworkers.core.lifecycle import State
from edworkers.ports import JobRecord
from edworkers.ports.books import Deed
from edworkers.server.access.identity import Scope
from edworkers.server.api.enqueue import accepted, check_type
from edworkers.server.api.jobs import find
from edworkers.server.api.models import Accepted
from edworkers.server.api.served import JobId, OperatedQueue, Operator, ThePlatform, needs, problems
from edworkers.server.enqueue import make_job
from edworkers.server.platform import Platform, ServedQueue
from edworkers.server.problems import Problem
from edworkers.server.strict_json import read_object

router = APIRouter(prefix="/queues/{queue}", tags=["Jobs"])
_FIELDS = {"data", "type"}
_BODY = {
    "required": False,
    "content": {
        "application/json": {
            "schema": {
                "title": "Retry",
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "data": {"type": "object", "description": "In place of the job's data."},
                    "type": {"type": "string", "minLength": 1, "description": "In place of its type."},
                },
                "examples": [{"data": {"conversationId": "c1", "userId": "u1", "prompt": "What is a prime?"}}],
            }
        }
    },
}


@router.post(
    "/jobs/{job_id:path}/retry",
    status_code=202,
    summary="Replay a dead job",
    response_model=Accepted,
    responses={202: {"description": "It is on the queue again."}, **problems(409, body=True)},
    openapi_extra=needs(Scope.OPERATE, requestBody=_BODY),
)
async def retry(
    request: Request, served: OperatedQueue, identity: Operator, platform: ThePlatform, job_id: JobId
) -> Response:
    """Put a dead job back on its queue, with all its attempts before it; with `data` in the body, with that data."""
    body = await request.body()
    changes = _changes(request, body) if body.strip() else {}
    record = await find(served, job_id)
    if record.state is not State.DEAD:
        raise Problem(409, "not-dead", f"{job_id} is {record.state}; only jobs in the dead letters can be replayed")
    verb = "edit" if changes else "replay"
    done = await (_edit(served, record, changes, platform) if changes else served.control.replay(job_id))
    if not done:
        detail = f"{job_id} has left the dead letters meanwhile, or another job has its unique key by now"
        raise Problem(409, "not-dead", detail)
    await platform.books.note(Deed(platform.clock.now(), identity.name, verb, served.spec.queue, job_id))
    return accepted(served.spec.queue, job_id, is_new=True)


def _changes(request: Request, body: bytes) -> dict[str, Any]:
    check_type(request, "application/json")
    changes = read_object(body)
    unknown = sorted(set(changes) - _FIELDS)
    if unknown:
        faults = [f"{name}: unknown; data and type can be given" for name in unknown]
        raise Problem(422, "invalid-request", "; ".join(faults), faults=faults)
    return changes


async def _edit(served: ServedQueue, record: JobRecord, changes: Mapping[str, Any], platform: Platform) -> bool:
    document = {**_envelope(record), **changes, "id": record.id}
    body = to_json(document)
    job = make_job(served, body, document, new_id=record.id, now=platform.clock.now())
    return await served.control.edit(record.id, job.payload, job.unique_key)


def _envelope(record: JobRecord) -> dict[str, Any]:
    """Read what the dead job said of itself; one that can't be read is made anew of what is given."""
    try:
        document: Any = from_json(record.payload or b"")
    except ValueError:
        return {}
    if not isinstance(document, dict):
        return {}
    fields = cast("dict[str, Any]", document)
    return fields if "data" in fields or "specversion" in fields else {"data": fields}
