"""`GET /v1/queues/{queue}/jobs/{job_id}/events`: a job's progress and outcome as server-sent events."""

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Header
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from edworkers.core.errors import QueueUnavailableError
from edworkers.ports import JobRecord
from edworkers.ports.watch import Glimpse, Piece
from edworkers.server.access.identity import Scope
from edworkers.server.api.jobs import as_job, find
from edworkers.server.api.served import FollowedQueue, JobId, TheSight, TheWatcher, needs, problems
from edworkers.server.platform import ServedQueue
from edworkers.server.sight import Sight
from edworkers.server.watcher import Follower, Watcher

router = APIRouter(prefix="/queues/{queue}", tags=["Jobs"])
HEARTBEAT_SECONDS = 15.0
LONGEST_SECONDS = 3600.0
"""Then the stream ends, and the client comes again."""
END = "end"
"""The id of the last event: whoever comes again with it has heard everything."""
_PLACE = re.compile(r"\d{1,20}-\d{1,20}")
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_STREAM: dict[str, Any] = {
    "description": "Events `state`, `progress`, `text` and, at the end, `outcome`.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


class _Source(NamedTuple):
    """Where a stream takes what it tells, and what of it whoever listens may see."""

    served: ServedQueue
    watcher: Watcher
    sight: Sight


async def _source(served: FollowedQueue, watcher: TheWatcher, sight: TheSight) -> _Source:
    return _Source(served, watcher, sight)


LastEventId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", max_length=64, description="The id of the last event that was heard, to go on."),
]


@router.get(
    "/jobs/{job_id:path}/events",
    summary="Follow a job",
    response_class=Response,
    responses={
        200: _STREAM,
        204: {"description": "Everything was heard: what comes again by itself stops at this."},
        **problems(),
    },
    openapi_extra=needs(Scope.READ, Scope.ENQUEUE),
)
async def follow(
    request: Request,
    source: Annotated[_Source, Depends(_source)],
    job_id: JobId,
    last_event_id: LastEventId = None,
) -> Response:
    """Hear of a job's state, progress and text as they change, and of its outcome; then the stream ends."""
    if last_event_id == END:
        return Response(status_code=204)
    if not await source.watcher.knows(source.served.spec.queue, job_id):
        await find(source.served, job_id)  # it may have moved in the moment of the look
    last = last_event_id if last_event_id and _PLACE.fullmatch(last_event_id) else ""
    if request.state.is_head:
        return Response(headers=_HEADERS, media_type="text/event-stream")
    stream = _events(source, job_id, last, request.state.stopping)
    return StreamingResponse(stream, headers=_HEADERS, media_type="text/event-stream")


async def _events(source: _Source, job_id: str, last: str, stopping: asyncio.Event) -> AsyncGenerator[bytes]:
    yield b"retry: 1000\n\n"
    told = _Told(source.sight)
    deadline = asyncio.get_running_loop().time() + LONGEST_SECONDS
    async with source.watcher.following(source.served.spec.queue, job_id, last) as follower:
        while not stopping.is_set() and asyncio.get_running_loop().time() < deadline:
            glimpse = await _next(follower, stopping)
            if glimpse is None:
                yield b": still here\n\n"
                continue
            for event in told.news(glimpse):
                yield event
            if glimpse.record.state.is_final and not glimpse.pieces:
                outcome = await _outcome(source, job_id)
                if outcome is not None:
                    yield outcome
                    return


async def _next(follower: Follower, stopping: asyncio.Event) -> Glimpse | None:
    """Wait for the next glimpse; None when it is time for a sign of life, or the server stops."""
    seen = asyncio.ensure_future(follower.seen.get())
    stopped = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({seen, stopped}, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        return seen.result() if seen.done() else None
    finally:
        seen.cancel()
        stopped.cancel()


async def _outcome(source: _Source, job_id: str) -> bytes | None:
    """Tell how a job has ended; None where that can't be asked for now, or it was replayed meanwhile."""
    try:
        record = await source.served.control.find(job_id)
    except QueueUnavailableError:
        return None
    if record is None or not record.state.is_final:
        return None
    return _event("outcome", as_job(source.sight.record(record)).model_dump(mode="json", by_alias=True), END)


class _Told:
    """What a stream has told of a job."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self._state: dict[str, Any] | None = None
        self._progress: dict[str, Any] | None = None

    def news(self, glimpse: Glimpse) -> list[bytes]:
        """Write what is new as events."""
        record = glimpse.record
        events: list[bytes] = []
        state = _state(record)
        if state != self._state:
            self._state = state
            events.append(_event("state", state))
        if record.progress is not None and record.progress != self._progress:
            self._progress = record.progress
            events.append(_event("progress", self._sight.value(record.progress)))
        events += [_event("text", _text(self._sight.piece(piece)), piece.at) for piece in glimpse.pieces]
        return events


def _state(record: JobRecord) -> dict[str, Any]:
    fields = as_job(record).model_dump(mode="json", by_alias=True)
    return {name: fields[name] for name in ("state", "attempts", "dueAt", "startedAt")}


def _text(piece: Piece) -> dict[str, Any]:
    """Write a piece of text; with `restart` it begins a new one, in the place of all that was told before."""
    return {"text": piece.text, **({"restart": True} if piece.restart else {})}


def _event(name: str, data: object, place: str = "") -> bytes:
    head = f"id: {place}\nevent: {name}\ndata: " if place else f"event: {name}\ndata: "
    return head.encode() + to_json(data) + b"\n\n"
