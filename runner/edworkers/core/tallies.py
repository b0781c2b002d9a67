"""What handlers count in their process, for metrics that are theirs and not the queue's."""

from collections import Counter
from collections.abc import Iterable, Mapping

from edworkers.core.metric_names import Metric

_MOST_SERIES = 50
"""Of one metric: what comes from outside, as the name of a model does, must not make them grow for ever."""
OTHERS = "other"


class Tallies:
    """Counts by metric and by the values of its labels."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[tuple[str, ...]]] = {}

    def declare(self, metric: Metric, series: Iterable[tuple[str, ...]]) -> None:
        """Begin to tell series that are known before anything is counted, so that their first count is a rise."""
        counts = self._counts.setdefault(metric.name, Counter())
        for labels in series:
            counts.setdefault(labels, 0)

    def add(self, metric: Metric, labels: tuple[str, ...], amount: int = 1) -> None:
        """Count; `labels` are the values of the metric's labels, in its order."""
        self._add(metric.name, labels, amount)

    def _add(self, name: str, labels: tuple[str, ...], amount: int) -> None:
        counts = self._counts.setdefault(name, Counter())
        if labels not in counts and len(counts) >= _MOST_SERIES:
            labels = (OTHERS,) * len(labels)
        counts[labels] += amount

    def of(self, metric: Metric) -> Mapping[tuple[str, ...], int]:
        """Give what was counted for a metric."""
        return dict(self._counts.get(metric.name, {}))

    def take(self) -> list[tuple[str, list[str], int]]:
        """Give all that was counted as JSON has it, and begin anew: for a process that tells another, and ends."""
        taken = [
            (name, list(labels), amount)
            for name, counts in self._counts.items()
            for labels, amount in counts.items()
            if amount
        ]
        self._counts.clear()
        return taken

    def merge(self, taken: Iterable[tuple[str, list[str], int]]) -> None:
        """Add what another process took of its own."""
        for name, labels, amount in taken:
            self._add(name, tuple(labels), amount)


TALLIES = Tallies()
"""This process' own."""
