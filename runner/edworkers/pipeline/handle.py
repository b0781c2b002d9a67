"""One attempt at a job: the handler runs in a task of its own until it ends or is ended."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from enum import StrEnum
from typing import Any

from pydantic_core import to_json

from edworkers.core.job_log import LEVELS, JobLog, Level, check_level
from edworkers.core.outcome import Cancelled, Failed, Outcome, Released
from edworkers.core.returned import failure_of, in_words, outcome_of, unusable
from edworkers.pipeline.claim import Claimed
from edworkers.pipeline.emit import Emitted
from edworkers.ports import Handle, Handler, JobQueue
from edworkers.telemetry import job_lines, log


class End(StrEnum):
    """Why an attempt is ended from outside."""

    TIMEOUT = "timeout"
    CANCEL = "cancel"
    LOST = "lost"
    RELEASE = "release"


class OpenHandlers:
    """Handlers as they are needed: what one works with is opened at its first job."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._stack = AsyncExitStack()
        self._opened: dict[int, Handle] = {}
        self._lock = asyncio.Lock()

    def ready(self, handler: Handler[Any]) -> Handle | None:
        """Give the handler if it is open."""
        return self._opened.get(id(handler))

    async def open(self, handler: Handler[Any]) -> Handle:
        """Open the handler, once."""
        async with self._lock:
            handle = self._opened.get(id(handler))
            if handle is None:
                handle = await self._stack.enter_async_context(handler.opened(self._env))
                self._opened[id(handler)] = handle
            return handle

    async def close(self) -> None:
        """Close what was opened, the latest first."""
        try:
            await self._stack.aclose()
        except Exception as error:  # noqa: BLE001 - every job is settled by now: there is nothing left to fail
            log.warning("handler.unclosed", reason=in_words(error))


class Attempt:
    """One attempt at a claimed job; also what the handler knows of it (the `JobContext` port)."""

    __slots__ = (
        "_attempt",
        "_emitted",
        "_log",
        "_loop",
        "_now",
        "_queue",
        "_queue_name",
        "began",
        "claimed",
        "deadline",
        "end",
        "ended_at",
        "max_attempts",
        "outcome",
        "task",
        "timeout_seconds",
    )

    def __init__(
        self,
        claimed: Claimed,
        *,
        queue: JobQueue,
        queue_name: str,
        loop: asyncio.AbstractEventLoop,
        now: Callable[[], int],
        max_attempts: int,
        timeout_seconds: float,
    ) -> None:
        self.claimed = claimed
        self.max_attempts = max_attempts
        self.timeout_seconds = timeout_seconds
        self.began = loop.time()
        self.deadline = self.began + timeout_seconds
        self.end: End | None = None
        self.ended_at = 0.0
        self.outcome: Outcome | None = None
        self.task: asyncio.Task[None] | None = None
        self._queue = queue
        self._queue_name = queue_name
        self._loop = loop
        self._now = now
        self._log: JobLog | None = None
        self._emitted: Emitted | None = None

    @property
    def id(self) -> str:
        """The job's id."""
        return self.claimed.id

    @property
    def queue(self) -> str:
        """The queue it came from."""
        return self._queue_name

    @property
    def type(self) -> str | None:
        """Its type, where the queue has several."""
        return self.claimed.job.type if self.claimed.job is not None else None

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        return self.claimed.attempt

    @property
    def receipt(self) -> str:
        """A fence: new with every delivery."""
        return self.claimed.receipt

    @property
    def traceparent(self) -> str | None:
        """The producer's W3C trace context."""
        return self.claimed.job.traceparent if self.claimed.job is not None else None

    @property
    def span_context(self) -> str | None:
        """The trace context of this attempt, where tracing is on."""
        return self.claimed.span.traceparent if self.claimed.span is not None else None

    @property
    def payload(self) -> bytes:
        """The job as its producer pushed it, for a process of its own to read."""
        return self.claimed.entry.payload

    @property
    def seconds_left(self) -> float:
        """Until the attempt is timed out; 0 when it is over."""
        return max(self.deadline - self._loop.time(), 0.0)

    async def progress(self, fraction: float, note: str = "") -> None:
        """Tell how far the work is (0 to 1); raises ValueError for anything else."""
        if not 0 <= fraction <= 1:
            raise ValueError(f"progress is a fraction from 0 to 1, not {fraction}")
        report = to_json({"fraction": fraction, "note": note})
        await self._queue.report_progress(self.claimed.id, self.claimed.receipt, report)

    async def emit(self, text: str) -> None:
        """Tell the next piece of a text that the job writes; raises TypeError for what is none."""
        if self._emitted is None:
            self._emitted = Emitted(self._append, self.id)
        self._emitted.add(text)

    async def _append(self, text: bytes, restart: bool) -> bool:  # noqa: FBT001 - a `Send`
        return await self._queue.append_text(self.claimed.id, self.claimed.receipt, text, restart=restart)

    def log(self, message: str, level: Level = "info") -> None:
        """Log something of the job; raises ValueError for what is no level."""
        check_level(level)
        if self._log is None:
            self._log = JobLog()
        kept = self._log.add(self._now(), level, str(message))
        log.log(LEVELS[level], "job.log", queue=self.queue, job=self.id, attempt=self.attempt, message=kept)

    @property
    def logs(self) -> bytes:
        """What the handler has logged, as a JSON array; empty if nothing."""
        return b"" if self._log is None else self._log.write()

    def stop(self, end: End) -> None:
        """End the attempt from outside; the first reason counts."""
        if self.end is None and self.task is not None:
            self.end = end
            self.ended_at = self._loop.time()
            self.task.cancel()

    async def run(self, handlers: OpenHandlers, finished: Callable[["Attempt"], None]) -> None:
        """Work on the job until it ends, then tell `finished`."""
        handler, data = self.claimed.handler, self.claimed.data
        assert handler is not None  # noqa: S101
        assert data is not None  # noqa: S101
        try:
            handle = handlers.ready(handler) or await handlers.open(handler)
            self._enter()  # not before, for what a handler opens for all its jobs is no part of this one
            try:
                self.outcome = outcome_of(await handle(data, self))
            finally:
                await self._end_text()
        except (Exception, asyncio.CancelledError, SystemExit) as error:  # noqa: BLE001
            # Whatever a handler raises is that job's failure, not the runner's. Ended from outside, the attempt counts
            # as that, whatever its cancellation became on the way out.
            self.outcome = self.ended(self.end) if self.end is not None else failure_of(error)
        try:
            finished(self)
        except Exception as error:  # noqa: BLE001 - an outcome of wrong types must not keep the job from ending
            self.outcome = unusable(self.outcome, error)
            finished(self)

    async def _end_text(self) -> None:
        """Have all of the text told before the job ends, unless nobody wants it any more."""
        if self._emitted is None:
            return
        if self.end is not None:
            self._emitted.abandon()
            return
        try:
            await self._emitted.end()
        finally:
            self._emitted.abandon()

    def _enter(self) -> None:
        """Make what this task does from here on a part of the job, in log lines and in its trace."""
        job_lines.enter(self)
        if self.claimed.span is not None:
            self.claimed.span.enter()

    def ended(self, end: End) -> Outcome:
        """Say what an attempt comes to that was ended from outside."""
        match end:
            case End.TIMEOUT:
                return Failed("timeout", f"not done within {self.timeout_seconds:g} s")
            case End.CANCEL:
                return Cancelled()
            case End.LOST | End.RELEASE:
                return Released()
