"""What the model knows of each job that was pushed, and where it expects it to be."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from edworkers.core.lifecycle import State
from edworkers.core.settings import Circuit

LOG_LINE = b'{"at":1,"level":"info","message":"m"}'
"""All that is ever logged here."""


class Phase(StrEnum):
    """How far a runner is with a job that it claimed."""

    CLAIMED = "claimed"
    STARTED = "started"
    DUPLICATE = "duplicate"
    CANCELLED = "cancelled"


@dataclass(slots=True, eq=False)
class Job:
    """One push: each has bytes of its own, so that it is told from all others, be their ids the same."""

    payload: bytes
    id: str = ""
    """Empty where the producer gave none: then it is the receipt of the first delivery."""
    key: str = ""
    group: str = ""
    state: State | None = None
    """Where it is; None before it is in the queue, and when it is no more."""
    reason: str = ""
    """Why it is no more."""
    deliveries: int = 0
    attempts: int = 0
    """How many attempts have failed, as its header says."""
    begun: int = 0
    """How many times it was let begin since it was pushed or replayed."""
    origin: str = ""
    put_off: bool = False

    def end(self, state: State | None, reason: str) -> None:
        self.state, self.reason = state, reason


@dataclass(slots=True, eq=False)
class Held:
    """A job in a runner's hands."""

    receipt: str
    job: Job
    runner: int
    deadline: int
    group: str | None = None
    """The line that it was taken from; None where it was taken from the list."""
    phase: Phase = Phase.CLAIMED

    @property
    def origin(self) -> str:
        return self.job.origin or self.receipt

    @property
    def id(self) -> str:
        return self.job.id or self.origin


class Ended(NamedTuple):
    """An attempt that ended without its job being done."""

    number: int
    outcome: str
    error: bytes
    knows_start: bool

    @property
    def bytes(self) -> int:
        at = "1" * 13
        start = at if self.knows_start else "null"
        text = f'{{"number":{self.number},"outcome":"{self.outcome}","startedAt":{start},"endedAt":{at},"error":}}'
        return len(text) + len(self.error or b"null")


@dataclass(slots=True)
class History:
    """What is remembered of a job's attempts; it outlives a replay."""

    count: int = 0
    past: list[Ended] = field(default_factory=list[Ended])
    logs: int = 0
    """How many lines there are."""
    children: bytes = b""

    def note(self, outcome: str, error: bytes = b"", *, knows_start: bool = True) -> None:
        self.count += 1
        self.past = [*self.past, Ended(self.count, outcome, error, knows_start)][-20:]

    @property
    def bytes(self) -> int:
        lines = self.logs * (len(LOG_LINE) + 1) + 1 if self.logs else 0
        return sum(ended.bytes for ended in self.past) + lines + len(self.children)


@dataclass(slots=True, eq=False)
class Known:
    """What the queue remembers under an id: which job it stands for."""

    job: Job
    state: State
    unique: str = ""
    origin: str = ""
    receipt: str = ""
    attempts: int = 0
    expires: int | None = None
    history: History = field(default_factory=History)
    has_started: bool = False
    error: bytes = b""
    fingerprint: str = ""


class Kept(NamedTuple):
    """A record that is kept after the end: since when (Unix ms), and its size."""

    at: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How the queue under test is set up."""

    fair: tuple[bool, bool] = (False, False)
    """Whether each of the two runners takes groups in their turn; they differ in the midst of a rollout."""
    group_max: int = 0
    max_inflight: int = 0
    begins: bool = False
    """Whether claims let those jobs begin of which nobody can know an id."""
    circuit: Circuit | None = None
