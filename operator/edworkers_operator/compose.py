"""Puts the operator together and runs it until it is stopped."""

import asyncio
import secrets
import time
from typing import Any

import structlog

from edworkers_operator.cluster import Cluster, ClusterError, open_api
from edworkers_operator.crd import GROUP, HASH_ANNOTATION, NAME, VERSION, hash_of_crd
from edworkers_operator.health import serve
from edworkers_operator.keeper_config import keeper_config
from edworkers_operator.leader import Lease, lead
from edworkers_operator.metrics import Metrics
from edworkers_operator.poll import Poller, find_capabilities
from edworkers_operator.queues import Queues, connect
from edworkers_operator.reconcile import Reconciler, utc_now
from edworkers_operator.settings import OperatorSettings
from edworkers_operator.view import Key, View, version_of
from edworkers_operator.watch import watch
from edworkers_operator.work_queue import WorkQueue

log: structlog.stdlib.BoundLogger = structlog.get_logger("edworkers.operator")

WORKERS = 4
REST_SECONDS = 1.0
"""Between two reconciles of one pool."""
_KEEPER_SECONDS = 2.0
_CRD_SECONDS = 2.0
_WATCH_SECONDS = 2.0
_ENDS = 5


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """Somebody asked the operator to end."""


class Operator:
    """The active part, from the moment it holds the Lease."""

    def __init__(self, cluster: Cluster, queues: Queues, settings: OperatorSettings, metrics: Metrics) -> None:
        self.view = View()
        self._cluster = cluster
        self._settings = settings
        self._metrics = metrics
        self._reconciler = Reconciler(cluster, self.view, settings, now=utc_now, new_name=_new_name)
        self._work: WorkQueue[Key] = WorkQueue(self._reconcile, self._failed, REST_SECONDS)
        self._poller = Poller(cluster, queues, self.view, settings, metrics, self._work.add)
        self._kinds_changed = asyncio.Event()
        self._kept: list[tuple[str, int] | None] | None = None
        """Which versions of the pools the keeper was told of."""
        metrics.watch(lambda: self._work.depth, lambda: self.view.pools)

    async def run(self) -> None:
        """Work until cancelled. Raises ClusterError where the API server can't even be asked what it knows."""
        self._metrics.leads.set(1)
        self.view.capabilities = await find_capabilities(self._cluster)
        log.info("operator.active", **self.view.capabilities.model_dump())
        # Before anything is done: to a pool whose objects aren't known yet, all of them would seem to be missing.
        for key in await self._poller.relist():
            self._work.add(key)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._work.run(WORKERS))
            group.create_task(self._poller.count_queues())
            group.create_task(self._poller.resync())
            group.create_task(self._poller.find_kinds(self._kinds_changed.set))
            group.create_task(self._watch())
            group.create_task(self._keep_keeper_told())

    async def _watch(self) -> None:
        """Watch, and begin anew where the cluster learned or lost a kind, or a watch failed."""
        while True:
            await self._watch_once()
            try:
                self.view.capabilities = await find_capabilities(self._cluster)
                for key in await self._poller.relist():
                    self._work.add(key)
            except ClusterError as error:
                log.warning("relist.failed", reason=str(error), then="trying again")

    async def _watch_once(self) -> None:
        self._kinds_changed.clear()
        changed = asyncio.ensure_future(self._kinds_changed.wait())
        if self._settings.watch_namespaces and not self.view.places:
            await changed  # there is nothing that may be watched
            return
        watching = asyncio.ensure_future(watch(self.view, self._work.add, self.view.places, self._settings.identity))
        try:
            await asyncio.wait({watching, changed}, return_when=asyncio.FIRST_COMPLETED)
            if not watching.done():
                return
            if (error := watching.exception()) is None:
                raise Stopped  # kopf takes the signals for itself, and ends by them
            log.warning("watch.failed", reason=str(error) or type(error).__name__, then="watching anew")
            await asyncio.sleep(_WATCH_SECONDS)
        finally:
            await _end(watching, changed)

    async def _reconcile(self, key: Key) -> float | None:
        began = time.monotonic()
        again = await self._reconciler.reconcile(key)
        self._metrics.reconcile_duration.observe(time.monotonic() - began)
        self._metrics.reconciles.labels("done").inc()
        return again

    def _failed(self, key: Key, error: Exception) -> None:
        self._metrics.reconciles.labels("failed").inc()
        expected = isinstance(error, ClusterError)
        log.warning(
            "reconcile.failed",
            namespace=key.namespace,
            pool=key.name,
            reason=str(error) or type(error).__name__,
            then="trying again",
            exc_info=None if expected else error,
        )

    async def _keep_keeper_told(self) -> None:
        told = 0.0
        while self._settings.keeper_config:
            # Somebody may have edited or deleted it.
            is_old = time.monotonic() - told > self._settings.resync_seconds
            pools = list(self.view.pools.values())
            versions = [version_of(manifest) for manifest in pools]
            if is_old or versions != self._kept:
                try:
                    await self._cluster.apply(
                        keeper_config(pools, self._settings.namespace, self._settings.keeper_config)
                    )
                    self._kept, told = versions, time.monotonic()
                except ClusterError as error:
                    log.warning("keeper.untold", reason=str(error), then="trying again")
            await asyncio.sleep(_KEEPER_SECONDS)


