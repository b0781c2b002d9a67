"""What the operator knows of the cluster and of the queues, kept up to date by whoever watches them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from edworkers_operator.naming import POOL_LABEL
from edworkers_operator.plan import ChildId, id_of
from edworkers_operator.queue_reading import QueueReading, Unreadable
from edworkers_operator.settings import Capabilities

Manifest = dict[str, Any]


class Key(NamedTuple):
    """Names a pool."""

    namespace: str
    name: str


@dataclass(slots=True)
class View:
    """Pools, what belongs to them, and their queues as last counted."""

    pools: dict[Key, Manifest] = field(default_factory=dict[Key, Manifest])
    children: dict[Key, dict[ChildId, Manifest]] = field(default_factory=dict[Key, dict[ChildId, Manifest]])
    pods: dict[Key, dict[str, Manifest]] = field(default_factory=dict[Key, dict[str, Manifest]])
    readings: dict[Key, QueueReading | Unreadable] = field(default_factory=dict[Key, QueueReading | Unreadable])
    capabilities: Capabilities = field(default_factory=Capabilities)
    places: tuple[str, ...] = ()
    """Of the namespaces that are to be watched those that can be; empty where the whole cluster is."""
    draining: set[Key] = field(default_factory=set[Key])
    """Deleted pools whose queues are counted anew since they were seen to be deleted."""
    _told: set[tuple[str, str, str]] | None = None
    """While everything is being listed: what was told meanwhile."""

    def saw_pool(self, manifest: Manifest, *, gone: bool) -> Key:
        """Take in a pool as a watch tells it."""
        key = Key(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        self._take_in(self.pools, key, manifest, gone=gone)
        if key not in self.pools:
            self.readings.pop(key, None)
            self.draining.discard(key)
        return key

    def saw_child(self, manifest: Manifest, *, gone: bool) -> Key | None:
        """Take in an object that belongs to a pool; None where it belongs to none."""
        key = owner_of(manifest)
        if key is None:
            return None
        children = self.children.setdefault(key, {})
        self._take_in(children, id_of(manifest), manifest, gone=gone)
        if not children:
            del self.children[key]
        return key

    def saw_pod(self, manifest: Manifest, *, gone: bool) -> Key | None:
        """Take in a pod of a pool; None where it belongs to none."""
        key = owner_of(manifest)
        if key is None:
            return None
        pods = self.pods.setdefault(key, {})
        self._take_in(pods, manifest["metadata"]["name"], manifest, gone=gone)
        if not pods:
            del self.pods[key]
        return key

    def begin_listing(self) -> None:
        """Remember from now on what is told: it will be newer than what is being listed."""
        self._told = set()

    def relist(self, pools: Iterable[Manifest], children: Iterable[Manifest], pods: Iterable[Manifest]) -> set[Key]:
        """Take in everything there is, in place of what a watch may have missed; returns every pool's key."""
        told = self._told or set()
        self._told = None
        before = (
            list(self.pools.values()),
            [child for of_pool in self.children.values() for child in of_pool.values()],
            [pod for of_pool in self.pods.values() for pod in of_pool.values()],
        )
        self.pools, self.children, self.pods = {}, {}, {}
        takers = (self.saw_pool, self.saw_child, self.saw_pod)
        for take, known, listed in zip(takers, before, (pools, children, pods), strict=True):
            newer = [manifest for manifest in known if _place(manifest) in told]
            for manifest in [*newer, *(manifest for manifest in listed if _place(manifest) not in told)]:
                take(manifest, gone=False)
        return set(self.pools) | set(self.children)

    def _take_in(self, among: dict[Any, Manifest], at: Any, manifest: Manifest, *, gone: bool) -> None:
        if self._told is not None:
            self._told.add(_place(manifest))
        if gone:
            among.pop(at, None)
        elif at not in among or not _is_older(manifest, among[at]):
            among[at] = manifest


def _place(manifest: Mapping[str, Any]) -> tuple[str, str, str]:
    return manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def _is_older(manifest: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Say whether a watch tells late what the answer to a call of ours told already: versions of one object grow."""
    new, old = manifest["metadata"], known["metadata"]
    return new.get("uid") == old.get("uid") and int(new.get("resourceVersion", 0)) < int(old.get("resourceVersion", 0))


def owner_of(manifest: Mapping[str, Any]) -> Key | None:
    """Tell by its label to which pool an object belongs."""
    pool = manifest["metadata"].get("labels", {}).get(POOL_LABEL)
    return Key(manifest["metadata"]["namespace"], pool) if pool else None


def version_of(manifest: Mapping[str, Any]) -> tuple[str, int] | None:
    """Tell which pool it is and which version of its spec: a status makes no new one. None where that isn't known."""
    metadata = manifest["metadata"]
    return (metadata["uid"], metadata["generation"]) if {"uid", "generation"} <= metadata.keys() else None
