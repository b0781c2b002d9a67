"""What the operator tells Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector


class Metrics:
    """The operator's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.reconciles = Counter(
            "edworkers_operator_reconciles", "Reconciles of a pool", ["outcome"], registry=self.registry
        )
        self.reconcile_seconds = Histogram(
            "edworkers_operator_reconcile_seconds", "How long a reconcile took", registry=self.registry
        )
        self.leads = Gauge("edworkers_operator_leads", "1 while this operator is active", registry=self.registry)
        self.crd_matches = Gauge(
            "edworkers_operator_crd_matches", "1 if the CRD is the one this was built for", registry=self.registry
        )
        self.unreadable = Counter(
            "edworkers_operator_queues_unreadable", "Times a queue couldn't be counted", registry=self.registry
        )
        self._depth = Gauge("edworkers_operator_work_queue_depth", "Pools that wait", registry=self.registry)
        self._pools = Gauge("edworkers_operator_pools", "Pools that are known", registry=self.registry)

    def watch(self, depth: Callable[[], float], pools: Callable[[], float]) -> None:
        """Ask these whenever Prometheus asks."""
        self._depth.set_function(depth)
        self._pools.set_function(pools)
