"""What a runner counted and timed; cheap to add to, read when someone looks."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

ATTEMPT_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
LATENCY_BOUNDS = (0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0)


class Histogram:
    """Counts of seconds between bounds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """Give the buckets as Prometheus wants them: upper bound, count of all up to it."""
        out: list[tuple[str, float]] = []
        count = 0
        for bound, here in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            count += here
            out.append((bound, count))
        return out


@dataclass(slots=True)
class Stats:
    """One runner's figures since it began."""

    queue: str
    claimed: int = 0
    cycles: int = 0
    lease_losses: int = 0
    circuits_opened: int = 0
    settled: Counter[str] = field(default_factory=Counter[str])
    attempt: Histogram = field(default_factory=lambda: Histogram(ATTEMPT_BOUNDS))
    latency: Histogram = field(default_factory=lambda: Histogram(LATENCY_BOUNDS))
    running: int = 0
