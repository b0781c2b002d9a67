"""Makes the cluster what a pool says: one function for every cause, which begins each time from what is there now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from edworkers.core.errors import SettingsError
from edworkers_operator.cluster import Cluster, ClusterError
from edworkers_operator.drain import FINALIZER, drain_of, is_deleted, with_finalizer
from edworkers_operator.events import Note, event, notes_on
from edworkers_operator.naming import FIELD_MANAGER
from edworkers_operator.plan import FIRST_REPLICAS_MANAGER, Apply, Delete, Evict, Step, covers, is_stranger, plan
from edworkers_operator.queue_reading import COST, QueueReading, deletion_costs
from edworkers_operator.render.pool import render
from edworkers_operator.settings import OperatorSettings
from edworkers_operator.status import Found, stalled_status, status_of
from edworkers_operator.view import Key, View
from edworkers_operator.workerpool import WorkerPool, read_worker_pool

log: structlog.stdlib.BoundLogger = structlog.get_logger("edworkers.operator")

Manifest = dict[str, Any]

_REPAIRER = f"{FIELD_MANAGER}-repair"
_REFUSED = frozenset({400, 403, 404, 422})
"""Answers that a repetition alone won't change; they are shown in the pool's status."""


@dataclass(frozen=True, slots=True)
class Reconciler:
    """What it needs to work on any pool."""

    cluster: Cluster
    view: View
    settings: OperatorSettings
    now: Callable[[], datetime]
    new_name: Callable[[], str]

    async def reconcile(self, key: Key) -> float | None:
        """Make the cluster what the pool says; returns after how many seconds to look again without a cause.

        Raises ClusterError where the API server can't be reached or is overloaded.
        """
        manifest = self.view.pools.get(key)
        if manifest is None:  # what it owned goes with it
            return None
        if is_deleted(manifest):
            return await self._let_go(key, manifest)
        try:
            pool = read_worker_pool(manifest)
        except SettingsError as error:
            await self._write_status(manifest, stalled_status(manifest, error.faults, self.now()))
            return None
        reading = self.view.readings.get(key)
        await self._hold(pool, manifest)
        children = self.view.children.get(key, {})
        desired = render(pool, manifest["metadata"], self.settings.render, self.view.capabilities)
        refused = [fault for step in plan(desired, children) if (fault := await self._take(step, pool, manifest, key))]
        pods = list(self.view.pods.get(key, {}).values())
        if isinstance(reading, QueueReading):
            for pod, cost in deletion_costs(pods, reading.busy):
                await self.cluster.patch(pod, {"metadata": {"annotations": {COST: cost}}})
        found = Found(self.view.children.get(key, {}), pods, reading, tuple(refused), self.view.capabilities)
        await self._write_status(manifest, status_of(pool, manifest, found, self.now()))
        if refused:
            raise ClusterError(422, "; ".join(refused))
        return None

    async def _take(self, step: Step, pool: WorkerPool, manifest: Manifest, key: Key) -> str | None:
        """Take one step; returns why the API server refused it, if it did."""
        child = step.manifest if isinstance(step, Apply) else step.found
        what = f"{child['kind']} {child['metadata']['name']}"
        try:
            repaired = await self._act(step, pool)
        except ClusterError as error:
            if error.status not in _REFUSED:
                raise
            return f"{what}: {error}"
        log.info("child.changed", namespace=key.namespace, pool=key.name, child=what, step=_name(step))
        if repaired:
            await self._tell(manifest, [Note("Warning", "Repaired", f"{what} was edited by {repaired}, and put back")])
        return None

    async def _act(self, step: Step, pool: WorkerPool) -> str:
        """Take one step; returns whose edit it took back, if it was one."""
        if isinstance(step, Delete):
            await self.cluster.delete(step.found)
            return ""
        if isinstance(step, Evict):
            await self._evict(step.found)
            return ", ".join(step.managers)
        if step.why == "create":
            await self._check_that_it_is_free(step.manifest)
        if step.gives_replicas_away:
            await self._apply_scaled(step.manifest, pool.spec.scaling.min_replicas if pool.spec.scaling else 0)
            return ""
        applied = await self.cluster.apply(step.manifest)
        self.view.saw_child(applied, gone=False)
        # What the API server writes in another form than we do is no edit of anybody.
        is_mended = step.why == "repair" and covers(step.manifest, applied)
        return (", ".join(step.managers) or "somebody") if is_mended else ""

    async def _check_that_it_is_free(self, manifest: Manifest) -> None:
        """Raise ClusterError where there is an object of this name that is somebody else's: it isn't ours to change."""
        metadata = manifest["metadata"]
        there = await self.cluster.get(
            manifest["apiVersion"], manifest["kind"], metadata["namespace"], metadata["name"]
        )
        fault = fault_of_owner(manifest, there) if there is not None else None
        if fault is not None:
            raise fault

    async def _apply_scaled(self, manifest: Manifest, first: int) -> None:
        """Apply a Deployment with as many pods as it has, or a first number, and give that number away for good."""
        metadata = manifest["metadata"]
        there = await self.cluster.get(
            manifest["apiVersion"], manifest["kind"], metadata["namespace"], metadata["name"]
        )
        count = {"replicas": there["spec"]["replicas"] if there else first}
        if there is None:
            await self.cluster.apply({**manifest, "spec": {**manifest["spec"], **count}})
        await self.cluster.apply({**_identity(manifest), "spec": count}, FIRST_REPLICAS_MANAGER)
        self.view.saw_child(await self.cluster.apply(manifest), gone=False)

    async def _evict(self, found: Manifest) -> None:
        """Remove what others added to a spec.

        Server-side apply removes the fields that a manager applied and no longer applies. So the strangers' entries
        are written over to a manager of ours, which then applies nothing.
        """
        metadata = found["metadata"]
        # As it is by now: controllers write to it all the time, and a step before this one may have.
        fresh = await self.cluster.get(found["apiVersion"], found["kind"], metadata["namespace"], metadata["name"])
        if fresh is None or not any(map(is_stranger, fresh["metadata"]["managedFields"])):
            return
        metadata = fresh["metadata"]
        entries = [
            {**entry, "manager": f"{_REPAIRER}-{at}", "operation": "Apply"} if is_stranger(entry) else entry
            for at, entry in enumerate(metadata["managedFields"])
        ]
        await self.cluster.patch(
            found, {"metadata": {"managedFields": entries, "resourceVersion": metadata["resourceVersion"]}}
        )
        for entry in entries:
            if entry["manager"].startswith(_REPAIRER):
                left = await self.cluster.apply(_identity(found), entry["manager"])
                self.view.saw_child(left, gone=False)

    async def _hold(self, pool: WorkerPool, manifest: Manifest) -> None:
        """Put the finalizer on a pool whose jobs are to be done before it goes, and take it off any other."""
        wanted = with_finalizer(manifest, wanted=pool.spec.deletion_policy == "Drain")
        if wanted is not None:
            await self.cluster.patch(manifest, {"metadata": {"finalizers": wanted}})

    async def _let_go(self, key: Key, manifest: Manifest) -> float | None:
        """Let a deleted pool go once its queue is empty, or its time is up."""
        if FINALIZER not in manifest["metadata"].get("finalizers", ()):
            return None
        if key not in self.view.draining:
            # Jobs that came just before the deletion may not have been counted yet.
            self.view.draining.add(key)
            self.view.readings.pop(key, None)
        reading = self.view.readings.get(key)
        works = any(child.kind == "Deployment" for child in self.view.children.get(key, {}))
        state = drain_of(manifest, reading, self.now(), self.settings.drain_seconds, has_runners=works)
        if not state.is_over:
            return self.settings.poll_seconds
        await self._tell(manifest, [Note("Normal" if state.is_empty else "Warning", "Drained", state.message)])
        await self.cluster.patch(manifest, {"metadata": {"finalizers": with_finalizer(manifest, wanted=False)}})
        return None

    async def _write_status(self, manifest: Manifest, status: Manifest) -> None:
        before = manifest.get("status", {})
        if status == before:
            return
        identity = _identity(manifest)
        written = await self.cluster.apply({**identity, "status": status}, subresource="status")
        if Key(written["metadata"]["namespace"], written["metadata"]["name"]) in self.view.pools:  # it may have gone
            self.view.saw_pool(written, gone=False)
        await self._tell(manifest, notes_on(before.get("conditions", ()), status["conditions"]))

    async def _tell(self, manifest: Manifest, notes: Sequence[Note]) -> None:
        for note in notes:
            name = f"{manifest['metadata']['name']}.{self.new_name()}"
            try:
                await self.cluster.create(event(manifest, note, name, self.now()))
            except ClusterError as error:  # no pool waits for its events
                log.warning("event.lost", reason=note.reason, message=note.message, error=str(error))


def _identity(manifest: Manifest) -> Manifest:
    metadata = manifest["metadata"]
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
    }


def fault_of_owner(manifest: Manifest, there: Manifest) -> ClusterError | None:
    """Say why an object that is there can't become the one that is wanted; None where it can."""
    (ours,) = manifest["metadata"]["ownerReferences"]
    owner = next((known for known in there["metadata"].get("ownerReferences", ()) if known.get("controller")), None)
    if owner is None:
        managed = there["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") == FIELD_MANAGER
        taken = "this name is taken by an object that is not the operator's: rename the pool, or delete the object"
        return None if managed else ClusterError(403, taken)
    if owner["uid"] == ours["uid"]:
        return None
    if (owner["kind"], owner["name"]) == (ours["kind"], ours["name"]):
        return ClusterError(409, "it belongs to an earlier pool of this name, which is still being deleted")
    taken = f"this name is taken by an object of {owner['kind']} {owner['name']}: rename the pool or the schedule"
    return ClusterError(403, taken)


def _name(step: Step) -> str:
    return step.why if isinstance(step, Apply) else type(step).__name__.lower()


def utc_now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)
