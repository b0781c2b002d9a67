"""What no watch tells: counts of the queues, kinds that the cluster learns, and what a watch may have missed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from edworkers.core.errors import SettingsError
from edworkers_operator.cluster import Cluster, ClusterError
from edworkers_operator.metrics import Metrics
from edworkers_operator.naming import POD_MONITOR, POOL_LABEL, SCALED_OBJECT, TRIGGER_AUTHENTICATION, known_kinds
from edworkers_operator.queue_reading import Unreadable
from edworkers_operator.queues import Queues
from edworkers_operator.settings import Capabilities, OperatorSettings
from edworkers_operator.view import Key, View, version_of
from edworkers_operator.workerpool import WorkerPoolSpec, read_worker_pool

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
    _specs: dict[Key, tuple[tuple[str, int] | None, WorkerPoolSpec | None]] = field(default_factory=dict[Any, Any])

    async def count_queues(self) -> None:
        """Count each pool's queue every few seconds; its pool is told where something changed."""
        while True:
            pools = list(self.view.pools.items())
            # Some at once: a Redis that doesn't answer costs a time-out for each.
            for at in range(0, len(pools), _AT_ONCE):
                await asyncio.gather(*(self._count(key, manifest) for key, manifest in pools[at : at + _AT_ONCE]))
                _stop_if_cancelled()
            await asyncio.sleep(self.settings.poll_seconds)

    async def _count(self, key: Key, manifest: dict[str, Any]) -> None:
        spec = self._spec_of(key, manifest)
        if spec is None:
            return
        reading = await self.queues.read(spec.queue, spec.limits)
        if isinstance(reading, Unreadable):
            self.metrics.unreadable.inc()
        if key in self.view.pools and self.view.readings.get(key) != reading:
            self.view.readings[key] = reading
            self.on_change(key)

    def _spec_of(self, key: Key, manifest: dict[str, Any]) -> WorkerPoolSpec | None:
        """Give a pool's spec, which is read once a version; None where it can't be used, as its reconcile says."""
        version = version_of(manifest)
        if version is None or self._specs.get(key, (None, None))[0] != version:
            try:
                self._specs[key] = (version, read_worker_pool(manifest).spec)
            except SettingsError:
                self._specs[key] = (version, None)
        return self._specs[key][1]

    async def find_kinds(self, on_found: Callable[[], None]) -> None:
        """Look for kinds that the cluster learns or loses, and for namespaces that open or close.

        `on_found` is called then, and every pool is told.
        """
        while True:
            await asyncio.sleep(CAPABILITIES_SECONDS)
            try:
                found, places = await find_capabilities(self.cluster), await self._find_places()
            except ClusterError as error:
                log.warning("kinds.unknown", reason=str(error))
                continue
            if (found, places) != (self.view.capabilities, self.view.places):
                log.info("kinds.changed", **found.model_dump(), namespaces=places)
                self.view.capabilities, self.view.places = found, places
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
        self.view.places = await self._find_places()
        pools = await self._list("edworkers.dev/v1alpha1", "WorkerPool")
        children = [
            child
            for kind in known_kinds(self.view.capabilities)
            for child in await self._list(kind.api_version, kind.kind, POOL_LABEL)
        ]
        pods = await self._list("v1", "Pod", POOL_LABEL)
        return self.view.relist(pools, children, pods)

    async def _list(self, api_version: str, kind: str, selector: str = "") -> list[dict[str, Any]]:
        places = self.view.places if self.settings.watch_namespaces else (None,)
        return [found for place in places for found in await self.cluster.list(api_version, kind, place, selector)]

    async def _find_places(self) -> tuple[str, ...]:
        """Give those of the namespaces that it is to watch in which it may: one that is gone leaves the others."""
        places: list[str] = []
        for namespace in self.settings.watch_namespaces:
            try:
                await self.cluster.list("edworkers.dev/v1alpha1", "WorkerPool", namespace)
            except ClusterError as error:
                if error.status != 403:
                    raise
                if namespace in self.view.places or not self.view.places:
                    log.warning("namespace.closed", namespace=namespace, reason=str(error), then="serving the others")
            else:
                places.append(namespace)
        return tuple(places)
