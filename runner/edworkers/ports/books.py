"""What servers keep between them: figures over time, what people did, bulk operations, keys of requests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol


class Sample(NamedTuple):
    """How a queue stood at a time, and what had become of its jobs since the sample before."""

    at: int
    """Unix ms, rounded to the series' step."""
    pending: int
    inflight: int
    delayed: int
    dead: int
    done: int
    """Jobs done since the last sample."""
    failed: int
    """Attempts that failed since then: retried or buried."""
    arrived: int
    """Jobs that left the list for a runner since then."""
    latency_ms: int | None
    """Median time from enqueue to start of jobs that ended since then; None where none says."""
    slow_ms: int | None
    """The same for the 95th percentile."""
    ran_ms: int | None
    """Median time that attempts ran."""
    runners: int


class Deed(NamedTuple):
    """Something that somebody did."""

    at: int
    """Unix ms."""
    who: str
    """A person's name, or a key's."""
    what: str
    """A verb: `replay`, `drop`, `cancel`, `undo`, `pause`, `resume`, `edit`, `run`, `enqueue`, `reveal`, `login`; the
    end of a bulk operation is its action with `-end`."""
    queue: str
    subject: str
    """A job's id, or in words which jobs."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class BulkOperation:
    """Something that is done to many jobs; it starts only when its undo window is over. Times are Unix ms."""

    id: str
    queue: str
    action: str
    """`replay`, `drop` or `cancel`."""
    state: str
    """The jobs' state: `dead`, `delayed`, `pending`."""
    wanted: Mapping[str, Any]
    """Fields of `Wanted` that are given; or `ids`."""
    who: str
    created_at: int
    starts_at: int
    status: str
    """`waiting`, `running`, `done`, `undone`, `stopped`, or `failed`."""
    total: int
    """How many jobs were there to look at when it was made."""
    looked_at: int = 0
    changed: int = 0
    refused: int = 0
    cursor: str | None = None
    fault: str | None = None
    about: str = ""
    """In words which jobs it is for, where its fields alone wouldn't tell people; masked."""


class ServerBooks(Protocol):
    """What all servers of one Redis share. Everything raises QueueUnavailableError."""

    async def add_sample(self, queue: str, sample: Sample) -> None:
        """Keep a sample; that of another server for the same time makes way."""
        ...

    async def series(self, queue: str, since: int, until: int) -> Sequence[Sample]:
        """Give samples between two times (Unix ms), the oldest first: at most some 400, in wider steps for more."""
        ...

    async def note(self, deed: Deed) -> None:
        """Keep what somebody did; of very many the latest."""
        ...

    async def deeds(self, before: str | None, count: int) -> tuple[Sequence[Deed], str | None]:
        """List what was done, the latest first, and give where the next part begins."""
        ...

    async def save(self, operation: BulkOperation, *, only_if: str | None = None) -> bool:
        """Keep an operation; with `only_if` only where its status is still this one. Returns whether it did."""
        ...

    async def operation(self, operation_id: str) -> BulkOperation | None:
        """Look up one operation."""
        ...

    async def operations(self, count: int) -> Sequence[BulkOperation]:
        """List operations, the latest first."""
        ...

    async def take_turn(self, operation_id: str, server: str, milliseconds: int) -> bool:
        """Let one server at a time work on an operation, for so long; False while another does."""
        ...

    async def once(self, key: str, value: bytes, seconds: int) -> bytes | None:
        """Keep a value under the key of a request unless there is one; returns that which was there."""
        ...

    async def count(self, key: str, window_seconds: int) -> int:
        """Count a call in its window; returns how many there were in it, with this one."""
        ...
