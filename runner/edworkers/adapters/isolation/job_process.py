"""The process of one job: from the fork to its end. It runs the handler, and tells the outcome as its last word."""

import asyncio
import os
import resource
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from edworkers.adapters.isolation import linux
from edworkers.adapters.isolation.frames import write_frame
from edworkers.adapters.isolation.outcomes import out_of_memory, write_outcome
from edworkers.core.job import Malformed, decode
from edworkers.core.job_log import LONGEST_MESSAGE, Level, check_level
from edworkers.core.outcome import Failed, Outcome
from edworkers.core.returned import failure_of, in_words, outcome_of, unusable
from edworkers.core.tallies import TALLIES
from edworkers.core.written_text import MAX_TEXT_BYTES, cut_to
from edworkers.ports import Handler
from edworkers.telemetry import job_lines, log

_RESET = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


@dataclass(frozen=True, slots=True)
class Order:
    """A job to be run: what its handler may know of it, and what it may use."""

    id: str
    queue: str
    type: str | None
    attempt: int
    max_attempts: int
    receipt: str
    traceparent: str | None
    span_context: str | None
    """The trace context of the attempt, where its runner traces."""
    deadline: float
    """When its time is up, by the machine's steady clock."""
    memory_bytes: int | None
    zygote: int = 0
    """The process id of its parent."""


class Context:
    """What a handler knows of its job, in the job's own process (the `JobContext` port)."""

    def __init__(self, order: Order, channel: socket.socket) -> None:
        self._order = order
        self._channel = channel
        self._reporting = asyncio.Lock()
        self._room = MAX_TEXT_BYTES
        self._take_spans: Callable[[], list[dict[str, Any]]] = list

    def enter(self) -> None:
        """Make what this process does from here on a part of the job, in log lines and in its trace."""
        job_lines.enter(self)
        if self._order.span_context is not None:
            from edworkers.adapters.tracing.provider import TracingOfJob

            self._take_spans = TracingOfJob(self._order.span_context).take

    @property
    def id(self) -> str:
        """The job's id."""
        return self._order.id

    @property
    def queue(self) -> str:
        """The queue it came from."""
        return self._order.queue

    @property
    def type(self) -> str | None:
        """Its type, where the queue has several."""
        return self._order.type

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        return self._order.attempt

    @property
    def max_attempts(self) -> int:
        """After this attempt the job is buried."""
        return self._order.max_attempts

    @property
    def receipt(self) -> str:
        """A fence: new with every delivery."""
        return self._order.receipt

    @property
    def traceparent(self) -> str | None:
        """The producer's W3C trace context."""
        return self._order.traceparent

    @property
    def seconds_left(self) -> float:
        """Until the attempt is timed out; 0 when it is over."""
        return max(self._order.deadline - time.monotonic(), 0.0)

    async def progress(self, fraction: float, note: str = "") -> None:
        """Tell how far the work is (0 to 1), and wait until it is told; raises ValueError for anything else."""
        if not 0 <= fraction <= 1:
            raise ValueError(f"progress is a fraction from 0 to 1, not {fraction}")
        # Shielded, so that a report that its caller gives up doesn't leave its answer to the next.
        await asyncio.shield(self._report(write_frame({"fraction": fraction, "note": note})))

    async def emit(self, text: str) -> None:
        """Tell the next piece of a text that the job writes; raises TypeError for what is none."""
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - handlers aren't all typed
            raise TypeError(f"a job emits text (str), not {type(text).__name__}")
        piece = text.encode(errors="replace")
        if self._room > 0 and piece:
            self._channel.sendall(write_frame({"emit": True}, cut_to(piece, self._room)))
        self._room -= len(piece)

    def log(self, message: str, level: Level = "info") -> None:
        """Log something of the job; raises ValueError for what is no level."""
        check_level(level)
        # Longer than this nothing is kept; escaped, for half of a surrogate pair couldn't be sent.
        text = str(message)[: LONGEST_MESSAGE + 1].encode(errors="backslashreplace").decode()
        self._channel.sendall(write_frame({"log": text, "level": level}))

    async def _report(self, frame: bytes) -> None:
        async with self._reporting:
            self._channel.sendall(frame)
            loop, answered = asyncio.get_running_loop(), asyncio.Event()
            loop.add_reader(self._channel, answered.set)
            try:
                await answered.wait()
            finally:
                loop.remove_reader(self._channel)
            self._channel.recv(1)

    def tell(self, outcome: Outcome) -> None:
        """Tell the outcome."""
        try:
            body = write_outcome(outcome)
        except Exception as error:  # noqa: BLE001 - values of wrong types are that job's failure
            body = write_outcome(unusable(outcome, error))
        told = {"tallies": TALLIES.take(), "spans": self._take_spans()}
        self._channel.sendall(write_frame(told, body))


def run_job(
    handler: Handler[Any], env: Mapping[str, str], order: Order, payload: bytes, channel: socket.socket
) -> NoReturn:
    """Run one job in this process, which was forked for it, and end the process."""
    code = 1
    try:
        _settle_down(order)
        asyncio.run(_work(handler, env, payload, Context(order, channel), order))
        code = 0
    except BaseException:  # noqa: BLE001 - nothing may return into the zygote's own code
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        os._exit(code)


def _settle_down(order: Order) -> None:
    """Become a process of its own: the head of a group that can be killed as a whole."""
    signal.set_wakeup_fd(-1)
    for number in _RESET:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    linux.die_with_parent()
    if os.getppid() != order.zygote:
        os._exit(1)  # it died just before that
    linux.adopt_orphans()
    linux.call_myself("edworkers-job")
    linux.be_killed_first()


def _limit_memory(memory_bytes: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _lift_memory_limit() -> None:
    """Make room to tell a failure, and to close what was opened."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


async def _work(handler: Handler[Any], env: Mapping[str, str], payload: bytes, context: Context, order: Order) -> None:
    try:
        async with AsyncExitStack() as stack:
            try:
                if order.memory_bytes is not None:
                    _limit_memory(order.memory_bytes)
                context.enter()
                handle = await stack.enter_async_context(handler.opened(env))
                outcome = outcome_of(await handle(_read(handler, payload, order), context))
            except (Exception, asyncio.CancelledError, SystemExit) as error:  # noqa: BLE001
                _lift_memory_limit()
                outcome = _failure_of(error, order.memory_bytes)
            context.tell(outcome)
    except Exception as error:  # noqa: BLE001 - the outcome is told by now: there is nothing left to fail
        log.warning("handler.unclosed", queue=order.queue, job=order.id, reason=in_words(error))


def _read(handler: Handler[Any], payload: bytes, order: Order) -> Any:
    """Read the job's data once more, from the bytes: what the runner read is in the runner's memory."""
    job = decode(payload, order.id, 0)
    assert not isinstance(job, Malformed)  # noqa: S101
    return handler.data.__pydantic_validator__.validate_python(job.data)


def _failure_of(error: BaseException, memory_bytes: int | None) -> Failed:
    failure = failure_of(error)
    is_limited = isinstance(error, MemoryError) and memory_bytes is not None
    return out_of_memory(memory_bytes, failure.traceback) if is_limited else failure
