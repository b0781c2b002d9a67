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

    def saw_pool(self, manifest: Manifest, *, gone: bool) -> Key:
        """Take in a pool as a watch tells it."""
        key = Key(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        if gone:
            self.pools.pop(key, None)
            self.readings.pop(key, None)
        else:
            self.pools[key] = manifest
        return key

    def saw_child(self, manifest: Manifest, *, gone: bool) -> Key | None:
        """Take in an object that belongs to a pool; None where it belongs to none."""
        key = owner_of(manifest)
        if key is None:
            return None
        children = self.children.setdefault(key, {})
        if gone:
            children.pop(id_of(manifest), None)
        else:
            children[id_of(manifest)] = manifest
        if not children:
            del self.children[key]
        return key

    def saw_pod(self, manifest: Manifest, *, gone: bool) -> Key | None:
        """Take in a pod of a pool; None where it belongs to none."""
        key = owner_of(manifest)
        if key is None:
            return None
        pods = self.pods.setdefault(key, {})
        if gone:
            pods.pop(manifest["metadata"]["name"], None)
        else:
            pods[manifest["metadata"]["name"]] = manifest
        if not pods:
            del self.pods[key]
        return key

    def relist(self, pools: Iterable[Manifest], children: Iterable[Manifest], pods: Iterable[Manifest]) -> set[Key]:
        """Take in everything there is, in place of what a watch may have missed; returns every pool's key."""
        self.pools, self.children, self.pods = {}, {}, {}
        for manifest in children:
            self.saw_child(manifest, gone=False)
        for manifest in pods:
            self.saw_pod(manifest, gone=False)
        for manifest in pools:
            self.saw_pool(manifest, gone=False)
        return set(self.pools) | set(self.children)


def owner_of(manifest: Mapping[str, Any]) -> Key | None:
    """Tell by its label to which pool an object belongs."""
    pool = manifest["metadata"].get("labels", {}).get(POOL_LABEL)
    return Key(manifest["metadata"]["namespace"], pool) if pool else None
