"""What the pipeline needs from the world, in the words of the domain."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel

from edworkers.core.lifecycle import State
from edworkers.core.settings import PoolSpec


class Delivery(NamedTuple):
    """A job as it was claimed."""

    receipt: str
    """Proof that this runner holds the job; a new one with every claim."""
    raw: bytes
    """The entry; empty where it was too large to be handed out."""
    oversize: int = 0
    """How many bytes it has, where that is too many."""


class Start(NamedTuple):
    """A claimed job that is about to be run."""

    receipt: str
    job_id: str
    origin: str
    """The receipt of the job's first delivery."""
    attempt: int
    """The number of the attempt, from 1."""
    unique_key: str = ""
    type: str = ""


class Settlement(NamedTuple):
    """What became of a claimed job."""

    receipt: str
    job_id: str
    origin: str
    verb: str
    """`ack`, `retry`, `defer`, `bury`, `cancel`, `release` or `duplicate`."""
    attempts: int
    """How many attempts have failed by now."""
    begun: int
    """How many attempts were begun by now."""
    body: bytes = b""
    """JSON: the result of `ack`, the error of `retry`, `defer` and `bury`."""
    unique_key: str = ""
    seconds: float = 0
    """How long the attempt ran."""
    delay_ms: int = 0
    """For `retry` and `defer`: how long to wait."""
    due: int = 0
    """For `defer`: until when (Unix ms) to wait, instead of `delay_ms`."""
    gate_ms: int = 0
    """For `defer`: how long nobody is to claim from the queue."""
    started: bool = True
    """Whether the job was let begin by a `Start`."""
    shut_ms: int = 0
    """For `release`: how long no job of its group is to be claimed."""
    follow_ups: tuple[bytes, ...] = ()
    """For `ack`: of each job that follows, its queue, a space, its id, a line feed and its payload."""


class Cycle(NamedTuple):
    """The answer to one `cycle`."""

    lost: tuple[str, ...]
    """Receipts whose settlement was refused because the lease had run out."""
    admissions: tuple[str, ...]
    """For each `Start`, in its order: `start`, `duplicate`, `cancel` or `lost`."""
    deliveries: tuple[Delivery, ...]
    closed_ms: int
    """How long nothing can be claimed: 0 when open, -1 while paused, else what is left of the gate."""
    waiting: int
    """Jobs that still wait, be it because as many run as may, or a limit shuts their groups."""
    now: int = 0
    """The queue's own time (Unix ms), by which jobs are judged: a runner's clock may be wrong."""


class Enqueue(NamedTuple):
    """A job to be enqueued."""

    job_id: str
    payload: bytes
    unique_key: str = ""
    urgent: bool = False
    due: int = 0
    """Unix ms before which it must not run; 0 for at once."""
    revive: bool = True
    """Whether one with this id that is dead makes way for it, instead of making it a duplicate."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """What is known of one job; times are Unix ms."""

    id: str
    queue: str
    state: State
    type: str | None = None
    attempts: int = 0
    """How many attempts were begun."""
    queued_at: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    due_at: int | None = None
    seconds: float | None = None
    """How long the last attempt ran."""
    progress: dict[str, Any] | None = None
    result: Any = None
    error: dict[str, Any] | None = None
    payload: bytes | None = None
    """Of a dead job: its bytes as they came."""


@dataclass(frozen=True, slots=True)
class Depths:
    """How many jobs of a queue are where; counters since the queue began."""

    queue: str
    pending: int
    inflight: int
    delayed: int
    dead: int
    paused: bool
    throttled: bool
    gate_ms: int
    """What is left of a service's request to wait."""
    runners: int
    totals: Mapping[str, int] = field(default_factory=dict[str, int])
    oldest_seconds: float | None = None
    """How long the oldest waiting job has waited; nothing where it doesn't say, as one without `time` and `id`."""
    shut: int = 0
    """Groups that a limit of their own keeps waiting, as of the last claim."""


class KeptQueue(Protocol):
    """What keepers do with one queue, and every runner with its own; many may do it at once."""

    async def promote(self, at_most: int) -> int:
        """Move due delayed jobs to the list; returns how many."""
        ...

    async def trim(self, at_most: int) -> int:
        """Forget records beyond their retention in time or bytes; returns how many."""
        ...

    async def forward(self, at_most: int) -> int:
        """Pass follow-up jobs on to their queues; returns how many."""
        ...

    async def sort(self, at_most: int) -> int:
        """Where the queue is fair, move up to `at_most` jobs that wait in the list to the lines of their groups.

        Returns for how many it tried: another may have moved them at the same time.
        """
        ...

    async def reap(self, at_most: int) -> int:
        """Put jobs whose lease ran out back to the front; returns how many."""
        ...

    async def repair(self, at_most: int) -> int:
        """Mend what a person or a restore broke, looking at up to `at_most` things of each kind; returns how many."""
        ...

    async def sample(self) -> Depths:
        """Count the queue, for those who watch it."""
        ...