async def _end(*tasks: asyncio.Future[Any]) -> None:
    """End tasks that may lose a cancellation; one that won't end at all is worth ending the operator for."""
    for _ in range(_ENDS):
        for task in tasks:
            task.cancel()
        _, left = await asyncio.wait(tasks, timeout=_WATCH_SECONDS)
        if not left:
            return
    raise TimeoutError("a watch can't be ended")


def _new_name() -> str:
    return f"{time.time_ns() // 1_000_000:011x}{secrets.token_hex(4)}"


async def run_operator(settings: OperatorSettings) -> None:
    """Serve the endpoints, wait for the Lease, and work until cancelled.

    Raises LeaseLostError, ClusterError, and OSError where the endpoints can't be served.
    """
    metrics = Metrics()
    async with open_api() as api:
        cluster = Cluster(api)
        queues = Queues(connect(settings.render.redis, settings.redis_password))
        try:
            # It answers from the loop that does the work: where that stands still, so do the answers.
            async with serve(settings.health_port, metrics.registry) as port:
                log.info("operator.started", identity=settings.identity, port=port)
                metrics.crd_matches.set(await _check_crd(cluster))
                operator = Operator(cluster, queues, settings, metrics)
                lease = Lease(cluster, settings.lease, settings.namespace, settings.identity)
                await lead(lease, operator.run)
        finally:
            await queues.close()


async def _check_crd(cluster: Cluster) -> bool:
    """Wait until the cluster knows WorkerPools, and say whether as this operator was built for.

    Another CRD is told, and worked with: after a rollback the newer one stays, and it knows all that we know.
    """
    await _wait_for_crd(cluster)
    try:
        found = await cluster.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, NAME) or {}
    except ClusterError as error:
        log.warning("crd.unreadable", reason=str(error), then="going on as if it were the right one")
        return False
    theirs = found.get("metadata", {}).get("annotations", {}).get(HASH_ANNOTATION)
    if theirs != hash_of_crd():
        log.warning("crd.differs", crd=NAME, found=theirs, built_for=hash_of_crd(), hint="is its upgrade done?")
    return bool(theirs == hash_of_crd())


async def _wait_for_crd(cluster: Cluster) -> None:
    fault = ""
    while True:
        try:
            if NAME.partition(".")[0] in await cluster.kinds(f"{GROUP}/{VERSION}"):
                return
            found = f"the cluster has no CRD {NAME}: kubectl apply -f manifests/crd.yaml"
        except ClusterError as error:
            found = str(error)
        if found != fault:
            fault = found
            log.error("crd.missing", reason=found, then="waiting for it")
        await asyncio.sleep(_CRD_SECONDS)
