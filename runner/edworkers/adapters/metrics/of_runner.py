"""What a runner tells Prometheus of its jobs, of what its handlers count, and of the rounds that keep its queue."""

from collections.abc import Callable, Iterable, Sequence

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from edworkers.adapters.metrics.families import counter, gauge, histogram
from edworkers.core import metric_names as names
from edworkers.core.stats import KeeperStats, Stats
from edworkers.core.tallies import Tallies

_VERBS = ("ack", "retry", "defer", "bury", "cancel", "release", "duplicate")
_STEPS = ("promote", "reap", "sort", "forward", "trim", "repair")


class StatsCollector(Collector):
    """Gives a runner's figures."""

    def __init__(self, stats: Stats, running: Callable[[], int]) -> None:
        self._stats = stats
        self._running = running

    def collect(self) -> Iterable[Family]:
        """Give each metric, labelled by queue."""
        stats, queue = self._stats, self._stats.queue
        yield counter(names.CLAIMED, [((queue,), stats.claimed)])
        yield self._settled()
        yield gauge(names.RUNNING, [((queue,), self._running())])
        yield gauge(names.SLOTS, [((queue,), stats.slots)])
        yield counter(names.LEASE_LOSSES, [((queue,), stats.lease_losses)])
        yield counter(names.CIRCUITS_OPENED, [((queue,), stats.circuits_opened)])
        yield counter(names.QUEUE_CALLS, [((queue,), stats.cycles)])
        by_type = stats.each()
        yield histogram(names.ATTEMPT_DURATION, [((queue, name), found.attempt) for name, found in by_type])
        yield histogram(names.QUEUE_LATENCY, [((queue, name), found.latency) for name, found in by_type])

    def _settled(self) -> Family:
        """Tell every verb from the beginning, so that its first job is a rise."""
        queue = self._stats.queue
        rows = [
            ((queue, name, verb), found.settled.get(verb, 0)) for name, found in self._stats.each() for verb in _VERBS
        ]
        return counter(names.SETTLED, rows)


class TalliesCollector(Collector):
    """Gives what the handlers of a process count."""

    def __init__(self, tallies: Tallies) -> None:
        self._tallies = tallies

    def collect(self) -> Iterable[Family]:
        """Give each metric of which there is anything."""
        for metric in (names.AI_TOKENS, names.WEBHOOK_ANSWERS, names.SPANS):
            counted = self._tallies.of(metric)
            if counted:
                yield counter(metric, counted.items())


class RoundsCollector(Collector):
    """Gives what the rounds that keep queues did; which queues they are is asked anew each time."""

    def __init__(self, kept: Callable[[], Sequence[KeeperStats]]) -> None:
        self._kept = kept

    def collect(self) -> Iterable[Family]:
        """Give each metric, labelled by queue."""
        kept = self._kept()
        yield counter(names.KEEPER_ROUNDS, [((stats.queue,), stats.rounds) for stats in kept])
        moved = [((stats.queue, step), stats.moved.get(step, 0)) for stats in kept for step in _STEPS]
        yield counter(names.KEEPER_MOVED, moved)
        failures = [
            ((stats.queue, step), stats.failures.get(step, 0)) for stats in kept for step in (*_STEPS, "sample")
        ]
        yield counter(names.KEEPER_FAILURES, failures)
