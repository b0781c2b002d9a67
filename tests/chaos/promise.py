"""What is judged, and what a broken promise is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.history import History, Life
from tests.chaos.jobs import Planned


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the pool allows."""

    max_attempts: int = 3
    max_deliveries: int = 3
    group_inflight: int | None = 6
    """How many jobs of one group may run at once; None on a plain queue, which looks at no group."""


FAIR, PLAIN = Bounds(), Bounds(group_inflight=None)
"""Those of a queue with groups, and of one without."""


@dataclass(frozen=True, slots=True)
class Run:
    """What is to be judged."""

    history: History
    planned: Sequence[Planned]
    pushes: Mapping[int, int]
    """By a job's number, how many copies were sent to Redis, those that may not have arrived among them."""
    bounds: Bounds = field(default_factory=Bounds)
    work_queue: str = "work"
    next_queue: str = "next"
    leftovers: Sequence[str] = ()
    """Keys that should be gone when every job has ended, and aren't."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken."""

    rule: str
    what: str
    life: Life | None = None

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}" + (f"\n{self.life.tell()}" if self.life is not None else "")