class JobQueue(KeptQueue, Protocol):
    """What runners do with one queue."""

    async def cycle(self, settlements: Sequence[Settlement], starts: Sequence[Start], want: int) -> Cycle:
        """Settle what ended, start what is about to run and claim up to `want` jobs, in one step."""
        ...

    async def hand_back(self) -> None:
        """Let another runner have the job that woke this one."""
        ...

    async def report_progress(self, job_id: str, receipt: str, progress: bytes) -> bool:
        """Keep the progress (JSON) of a running job; False if `receipt` doesn't hold it any more."""
        ...

    async def throttle(self, milliseconds: int, reason: str) -> None:
        """Tell the autoscaler that nothing can be claimed for so long."""
        ...


class QueueControl(Protocol):
    """What producers and operators do with one queue."""

    async def enqueue(self, jobs: Sequence[Enqueue]) -> list[bool]:
        """Add jobs; False for each that is a duplicate."""
        ...

    async def depths(self) -> Depths:
        """Count the queue."""
        ...

    async def find(self, job_id: str) -> JobRecord | None:
        """Look up the record of a job."""
        ...

    async def cancel(self, job_id: str) -> str:
        """Cancel a job: `cancelled` at once, `requested` (it ends when a runner meets it) or `finished` before."""
        ...

    async def pause(self, *, paused: bool) -> bool:
        """Pause or resume claims; False if it was so already.

        To resume also lets the autoscaler look again at a queue that a limit closed: the limit itself still counts.
        """
        ...

    async def dead(self, offset: int, count: int) -> list[JobRecord]:
        """List dead letters, the latest first."""
        ...

    async def replay(self, job_id: str) -> bool:
        """Put a dead job back on the list with all its attempts; False if it isn't dead, or its unique key is taken."""
        ...

    async def drop(self, job_id: str) -> bool:
        """Delete a dead job for good; False if it isn't dead."""
        ...


class Grant(NamedTuple):
    """What a limiter allowed."""

    reservation: str
    """Names the reservation when part of it is given back."""
    granted: int
    retry_ms: int
    """When `granted` is 0: how long until there may be room."""
    window: str = ""
    """When `granted` is 0: the name of the window that is used up."""


class Usage(NamedTuple):
    """How much of one window is used."""

    window: str
    used: int
    limit: int
    resets_at: int
    """Unix ms."""


class Limiter(Protocol):
    """Several windows at once, shared by every runner."""

    async def reserve(self, count: int, *, whole: bool = False) -> Grant:
        """Take up to `count` from every window, or as many as the tightest allows; with `whole`, all or nothing."""
        ...

    async def adjust(self, reservation: str, used: int) -> None:
        """Count what a reservation really used, be it less or more than was reserved."""
        ...

    async def refund(self, reservation: str, count: int) -> None:
        """Give back `count` of a reservation that were not used."""
        ...

    async def usage(self) -> list[Usage]:
        """Tell how much of each window is used."""
        ...


class Lifeline(Protocol):
    """Keeps the leases of one runner and wakes it; runs apart from the event loop, so that no handler blocks it."""

    def open(
        self,
        *,
        on_wake: Callable[[], None],
        on_lost: Callable[[Sequence[str]], None],
        on_cancel: Callable[[Sequence[str]], None],
    ) -> None:
        """Begin; the callbacks run in the event loop: a job arrived, receipts lost, job ids to cancel."""
        ...

    def hold(self, receipts: Mapping[str, str]) -> None:
        """Keep the leases of these receipts (to job ids, empty where not yet known)."""
        ...

    def let_go(self, receipts: Sequence[str]) -> None:
        """Stop keeping the leases of these receipts."""
        ...

    def wake_me(self) -> None:
        """Call `on_wake` once when a job arrives or the queue opens."""
        ...

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Settle from the lifeline itself, when the event loop is blocked; called by its guard only."""
        ...

    def close(self) -> None:
        """End, and wait until it has ended."""
        ...


class Clock(Protocol):
    """The time of day and a steady time for durations."""

    def now(self) -> int:
        """Unix milliseconds."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        ...


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


Handle = Callable[[Any, JobContext], Awaitable[Any]]
"""Works on validated data; returns an `Outcome`, or a plain JSON value for `Done`. What it raises is `Failed`."""


def _no_faults(_env: Mapping[str, str]) -> list[str]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler(Generic[D]):
    """One kind of work: its data, and how to begin it."""

    data: type[D]
    """Model of the job's `data`; what doesn't fit is buried with every fault named."""
    open: Callable[[Mapping[str, str]], AbstractAsyncContextManager[Handle]]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerModule:
    """What a module of handlers offers as `MODULE`."""

    pool: PoolSpec
    """The pool's settings where no manifest is given."""
    handlers: tuple[Handler[Any], ...]
    overrides: Callable[[PoolSpec, Mapping[str, str]], PoolSpec] | None = None
    """Settings that the environment changes, such as the platform's own limits."""
