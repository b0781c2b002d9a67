"""What runners and keepers do with a queue."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from edworkers.ports.control import Depths


class Delivery(NamedTuple):
    """A job as it was claimed."""

    receipt: str
    """Proof that this runner holds the job; a new one with every claim."""
    raw: bytes
    """The entry; empty where it was too large to be handed out."""
    oversize: int = 0
    """How many bytes it has, where that is too many."""
    is_begun: bool = False
    """Whether its claim has let it begin, so that it needs no `Start`; one that is made all the same does no harm."""


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
    fingerprint: str = ""
    """For `bury`: the same for all jobs that are buried for one cause."""
    cause: bytes = b""
    """For `bury`: JSON, the kind and message that are shown for all that have this fingerprint."""
    logs: bytes = b""
    """What the attempt logged: a JSON array of `at` (Unix ms), `level` and `message`, of at most 16 KiB."""
    service_down: bool | None = None
    """Whether the service that the job's group stands for failed; None where the attempt tells nothing of it."""
    traceparent: str | None = None
    """The trace context of the attempt or, where it has none, of the job's producer; only log lines name it."""


class CircuitChange(NamedTuple):
    """A group's circuit that opened, opened again or closed."""

    group: str
    failures: int
    """How often its service has failed in a row by now, while its circuit was not open; 0 where it has closed."""
    open_ms: int
    """How long no job of the group is to be claimed; 0 where it has closed."""


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
    circuits: tuple[CircuitChange, ...] = ()
    """Circuits that these settlements have opened or closed, in their order."""


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

    async def append_text(self, job_id: str, receipt: str, text: bytes, *, restart: bool) -> bool:
        """Add a piece (UTF-8) to the text that a running job writes; False if `receipt` doesn't hold it any more.

        With `restart` the text begins anew. Of the rest only the first `MAX_TEXT_BYTES` are kept.
        """
        ...

    async def throttle(self, milliseconds: int, reason: str) -> None:
        """Tell the autoscaler that nothing can be claimed for so long."""
        ...
