"""What a keeper tells Prometheus of the queues that it counts."""

import time
from collections.abc import Callable, Collection, Iterable, Sequence

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from edworkers.adapters.metrics.families import counter, gauge
from edworkers.core import metric_names as names
from edworkers.ports import Depths, Usage

_READINGS: tuple[tuple[names.Metric, Callable[[Depths], float]], ...] = (
    (names.QUEUE_OLDEST, lambda depths: depths.oldest_seconds or 0.0),
    (names.QUEUE_PAUSED, lambda depths: depths.paused),
    (names.QUEUE_THROTTLED, lambda depths: depths.throttled),
    (names.QUEUE_GROUPS_SHUT, lambda depths: depths.shut),
    (names.QUEUE_RUNNERS, lambda depths: depths.runners),
    (names.QUEUE_RECORD_BYTES, lambda depths: max(depths.totals.get("recordBytes", 0), 0)),
)


class QueueCollector(Collector):
    """Gives how the queues and their limits stood when they were last counted.

    Each keeper counts the same queues, so that of several the figures are to be taken once (`max by (queue)`).
    """

    LONGEST_SECONDS = 60
    """What was counted longer ago isn't told any more: what couldn't be counted is never zero."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._counted: dict[str, tuple[float, Depths]] = {}
        self._limits: dict[str, tuple[float, Sequence[Usage]]] = {}

    def note(self, depths: Depths) -> None:
        """Take what was counted now."""
        self._counted[depths.queue] = (self._now(), depths)

    def note_limits(self, queue: str, usage: Sequence[Usage]) -> None:
        """Take how much of a queue's limits is used now."""
        self._limits[queue] = (self._now(), usage)

    def only(self, queues: Collection[str]) -> None:
        """Forget all other queues."""
        self._counted = {queue: counted for queue, counted in self._counted.items() if queue in queues}
        self._limits = {queue: usage for queue, usage in self._limits.items() if queue in queues}

    def collect(self) -> Iterable[Family]:
        """Give each metric, labelled by queue."""
        counted = list(self._counted.values())
        yield gauge(names.QUEUE_COUNTED, [((depths.queue,), at) for at, depths in counted])
        fresh = [depths for at, depths in counted if self._is_fresh(at)]
        yield _jobs(fresh)
        yield _moves(fresh)
        for metric, read in _READINGS:
            yield gauge(metric, [((depths.queue,), read(depths)) for depths in fresh])
        limits = [
            ((queue, usage.window), usage)
            for queue, (at, found) in list(self._limits.items())
            if self._is_fresh(at)
            for usage in found
        ]
        yield gauge(names.LIMIT_USED, [(labels, usage.used) for labels, usage in limits])
        yield gauge(names.LIMIT_MAX, [(labels, usage.limit) for labels, usage in limits])
        yield gauge(names.LIMIT_RESET, [(labels, usage.resets_at / 1000) for labels, usage in limits])

    def _is_fresh(self, at: float) -> bool:
        return self._now() - at <= self.LONGEST_SECONDS


def _jobs(counted: Sequence[Depths]) -> Family:
    states = ("pending", "inflight", "delayed", "dead")
    rows: list[tuple[tuple[str, str], float]] = [
        ((depths.queue, state), getattr(depths, state)) for depths in counted for state in states
    ]
    return gauge(names.QUEUE_JOBS, rows)


def _moves(counted: Sequence[Depths]) -> Family:
    rows = [
        ((depths.queue, verb), count)
        for depths in counted
        for verb, count in depths.totals.items()
        if verb != "recordBytes"
    ]
    return counter(names.QUEUE_MOVES, rows)
