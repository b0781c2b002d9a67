"""What producers and operators do with a queue, and what they are told of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from edworkers.core.lifecycle import State


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
    parent: str = ""
    """Of a follow-up job: the queue and id of the job that it follows, with a space between."""


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
    """Of a dead job: its bytes as they came. Of one that is done or cancelled only with `retention.keepData`."""


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
        """Put a dead job back on the list with all its attempts; False if it isn't dead, or its unique key is taken.

        Its record keeps its history.
        """
        ...

    async def edit(self, job_id: str, payload: bytes, unique_key: str = "") -> bool:
        """Replay a dead job with another payload, whose unique key this is; False where a replay would be refused.

        Raises ValueError where the payload names another id.
        """
        ...

    async def drop(self, job_id: str) -> bool:
        """Delete a dead job for good; False if it isn't dead."""
        ...
