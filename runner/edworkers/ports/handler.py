"""What a module of handlers offers, and what a handler is told of its job."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel

from edworkers.core.job_log import Level
from edworkers.core.settings import PoolSpec
from edworkers.ports.plain import in_threads, is_plain

D = TypeVar("D", bound=BaseModel)


class JobContext(Protocol):
    """What a handler knows of the job it works on."""

    @property
    def id(self) -> str:
        """The job's id: the idempotency key for whatever the handler does."""
        ...

    @property
    def queue(self) -> str:
        """The queue it came from."""
        ...

    @property
    def type(self) -> str | None:
        """Its type, where the queue has several."""
        ...

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        ...

    @property
    def max_attempts(self) -> int:
        """After this attempt the job is buried."""
        ...

    @property
    def receipt(self) -> str:
        """A fence: new with every delivery."""
        ...

    @property
    def seconds_left(self) -> float:
        """Until the attempt is timed out."""
        ...

    @property
    def traceparent(self) -> str | None:
        """The producer's W3C trace context."""
        ...

    async def progress(self, fraction: float, note: str = "") -> None:
        """Tell how far the work is (0 to 1)."""
        ...

    async def emit(self, text: str) -> None:
        """Tell the next piece of a text that the job writes, for those who follow it.

        They get it within a moment, several pieces at once where they come fast. Of an attempt the first 256 KiB are
        kept, for an hour. The next attempt begins a new text. Nothing fails for want of a piece: what counts is the
        result, which has to have the whole text.
        """
        ...

    def log(self, message: str, level: Level = "info") -> None:
        """Log something of the job: it is kept with its record, and goes to the runner's log as `job.log`.

        The latest 100 lines of an attempt are kept, each of at most 500 characters, once the attempt has ended. Raises
        ValueError for a level other than `debug`, `info`, `warning` and `error`.
        """
        ...


Handle = Callable[[Any, JobContext], Awaitable[Any]]
"""Works on validated data; returns an `Outcome`, or a plain JSON value for `Done`. What it raises is `Failed`."""

Run = Callable[[Any, Any], Any]
"""A `Handle`, or a plain function of the data and a `PlainJob`, which runs in a thread of its own."""


def _no_faults(_env: Mapping[str, str]) -> list[str]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler(Generic[D]):
    """One kind of work: its data, and how to begin it."""

    data: type[D]
    """Model of the job's `data`; what doesn't fit is buried with every fault named."""
    run: Run | None = None
    """Does the work, where it needs nothing to be opened; or else `open` gives what does."""
    open: Callable[[Mapping[str, str]], AbstractAsyncContextManager[Run]] | None = None
    """Opens what the work needs (clients, connections) from the environment, at the first job."""
    faults: Callable[[Mapping[str, str]], list[str]] = _no_faults
    """What is wrong with the environment, a line each; asked before anything starts."""
    type: str | None = None
    tokens: Callable[[Any], int] | None = None
    """Estimates of validated data how many tokens the job will use; asked only where a limit counts them."""
    isolation: Literal["task", "process"] = "task"
    """Whether each job gets a process of its own, which can be killed; a pool's setting goes before it."""
    memory_bytes: int | None = None
    """How much memory a process of its own may use with all that it starts; a pool's setting goes before it."""
    preload: tuple[str, ...] = ()
    """Modules that `open` imports: a process of its own finds them loaded. They must start no thread."""

    def __post_init__(self) -> None:
        if (self.run is None) == (self.open is None):
            raise ValueError("a Handler needs either `run`, the function, or `open`, which gives it; and not both")

    @asynccontextmanager
    async def opened(self, env: Mapping[str, str]) -> AsyncGenerator[Handle]:
        """Give what does the work, as a coroutine function, whatever it was written as."""
        if self.run is not None:
            yield _as_handle(self.run)
        elif self.open is not None:
            async with self.open(env) as run:
                yield _as_handle(run)


def _as_handle(run: Run) -> Handle:
    return in_threads(run) if is_plain(run) else run


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerModule:
    """What a module of handlers offers as `MODULE`."""

    pool: PoolSpec
    """The pool's settings where no manifest is given."""
    handlers: tuple[Handler[Any], ...]
    overrides: Callable[[PoolSpec, Mapping[str, str]], PoolSpec] | None = None
    """Settings that the environment changes, such as the platform's own limits."""
