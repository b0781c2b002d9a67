"""Handlers that do as the job says, for tests that run runners as processes: they end well, fail, hang or block.

What they did is told in the list `did` of the Redis at SIDE_EFFECTS_URL: `begin <id> <receipt> <attempt>`, then
`end <id> <receipt>` or `cancelled <id> <receipt>`.
"""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal, NoReturn

import redis
import redis.asyncio

from edworkers.core.outcome import Deferred, Done, Failed, FollowUp
from edworkers.core.settings import PoolSpec
from edworkers.handlers.data import JobData
from edworkers.ports import Handle, Handler, HandlerModule, JobContext


class Work(JobData):
    do: Literal[
        "succeed",
        "sleep",
        "fail",
        "block",
        "block_in_child",
        "ignore",
        "raise_on_cancel",
        "cancel_itself",
        "exit",
        "unprintable",
        "to_thread",
        "follow_up",
        "progress",
        "endless_progress",
        "emit",
        "wrong_outcome",
        "surrogate",
        "ask_service",
    ] = "succeed"
    seconds: float = 0
    times: int = 0
    """How many attempts fail before one succeeds."""
    quiet: bool = False
    """Whether nothing is told of it."""
    pad: str = ""
    """Makes it large."""


async def _succeed(work: Work, _context: JobContext) -> Any:
    return {"did": work.do}


async def _sleep(work: Work, _context: JobContext) -> Any:
    await asyncio.sleep(work.seconds)
    return {"slept": work.seconds}


async def _fail(work: Work, context: JobContext) -> Any:
    if context.attempt <= work.times:
        raise RuntimeError(f"attempt {context.attempt} fails, as asked")
    return {"attempts": context.attempt}


async def _block(work: Work, _context: JobContext) -> Any:
    time.sleep(work.seconds)  # noqa: ASYNC251 - this is what it is for
    return {"blocked": work.seconds}


async def _block_in_child(work: Work, context: JobContext) -> Any:
    async with asyncio.TaskGroup() as group:
        group.create_task(_block(work, context))


async def _ignore(work: Work, _context: JobContext) -> Any:
    until = time.monotonic() + work.seconds
    while time.monotonic() < until:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(until - time.monotonic())


async def _raise_on_cancel(work: Work, _context: JobContext) -> Any:
    try:
        await asyncio.sleep(work.seconds)
    except asyncio.CancelledError as error:
        raise RuntimeError("the library turns the cancellation into an error of its own") from error


async def _cancel_itself(_work: Work, _context: JobContext) -> Any:
    raise asyncio.CancelledError


async def _exit(_work: Work, _context: JobContext) -> Any:
    raise SystemExit(3)


class _UnprintableError(Exception):
    def __str__(self) -> NoReturn:
        raise ValueError("this error can't even be told")


async def _unprintable(_work: Work, _context: JobContext) -> Any:
    raise _UnprintableError


async def _to_thread(work: Work, _context: JobContext) -> Any:
    await asyncio.to_thread(threading.Event().wait, work.seconds)


async def _follow_up(work: Work, _context: JobContext) -> Any:
    return Done({"did": work.do}, (FollowUp("next", {"do": "succeed"}),))


async def _progress(_work: Work, context: JobContext) -> Any:
    await context.progress(0.5, "half")


async def _endless_progress(_work: Work, context: JobContext) -> Any:
    while True:
        await context.progress(0.5, "still")


async def _emit(_work: Work, context: JobContext) -> Any:
    await context.emit("Once upon ")
    await context.emit("a time")


async def _wrong_outcome(_work: Work, _context: JobContext) -> Any:
    nothing: Any = None
    return Deferred(nothing, "no number")


async def _surrogate(_work: Work, _context: JobContext) -> Any:
    raise ValueError("half of a pair: \ud83d")


async def _ask_service(_work: Work, _context: JobContext) -> Any:
    """Ask a service that works once the key `service` is set."""
    async with redis.asyncio.Redis.from_url(os.environ["SIDE_EFFECTS_URL"], protocol=3) as client:
        works = await client.exists("service")
    return None if works else Failed("connection", "nobody answers", service_down=True)


_WAYS: dict[str, Callable[[Work, JobContext], Awaitable[Any]]] = {
    "succeed": _succeed,
    "sleep": _sleep,
    "fail": _fail,
    "block": _block,
    "block_in_child": _block_in_child,
    "ignore": _ignore,
    "raise_on_cancel": _raise_on_cancel,
    "cancel_itself": _cancel_itself,
    "exit": _exit,
    "unprintable": _unprintable,
    "to_thread": _to_thread,
    "follow_up": _follow_up,
    "progress": _progress,
    "endless_progress": _endless_progress,
    "emit": _emit,
    "wrong_outcome": _wrong_outcome,
    "surrogate": _surrogate,
    "ask_service": _ask_service,
}


@asynccontextmanager
async def _open(env: Mapping[str, str]) -> AsyncIterator[Handle]:
    # It blocks: what is told must be told before a handler that blocks begins, and a job takes as long either way.
    told = redis.Redis.from_url(env["SIDE_EFFECTS_URL"], client_name="side-effects", protocol=3)

    async def handle(work: Work, context: JobContext) -> Any:
        if work.quiet:
            return await _WAYS[work.do](work, context)
        told.rpush("did", f"begin {context.id} {context.receipt} {context.attempt} {os.getpid()}")
        try:
            result = await _WAYS[work.do](work, context)
        except asyncio.CancelledError:
            told.rpush("did", f"cancelled {context.id} {context.receipt}")
            raise
        told.rpush("did", f"end {context.id} {context.receipt}")
        return result

    try:
        yield handle
    finally:
        told.close()


MODULE = HandlerModule(
    pool=PoolSpec(queue="work", handlers="handlers_for_tests"), handlers=(Handler(data=Work, open=_open),)
)
