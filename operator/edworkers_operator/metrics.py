"""What the operator tells Prometheus."""

import platform
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from edworkers.core import metric_names as names
from edworkers.core.metric_names import Metric
from edworkers.core.version import own_version
from edworkers_operator.view import Key

Pools = Callable[[], Mapping[Key, Mapping[str, Any]]]
"""Gives the manifests of the pools that are known."""

_STATUSES = ("True", "False", "Unknown")


class Metrics:
    """The operator's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.reconciles = self._counter(names.OPERATOR_RECONCILES)
        for outcome in ("done", "failed"):
            self.reconciles.labels(outcome)  # told from the beginning, so that the first is a rise
        duration = names.OPERATOR_RECONCILE_DURATION
        self.reconcile_duration = Histogram(
            duration.name, duration.help, buckets=duration.bounds, registry=self.registry
        )
        self.leads = self._gauge(names.OPERATOR_LEADS)
        self.crd_matches = self._gauge(names.OPERATOR_CRD_MATCHES)
        self.unreadable = self._counter(names.OPERATOR_UNREADABLE)
        self._depth = self._gauge(names.OPERATOR_WORK_QUEUE_DEPTH)
        self._pools = self._gauge(names.OPERATOR_POOLS)
        self._gauge(names.BUILD).labels(own_version(), platform.python_version()).set(1)

    def _counter(self, metric: Metric) -> Counter:
        return Counter(metric.name, metric.help, metric.labels, registry=self.registry)

    def _gauge(self, metric: Metric) -> Gauge:
        return Gauge(metric.name, metric.help, metric.labels, registry=self.registry)

    def watch(self, depth: Callable[[], float], pools: Pools) -> None:
        """Ask these whenever Prometheus asks; to be called once."""
        self._depth.set_function(depth)
        self._pools.set_function(lambda: len(pools()))
        self.registry.register(_Conditions(pools))


class _Conditions(Collector):
    """Tells the conditions of every pool as they were written last."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools

    def collect(self) -> Iterable[GaugeMetricFamily]:
        metric = names.OPERATOR_CONDITION
        family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
        for key, manifest in self._pools().items():
            for condition in manifest.get("status", {}).get("conditions", ()):
                for status in _STATUSES:
                    labels = (key.namespace, key.name, condition["type"], status)
                    family.add_metric(labels, condition["status"] == status)
        yield family
