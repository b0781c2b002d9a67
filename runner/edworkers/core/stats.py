"""What a runner counted and timed; cheap to add to, read when someone looks."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from edworkers.core.metric_names import ATTEMPT_DURATION, QUEUE_LATENCY
from edworkers.core.traceparent import is_sampled, trace_id_of

ATTEMPT_BOUNDS = ATTEMPT_DURATION.bounds
LATENCY_BOUNDS = QUEUE_LATENCY.bounds


class Exemplar(NamedTuple):
    """One observation with the trace in which it was made."""

    trace_id: str
    seconds: float
    at: float
    """Unix seconds."""


class Histogram:
    """Counts of seconds between bounds."""

    __slots__ = ("bounds", "counts", "exemplars", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.exemplars: dict[int, Exemplar] = {}

    def add(self, seconds: float, traceparent: str | None = None, at: float = 0) -> None:
        """Count one observation, made `at` (Unix seconds).

        Of those in a trace that is kept, the latest of a bucket is its exemplar.
        """
        bucket = bisect_left(self.bounds, seconds)
        self.counts[bucket] += 1
        self.total += seconds
        if traceparent is not None and is_sampled(traceparent):
            self.exemplars[bucket] = Exemplar(trace_id_of(traceparent), seconds, at)

    def cumulative(self) -> list[tuple[str, float, Exemplar | None]]:
        """Give the buckets as Prometheus wants them: upper bound, count of all up to it, exemplar."""
        out: list[tuple[str, float, Exemplar | None]] = []
        count = 0
        for bucket, bound in enumerate((*map(str, self.bounds), "+Inf")):
            count += self.counts[bucket]
            out.append((bound, count, self.exemplars.get(bucket)))
        return out


@dataclass(slots=True)
class TypeStats:
    """A runner's figures of the jobs of one type."""

    settled: Counter[str] = field(default_factory=Counter[str])
    attempt: Histogram = field(default_factory=lambda: Histogram(ATTEMPT_BOUNDS))
    latency: Histogram = field(default_factory=lambda: Histogram(LATENCY_BOUNDS))


@dataclass(slots=True)
class Stats:
    """One runner's figures since it began."""

    queue: str
    slots: int = 0
    claimed: int = 0
    cycles: int = 0
    lease_losses: int = 0
    circuits_opened: int = 0
    by_type: dict[str, TypeStats] = field(default_factory=dict[str, TypeStats])
    """By type of job; those without a type, and of types that no handler is for, are together under none."""
    _others: TypeStats = field(default_factory=TypeStats)

    @classmethod
    def of_types(cls, queue: str, types: Iterable[str | None], slots: int = 0) -> "Stats":
        """Begin to count for a runner whose handlers are for these types."""
        return cls(queue, slots, by_type={known: TypeStats() for known in types if known is not None})

    def of(self, job_type: str | None) -> TypeStats:
        """Give the figures to which a job of this type adds: of as many types as there are handlers, not more."""
        return self._others if job_type is None else self.by_type.get(job_type, self._others)

    def each(self) -> list[tuple[str, TypeStats]]:
        """Give all figures with their type, which is empty for those without one."""
        return [*self.by_type.items(), ("", self._others)]

    @property
    def settled(self) -> Counter[str]:
        """How many jobs were settled by each verb, of all types together."""
        return sum((of_type.settled for _, of_type in self.each()), Counter[str]())


class KeeperStats:
    """What the rounds of a keeper did for one queue since it began."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self.rounds = 0
        self.moved: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
