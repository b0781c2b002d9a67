"""Plain functions as handlers, and callables of other kinds, for tests that run runners as processes."""

import asyncio
import functools
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NoReturn, cast

from edworkers.core.outcome import Done, FollowUp
from edworkers.core.settings import PoolSpec
from edworkers.handlers.data import JobData
from edworkers.ports import Handler, HandlerModule, JobContext, PlainJob
from edworkers.ports.handler import Run


class Work(JobData):
    do: str = "succeed"
    seconds: float = 1000


MEETING = threading.Barrier(3)


def _block(data: Work, _job: PlainJob) -> None:
    time.sleep(data.seconds)


def _meet(data: Work, _job: PlainJob) -> int:
    """Go on only if three run at once."""
    return MEETING.wait(timeout=data.seconds)


def _look(_data: Work, job: PlainJob) -> str:
    while not job.is_over:
        time.sleep(0.01)
    return "never told, for the attempt is over"


def _stop_iteration(_data: Work, _job: PlainJob) -> None:
    next(iter(()))


def _interrupt(_data: Work, _job: PlainJob) -> NoReturn:
    raise KeyboardInterrupt


def _exit(_data: Work, _job: PlainJob) -> NoReturn:
    raise SystemExit(3)


def _follow_up(data: Work, _job: PlainJob) -> Done:
    return Done({"did": data.do}, (FollowUp("next", {"do": "succeed"}),))


def _too_far(_data: Work, job: PlainJob) -> None:
    job.progress(1.5)


def _log(_data: Work, job: PlainJob) -> None:
    job.log("it begins")
    job.log("it ends", "warning")


def _wrong_level(_data: Work, job: PlainJob) -> None:
    job.log("x", cast("Any", "loud"))


def _succeed(_data: Work, job: PlainJob) -> dict[str, Any]:
    job.progress(0.5, "half")
    job.emit("Once upon ")
    job.emit("a time")
    names = ("id", "queue", "type", "attempt", "max_attempts", "receipt", "traceparent")
    return {name: getattr(job, name) for name in names} | {"left": job.seconds_left, "over": job.is_over}


_WAYS: dict[str, Callable[[Work, PlainJob], Any]] = {
    "block": _block,
    "exit": _exit,
    "follow_up": _follow_up,
    "interrupt": _interrupt,
    "log": _log,
    "look": _look,
    "meet": _meet,
    "stop_iteration": _stop_iteration,
    "wrong_level": _wrong_level,
    "succeed": _succeed,
    "too_far": _too_far,
}


def work(data: Work, job: PlainJob) -> Any:
    """Do as the job says."""
    return _WAYS[data.do](data, job)


class Called:
    """An object that is called; what it returns is awaited."""

    def __call__(self, data: Work, _context: JobContext) -> Any:
        return self._later(data)

    async def _later(self, data: Work) -> str:
        await asyncio.sleep(0)
        return data.do


class CalledAsync:
    """An object that is called, and awaits."""

    async def __call__(self, _data: Work, context: JobContext) -> str:
        await context.progress(0.5)
        return threading.current_thread().name


@asynccontextmanager
async def _open(env: Mapping[str, str]) -> AsyncIterator[Run]:
    yield functools.partial(_with_suffix, suffix="!")


def _with_suffix(data: Work, job: PlainJob, *, suffix: str) -> str:
    return data.do + suffix


MODULE = HandlerModule(
    pool=PoolSpec(queue="work", handlers="handlers_plain"),
    handlers=(
        Handler(data=Work, run=work),
        Handler(data=Work, run=Called(), type="called"),
        Handler(data=Work, run=CalledAsync(), type="called-async"),
        Handler(data=Work, open=_open, type="opened"),
        Handler(data=Work, run=work, type="isolated", isolation="process"),
    ),
)
