"""What no watch tells: counts of the queues, kinds that the cluster learns, and what a watch may have missed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from edworkers.core.errors import SettingsError
from edworkers_operator.cluster import Cluster, ClusterError
from edworkers_operator.metrics import Metrics
from edworkers_operator.naming import POD_MONITOR, POOL_LABEL, SCALED_OBJECT, TRIGGER_AUTHENTICATION, known_kinds
from edworkers_operator.queue_reading import Unreadable
from edworkers_operator.queues import Queues
from edworkers_operator.settings import Capabilities, OperatorSettings
from edworkers_operator.view import Key, View
from edworkers_operator.workerpool import read_worker_pool

log: structlog.stdlib.BoundLogger = structlog.get_logger("edworkers.operator")

CAPABILITIES_SECONDS = 30
_AT_ONCE = 10


async def find_capabilities(cluster: Cluster) -> Capabilities:
    """Ask the API server which kinds it knows. Raises ClusterError."""
    of_keda = (SCALED_OBJECT, TRIGGER_AUTHENTICATION)
    return Capabilities(
        keda=await cluster.kinds(SCALED_OBJECT.api_version) >= {kind.plural for kind in of_keda},
        pod_monitor=POD_MONITOR.plural in await cluster.kinds(POD_MONITOR.api_version),
    )


def _stop_if_cancelled() -> None:
    """End a task that was cancelled while Redis' client timed out: the client then tells only of the time-out."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


@dataclass(frozen=True, slots=True)
class Poller:
    """Asks again and again, until cancelled."""

    cluster: Cluster
    queues: Queues
    view: View
    settings: OperatorSettings
    metrics: Metrics
    on_change: Callable[[Key], None]

    async def count_queues(self) -> None:
        """Count each pool's queue every few seconds; its pool is told where something changed."""
        while True:
            pools = list(self.view.pools.items())
            # Some at once: a Redis that doesn't answer costs a time-out for each.
            for at in range(0, len(pools), _AT_ONCE):
                await asyncio.gather(*(self._count(key, manifest) for key, manifest in pools[at : at + _AT_ONCE]))
                _stop_if_cancelled()
            await asyncio.sleep(self.settings.poll_seconds)

    async def _count(self, key: Key, manifest: dict[str, object]) -> None:
        try:
            spec = read_worker_pool(manifest).spec
        except SettingsError:  # its reconcile says so
            return
        reading = await self.queues.read(spec.queue, spec.limits)
        if isinstance(reading, Unreadable):
            self.metrics.unreadable.inc()
        if key in self.view.pools and self.view.readings.get(key) != reading:
            self.view.readings[key] = reading
            self.on_change(key)

    async def find_kinds(self, on_found: Callable[[], None]) -> None:
        """Look for kinds that the cluster learns or loses; `on_found` is called, and every pool is told."""
        while True:
            await asyncio.sleep(CAPABILITIES_SECONDS)
            try:
                found = await find_capabilities(self.cluster)
            except ClusterError as error:
                log.warning("kinds.unknown", reason=str(error))
                continue
            if found != self.view.capabilities:
                log.info("kinds.changed", **found.model_dump())
                self.view.capabilities = found
                on_found()
                for key in list(self.view.pools):
                    self.on_change(key)

    async def resync(self) -> None:
        """List everything now and then, as a watch can lose an event; every pool is told."""
        while True:
            await asyncio.sleep(self.settings.resync_seconds)
            try:
                keys = await self.relist()
            except ClusterError as error:
                log.warning("resync.failed", reason=str(error))
                continue
            for key in keys:
                self.on_change(key)

    async def relist(self) -> set[Key]:
        """List everything; returns every pool's key. Raises ClusterError."""
        self.view.begin_listing()
        places = self.settings.watch_namespaces or (None,)
        pools = [
            pool for place in places for pool in await self.cluster.list("edworkers.dev/v1alpha1", "WorkerPool", place)
        ]
        children = [
            child
            for kind in known_kinds(self.view.capabilities)
            for place in places
            for child in await self.cluster.list(kind.api_version, kind.kind, place, POOL_LABEL)
        ]
        pods = [pod for place in places for pod in await self.cluster.list("v1", "Pod", place, POOL_LABEL)]
        return self.view.relist(pools, children, pods)
