"""A scrape's answer, in the format that Prometheus asks for."""

import platform
from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from edworkers.adapters.metrics.families import gauge
from edworkers.core import metric_names as names
from edworkers.core.version import own_version


class _BuildCollector(Collector):
    def collect(self) -> Iterable[Family]:
        yield gauge(names.BUILD, [((own_version(), platform.python_version()), 1)])


class Exposition:
    """All metrics of one process: those of these collectors, and of the process itself."""

    def __init__(self, collectors: Iterable[Collector]) -> None:
        self._registry = CollectorRegistry()
        for collector in (*collectors, _BuildCollector()):
            self._registry.register(collector)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def text(self, accept: str | None) -> tuple[bytes, str]:
        """Give the metrics as a request's `Accept` header has it, and their content type.

        Exemplars are only in the OpenMetrics format, which Prometheus asks for by itself.
        """
        encode, content_type = choose_encoder(accept or "")
        return encode(self._registry), content_type
