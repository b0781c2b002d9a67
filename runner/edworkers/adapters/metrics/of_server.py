"""What a server tells Prometheus of its requests."""

from collections.abc import Iterable

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from edworkers.adapters.metrics.families import gauge, histogram
from edworkers.core import metric_names as names
from edworkers.core.http_stats import HttpStats


class HttpCollector(Collector):
    """Gives a server's figures."""

    def __init__(self, stats: HttpStats) -> None:
        self._stats = stats

    def collect(self) -> Iterable[Family]:
        """Give each metric."""
        yield histogram(names.HTTP_DURATION, list(self._stats.durations.items()))
        yield gauge(names.HTTP_ACTIVE, [((), self._stats.active)])
