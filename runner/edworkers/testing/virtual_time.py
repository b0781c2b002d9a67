"""Virtual time for an event loop: hours pass in a moment, and nothing depends on the machine's speed.

While a loop's time is driven, its clock is the clock of the queue in memory. When nothing more can happen at this
moment, the driver is told when the next timer is due, and says how far time moves on.

Work outside of the loop can't be hurried. While a handler runs that has a socket or pipe open, that waits for a thread
or has started one, time passes as it really does, so that no time-out comes before the answer.
"""

import asyncio
import contextlib
import math
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from selectors import BaseSelector
from typing import Any, cast

from edworkers.testing.clock import MemoryClock

_THREADS_OF_EXECUTORS = "asyncio_"
"""How the names of a loop's own threads begin; whether one is at work is known by the calls."""
_AT_ONCE = 1e-6
"""Seconds: what is due within them is due now. A loop's time is a sum of floats, and the longer a machine is up, the
further it may be from the whole millisecond that is meant."""


class LoopTime:
    """The time of one event loop: real, or that of the clock by which it is driven."""

    _clock: MemoryClock | None = None
    _ahead = 0.0
    """By how many seconds the loop's time is ahead of the real one."""
    _owed = 0.0
    """Seconds that passed really and are not yet on the clock, which counts milliseconds."""
    _calls = 0
    """Calls to threads that are not answered yet."""
    _idle: asyncio.Future[float | None] | None = None

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        patched: Any = loop
        self._selector: BaseSelector = patched._selector  # noqa: SLF001 - a loop's selector has no public name
        self._select_really: Callable[[float | None], list[Any]] = self._selector.select
        self._real_time = loop.time
        self._run_in_executor = patched.run_in_executor
        self._threads = set(threading.enumerate())
        # For the loop's whole life: nothing is different while no clock drives it, but that its time never goes back.
        cast("Any", self._selector).select = self._select
        patched.time = self.time
        patched.run_in_executor = self._call_thread
        patched._clock_resolution = _AT_ONCE  # noqa: SLF001 - a loop's precision has no public name

    @staticmethod
    def of_running_loop() -> "LoopTime":
        """Give the time of the loop that runs. Raises RuntimeError for a loop whose time can't be moved."""
        loop = asyncio.get_running_loop()
        known = getattr(loop.time, "__self__", None)
        if isinstance(known, LoopTime):
            return known
        if not isinstance(loop, asyncio.SelectorEventLoop):
            kind = f"{type(loop).__module__}.{type(loop).__qualname__}"
            said = f"the time of {kind} can't be moved: run these tests on asyncio's own event loop"
            raise RuntimeError(said)  # noqa: TRY004 - what is asked of it is the fault, not its type
        return LoopTime(loop)

    def time(self) -> float:
        """Seconds, as the loop's own `time`."""
        if self._clock is None:
            return self._real_time() + self._ahead
        return self._began + (self._clock.now() - self._clock_began) / 1000

    @contextmanager
    def driven_by(self, clock: MemoryClock, is_at_work: Callable[[], bool], *, real: bool) -> Generator[None]:
        """Let the loop have this clock's time in the block; `is_at_work` says whether a handler runs.

        With `real` it passes as it really does while one runs. Raises RuntimeError where it is driven already.
        """
        if self._clock is not None:
            raise RuntimeError("time is being moved already: await drain, advance and run_job one after the other")
        self._is_at_work, self._real = is_at_work, real
        self._began, self._clock_began = self.time(), clock.now()
        self._clock = clock
        try:
            yield
        finally:
            self._ahead = self.time() - self._real_time()
            self._clock = self._idle = None

    async def idle(self, until: Callable[[], int | None]) -> float | None:
        """Wait until nothing more can happen now, or until the clock says `until` (Unix ms), which is asked anew.

        Returns in how many seconds the next timer is due, None where there is none.
        """
        self._until = until
        self._idle = asyncio.get_running_loop().create_future()
        return await self._idle

    def _select(self, timeout: float | None = None) -> list[Any]:
        clock = self._clock
        if clock is None:
            return self._select_really(timeout)
        if timeout is not None and timeout < _AT_ONCE / 2:
            return self._select_really(0)
        if found := self._select_really(0):
            return found
        if self._idle is None or self._idle.done():
            return self._select_really(timeout)
        if self._is_outside_at_work():
            until = self._until()
            left = math.inf if until is None else (until - clock.now()) / 1000
            if left > 0:
                return self._wait(clock, min(left, math.inf if timeout is None else timeout))
        self._idle.set_result(timeout)
        return []

    def _wait(self, clock: MemoryClock, seconds: float) -> list[Any]:
        began = time.monotonic()
        found = self._select_really(None if seconds == math.inf else seconds)
        self._owed += time.monotonic() - began
        milliseconds = int(self._owed * 1000)
        self._owed -= milliseconds / 1000
        clock.advance(milliseconds / 1000)
        return found

    # What is at work outside of the loop.

    def _is_outside_at_work(self) -> bool:
        return self._is_at_work() and (self._real or self._calls > 0 or self._has_threads() or self._has_connections())

    def _call_thread(self, executor: Any, function: Callable[..., Any], *args: Any) -> Any:
        future = self._run_in_executor(executor, function, *args)
        self._calls += 1
        future.add_done_callback(self._note_answer)
        return future

    def _note_answer(self, _future: object) -> None:
        self._calls -= 1

    def _has_threads(self) -> bool:
        new = set(threading.enumerate()) - self._threads
        return any(not thread.name.startswith(_THREADS_OF_EXECUTORS) for thread in new)

    def _has_connections(self) -> bool:
        """Tell whether anything but the loop's own wake-up socket and servers that listen may bring news."""
        open_files = [key.fd for key in self._selector.get_map().values()]
        return len(open_files) > 1 and sum(not _is_listening(fd) for fd in open_files) > 1


def _is_listening(fd: int) -> bool:
    try:
        borrowed = socket.socket(fileno=fd)
    except OSError:
        return False  # a pipe
    try:
        return bool(borrowed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    finally:
        with contextlib.suppress(OSError):
            borrowed.detach()
