"""Plain functions as handlers: each runs in a thread of its own, so that it may block."""

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

from edworkers.core.job_log import Level, check_level


class _Context(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def queue(self) -> str: ...
    @property
    def type(self) -> str | None: ...
    @property
    def attempt(self) -> int: ...
    @property
    def max_attempts(self) -> int: ...
    @property
    def receipt(self) -> str: ...
    @property
    def seconds_left(self) -> float: ...
    @property
    def traceparent(self) -> str | None: ...
    async def progress(self, fraction: float, note: str = "") -> None: ...
    async def emit(self, text: str) -> None: ...
    def log(self, message: str, level: Level = "info") -> None: ...


class PlainJob:
    """What a plain function knows of the job it works on: as `JobContext`, but that nothing is awaited."""

    def __init__(self, context: _Context, loop: asyncio.AbstractEventLoop) -> None:
        self._context = context
        self._loop = loop
        self._stop = threading.Event()

    @property
    def id(self) -> str:
        """The job's id: the idempotency key for whatever the function does."""
        return self._context.id

    @property
    def queue(self) -> str:
        """The queue it came from."""
        return self._context.queue

    @property
    def type(self) -> str | None:
        """Its type, where the queue has several."""
        return self._context.type

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        return self._context.attempt

    @property
    def max_attempts(self) -> int:
        """After this attempt the job is buried."""
        return self._context.max_attempts

    @property
    def receipt(self) -> str:
        """A fence: new with every delivery."""
        return self._context.receipt

    @property
    def seconds_left(self) -> float:
        """Until the attempt is timed out."""
        return self._context.seconds_left

    @property
    def traceparent(self) -> str | None:
        """The producer's W3C trace context."""
        return self._context.traceparent

    @property
    def is_over(self) -> bool:
        """Whether the attempt was ended from outside: out of time, cancelled, or its runner stops.

        A thread can't be ended, so a function that works for long looks at this now and then, and returns.
        """
        return self._stop.is_set()

    def progress(self, fraction: float, note: str = "") -> None:
        """Tell how far the work is (0 to 1), and wait until it is told; raises ValueError for anything else."""
        if not self.is_over:
            asyncio.run_coroutine_threadsafe(self._context.progress(fraction, note), self._loop).result()

    def emit(self, text: str) -> None:
        """Tell the next piece of a text that the job writes, as `JobContext.emit` does."""
        if not self.is_over:
            asyncio.run_coroutine_threadsafe(self._context.emit(text), self._loop).result()

    def log(self, message: str, level: Level = "info") -> None:
        """Log something of the job, as `JobContext.log` does; raises ValueError for what is no level."""
        check_level(level)
        with suppress(RuntimeError):  # the loop is closed: nobody keeps it any more
            self._loop.call_soon_threadsafe(self._context.log, message, level)

    def stop(self) -> None:
        """End the attempt, as far as the function looks at it."""
        self._stop.set()


def is_plain(function: Callable[..., Any]) -> bool:
    """Whether a callable is no coroutine function."""
    called = getattr(function, "__call__", None)  # noqa: B004 - an object that is called has its function there
    return not (inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called))


def in_threads(function: Callable[[Any, PlainJob], Any]) -> Callable[[Any, _Context], Awaitable[Any]]:
    """Make a handle of a plain function. What it returns may be a coroutine, which is awaited in the event loop."""

    async def handle(data: Any, context: _Context) -> Any:
        job = PlainJob(context, asyncio.get_running_loop())
        returned = await _in_a_thread(lambda: function(data, job), job)
        return await returned if inspect.isawaitable(returned) else returned

    return handle


async def _in_a_thread(work: Callable[[], Any], job: PlainJob) -> Any:
    """Wait for a thread, also when the attempt is ended meanwhile: it isn't over before the function is."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Any] = loop.create_future()

    def run() -> None:
        try:
            tell, told = ended.set_result, work()
        except BaseException as error:  # noqa: BLE001 - whatever it raises is the job's failure, and its thread's end
            tell, told = ended.set_exception, _to_raise(error)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, told)

    # Its own thread, and not one of a pool's: one that never ends takes nobody's place, and doesn't keep the process.
    context = contextvars.copy_context()
    threading.Thread(target=lambda: context.run(run), name=f"edworkers-job-{job.id}", daemon=True).start()
    ended.add_done_callback(lambda future: future.cancelled() or future.exception())  # told, even if nobody asks
    try:
        return await asyncio.shield(ended)
    except asyncio.CancelledError:
        job.stop()
        await asyncio.wait([ended])
        raise


def _to_raise(error: BaseException) -> BaseException:
    """Give what can be raised in a coroutine: a StopIteration would end it, a KeyboardInterrupt the whole loop."""
    if isinstance(error, StopIteration) or not isinstance(error, Exception | SystemExit):
        wrapped = RuntimeError(f"the handler raised {type(error).__name__}: {error}")
        wrapped.__cause__ = error
        return wrapped
    return error
