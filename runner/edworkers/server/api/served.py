"""What routes of the API are given: the queue that a path names, who asks, and the platform."""

from typing import Annotated, Any, cast

from fastapi import Depends, Path, Query
from starlette.requests import Request

from edworkers.core.keys import QUEUE_NAME
from edworkers.server.access.identity import Identity, Scope, gate_of, require
from edworkers.server.platform import Platform, ServedQueue
from edworkers.server.problems import Problem
from edworkers.server.sight import Sight, sight_of
from edworkers.server.watcher import Watcher


def platform_of(request: Request) -> Platform:
    """Give what the server works on."""
    return cast("Platform", request.app.state.platform)


# Dependencies are async, be it without need: FastAPI runs others in threads.
async def _the_platform(request: Request) -> Platform:
    return platform_of(request)


async def _the_watcher(request: Request) -> Watcher:
    return cast("Watcher", request.app.state.watcher)


async def _the_sight(request: Request) -> Sight:
    return sight_of(await gate_of(request).identify(request), platform_of(request).redactor)


def queue_named(platform: Platform, identity: Identity, name: str) -> ServedQueue:
    """Find a queue. Raises Problem 404, which names those that there are."""
    queues = platform.queues()
    if name not in queues:
        known = ", ".join(queue for queue in queues if identity.sees(queue)) or "none"
        raise Problem(404, "unknown-queue", f"there is no queue {name!r}; there are: {known}")
    return queues[name]


QueueName = Annotated[
    str, Path(description="The queue's name.", pattern=f"^{QUEUE_NAME.pattern}$", max_length=41, examples=["ai"])
]
JobId = Annotated[
    str,
    Path(
        description="The job's id; a slash in it is sent as `%2F`.",
        pattern=r"^[!-~]{1,128}$",
        max_length=128,
        examples=["answer-1"],
    ),
]
Cursor = Annotated[str | None, Query(max_length=1024, description="Where to go on: `next` of the answer before.")]
Limit = Annotated[int, Query(ge=1, le=100, description="How many at most.")]
ThePlatform = Annotated[Platform, Depends(_the_platform)]
TheWatcher = Annotated[Watcher, Depends(_the_watcher)]
TheSight = Annotated[Sight, Depends(_the_sight)]
Reader = Annotated[Identity, Depends(require(Scope.READ))]
Producer = Annotated[Identity, Depends(require(Scope.ENQUEUE))]
Follower = Annotated[Identity, Depends(require(Scope.READ, Scope.ENQUEUE))]
"""One who may know what becomes of a job: whoever enqueues may, too."""
Operator = Annotated[Identity, Depends(require(Scope.OPERATE))]


async def _read_queue(queue: QueueName, identity: Reader, platform: ThePlatform) -> ServedQueue:
    return queue_named(platform, identity, queue)


async def _produced_queue(queue: QueueName, identity: Producer, platform: ThePlatform) -> ServedQueue:
    return queue_named(platform, identity, queue)


async def _followed_queue(queue: QueueName, identity: Follower, platform: ThePlatform) -> ServedQueue:
    return queue_named(platform, identity, queue)


async def _operated_queue(queue: QueueName, identity: Operator, platform: ThePlatform) -> ServedQueue:
    return queue_named(platform, identity, queue)


ReadQueue = Annotated[ServedQueue, Depends(_read_queue)]
ProducedQueue = Annotated[ServedQueue, Depends(_produced_queue)]
FollowedQueue = Annotated[ServedQueue, Depends(_followed_queue)]
OperatedQueue = Annotated[ServedQueue, Depends(_operated_queue)]


def needs(*scopes: Scope, **more: Any) -> dict[str, Any]:
    """Say for OpenAPI which scopes a route needs, one of them being enough, and what else it says of itself."""
    names = [str(scope) for scope in scopes]
    return {"security": [{scheme: [name]} for name in names for scheme in ("apiKey", "session")], **more}


_DESCRIBED = {
    400: "The body isn't JSON, or could be read in two ways.",
    401: "Nobody says who asks, or the key isn't good.",
    403: "Who asks may not do this, or not with this queue.",
    404: "The queue or the job isn't known.",
    408: "The body didn't come in time.",
    409: "The job is in another state.",
    410: "The job has ended without a result: it is dead, or was cancelled.",
    413: "The body is too large.",
    415: "The body is of another type.",
    422: "The request or the job has faults; each is named.",
    429: "Too many requests with this key.",
    503: "Redis can't be used now.",
}
_RETRY = {"Retry-After": {"description": "Seconds until it is worth asking again.", "schema": {"type": "integer"}}}
_USUAL = (401, 403, 404, 422, 429, 503)
_BODY = (400, 408, 413, 415)


def problems(*statuses: int, body: bool = False) -> dict[int | str, dict[str, Any]]:
    """Describe for OpenAPI how a route fails: as every route does, by `statuses` besides, and as one with a body."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    told = sorted({*_USUAL, *statuses, *(_BODY if body else ())})
    return {
        status: {
            "description": _DESCRIBED[status],
            "content": content,
            **({"headers": _RETRY} if status in {429, 503} else {}),
        }
        for status in told
    }
