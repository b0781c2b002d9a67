"""Server-sent events of a page: its blocks as they change, a sign of life between them, and what is in the way."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol

from pydantic_core import to_json
from starlette.responses import StreamingResponse

from edworkers.core.errors import QueueUnavailableError

LONGEST_SECONDS = 600.0
"""After so long a page has to ask again, so that who has been logged out meanwhile sees no more."""
HEARTBEAT_SECONDS = 15.0
"""A comment is sent so often where nothing changes, so that no proxy takes the connection for a dead one."""


class Stopping(Protocol):
    """What tells that the server stops: an `asyncio.Event` will do."""

    def is_set(self) -> bool:
        """Whether it stops."""
        ...

    async def wait(self) -> object:
        """Return when it stops."""
        ...


def stream(
    collect: Callable[[], Awaitable[dict[str, str]]],
    seconds: float,
    stopping: Stopping,
    explain: Callable[[QueueUnavailableError], str],
) -> StreamingResponse:
    """Answer with a page's blocks, by name, each time that one of them has changed."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(collect, seconds, stopping, explain), 200, headers, "text/event-stream")


async def _events(
    collect: Callable[[], Awaitable[dict[str, str]]],
    seconds: float,
    stopping: Stopping,
    explain: Callable[[QueueUnavailableError], str],
) -> AsyncGenerator[bytes]:
    yield b"retry: 1000\n\n"
    sent: dict[str, str] = {}
    silent, lasted = 0.0, 0.0
    while not stopping.is_set() and lasted < LONGEST_SECONDS:
        event, sent = await _look(collect, sent, explain)
        silent = 0.0 if event else silent + seconds
        if event:
            yield event
        elif silent >= HEARTBEAT_SECONDS:
            silent = 0.0
            yield b": still here\n\n"
        lasted += seconds
        await _pause(seconds, stopping)
    yield _event("stopping" if stopping.is_set() else "again", {})


async def _look(
    collect: Callable[[], Awaitable[dict[str, str]]],
    sent: dict[str, str],
    explain: Callable[[QueueUnavailableError], str],
) -> tuple[bytes, dict[str, str]]:
    """Collect the blocks; returns what to send of them, if anything, and what has been sent by then."""
    try:
        blocks = await collect()
    except QueueUnavailableError as error:
        return _event("away", {"message": explain(error)}), {}
    changed = {name: html for name, html in blocks.items() if sent.get(name) != html}
    return _event("blocks", changed) if changed else b"", blocks


async def _pause(seconds: float, stopping: Stopping) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return


def _event(name: str, data: dict[str, str]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + to_json(data) + b"\n\n"
