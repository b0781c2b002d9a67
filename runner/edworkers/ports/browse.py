"""What people who watch a queue ask of it: lists of its jobs, everything about one, its failures by cause."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from edworkers.core.lifecycle import State
from edworkers.ports.control import JobRecord


@dataclass(frozen=True, slots=True)
class JobSummary:
    """One job in a list; times are Unix ms."""

    id: str
    """Empty for one that waits and whose producer gave it none: it gets one at its first claim."""
    state: State
    type: str | None = None
    group: str | None = None
    attempts: int = 0
    """How many attempts were begun, or of a job that waits have failed."""
    at: int | None = None
    """Since when it waits, began, is due, or ended, by its state; None where it doesn't say."""
    seconds: float | None = None
    """How long the last attempt ran."""
    waited_ms: int | None = None
    """Of a job that has ended: from when it was enqueued to when its last attempt began, where its record says."""
    error_kind: str | None = None
    error_message: str | None = None
    fingerprint: str | None = None
    """Of a dead job: the same for all that failed for one cause."""
    runner: str | None = None
    """Which runner has it."""
    data: bytes = b""
    """The beginning of its payload, at most 2048 bytes; empty where it isn't kept."""


@dataclass(frozen=True, slots=True)
class JobPage:
    """A part of a list of jobs."""

    jobs: Sequence[JobSummary]
    total: int
    """How many are in that state."""
    next: str | None
    """Where the next part begins; None where there is none."""


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """An attempt that has ended without the job being done; times are Unix ms."""

    number: int
    """From 1, in the order in which they began; those that were put off at no cost are counted, too."""
    outcome: str
    """`retry`, `defer`, `bury`, or `lost` where its runner was."""
    started_at: int | None
    ended_at: int
    error: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """What a handler logged of a job; `at` is Unix ms."""

    at: int
    level: str
    message: str


class Related(NamedTuple):
    """Another job that this one brought about, or that brought this one about."""

    queue: str
    id: str
    how: str
    """`parent` or `child`."""


@dataclass(frozen=True, slots=True)
class JobHistory:
    """What a job's record keeps of how it came to where it is."""

    past: Sequence[PastAttempt] = ()
    """The latest 20 at most, the oldest first; the last one of a dead job is its burial."""
    logs: Sequence[LogLine] = ()
    """Of all its attempts, as far as they are kept; the oldest first."""
    related: Sequence[Related] = ()
    """Its parent, then its children."""
    fingerprint: str | None = None
    """Of a dead job: the same for all that failed for one cause."""


@dataclass(frozen=True, slots=True)
class JobDetail:
    """Everything that is known of one job."""

    record: JobRecord
    """Its payload is given in whatever state it is, where that is kept and was found in time."""
    past: Sequence[PastAttempt] = ()
    """The latest 20 at most, the oldest first."""
    logs: Sequence[LogLine] = ()
    related: Sequence[Related] = ()
    fingerprint: str | None = None
    group: str | None = None
    runner: str | None = None
    text: str | None = None
    """What a handler that streams its text has written so far."""


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Dead jobs that failed for one cause; times are Unix ms."""

    fingerprint: str
    kind: str
    message: str
    """Of the latest of them."""
    count: int
    first_at: int
    last_at: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs are meant; all that is given has to hold."""

    text: str | None = None
    """Is in its id, type, group, payload or error, in whatever case."""
    type: str | None = None
    group: str | None = None
    error_kind: str | None = None
    fingerprint: str | None = None
    before: int | None = None
    """Its time (`JobSummary.at`) is not after this (Unix ms)."""
    after: int | None = None
    """Its time is not before this (Unix ms)."""

    @property
    def is_everything(self) -> bool:
        """Whether nothing is asked for."""
        return self == Wanted()


@dataclass(frozen=True, slots=True)
class Found:
    """What one step of a search came to."""

    jobs: Sequence[JobSummary]
    looked_at: int
    """How many jobs this step looked at."""
    next: str | None
    """Where the next step begins; None where all have been looked at."""


class QueueBrowser(Protocol):
    """What people who watch one queue ask of it. Everything raises QueueUnavailableError.

    No call takes longer for a long queue than for a short one: what can't be told at once comes in steps.
    """

    async def page(self, state: State, cursor: str | None, count: int) -> JobPage:
        """List jobs: those that wait in the order of their claims, delayed ones by when due, others the latest first.

        Raises ValueError for a cursor that isn't one.
        """
        ...

    async def detail(self, job_id: str) -> JobDetail | None:
        """Tell everything about one job; None where there is no record of it."""
        ...

    async def failures(self, count: int) -> Sequence[FailureGroup]:
        """Group dead jobs by cause, those with the most jobs first."""
        ...

    async def search(self, state: State, wanted: Wanted, cursor: str | None, at_most: int) -> Found:
        """Look at up to `at_most` jobs in a state for those that are wanted; begin with no cursor.

        Raises ValueError for a cursor that isn't one.
        """
        ...
