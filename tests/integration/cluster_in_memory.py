"""As much of an API server as a reconcile needs: objects are made of what each manager applied, as real ones are."""

from copy import deepcopy
from typing import Any

from edworkers_operator.cluster import ClusterError, Manifest
from edworkers_operator.naming import FIELD_MANAGER

Place = tuple[str, str]


class Stored:
    """One object: who applied what, the last one's word counting; and what controllers wrote besides."""

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self.by: dict[str, Manifest] = {}
        self.besides: Manifest = {}
        self.finalizers: list[str] = []

    def read(self, version: int) -> Manifest:
        whole: Manifest = {}
        for part in (*self.by.values(), self.besides):
            whole = _merged(whole, part)
        if whole["kind"] == "Deployment":
            whole["spec"].setdefault("replicas", 1)
        known = {
            "uid": self.uid,
            "resourceVersion": str(version),
            "managedFields": [
                {"manager": name, "operation": "Apply", "fieldsV1": _fields(part)} for name, part in self.by.items()
            ],
        }
        if self.finalizers:
            known["finalizers"] = self.finalizers
        return {**whole, "metadata": {**whole["metadata"], **known}}


class ClusterInMemory:
    """The verbs of `Cluster` on objects in memory. `refuses` names kinds that nobody may apply."""

    def __init__(self) -> None:
        self.objects: dict[Place, Stored] = {}
        self.calls: list[str] = []
        self.events: list[Manifest] = []
        self.refuses: dict[str, int] = {}
        self._version = 0

    def read(self, kind: str, name: str) -> Manifest | None:
        stored = self.objects.get((kind, name))
        return stored.read(self._version) if stored else None

    async def get(self, _api_version: str, kind: str, _namespace: str | None, name: str) -> Manifest | None:
        return self.read(kind, name)

    async def apply(self, manifest: Manifest, manager: str = FIELD_MANAGER, subresource: str = "") -> Manifest:
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        self.calls.append(f"apply {kind}{subresource and f'/{subresource}'}")
        if kind in self.refuses:
            raise ClusterError(self.refuses[kind], f"{kind} is refused")
        self._version += 1
        stored = self.objects.setdefault((kind, name), Stored(f"uid-{self._version}"))
        owner = f"{manager}{subresource and f'/{subresource}'}"
        stored.by.pop(owner, None)
        stored.by[owner] = deepcopy(manifest)
        if manifest.keys() == {"apiVersion", "kind", "metadata"} and kind == "Deployment":
            del stored.by[owner]  # who owns nothing is forgotten
        return stored.read(self._version)

    async def patch(self, found: Manifest, change: Manifest) -> None:
        self.calls.append(f"patch {found['kind']}")
        stored = self.objects[found["kind"], found["metadata"]["name"]]
        metadata = change["metadata"]
        if "managedFields" in metadata:
            names = [entry["manager"] for entry in metadata["managedFields"]]
            stored.by = dict(zip(names, stored.by.values(), strict=True))
        if "finalizers" in metadata:
            stored.finalizers = metadata["finalizers"]
        if "annotations" in metadata:
            stored.besides = _merged(stored.besides, {"metadata": {"annotations": metadata["annotations"]}})

    async def create(self, manifest: Manifest) -> None:
        self.events.append(manifest)

    async def delete(self, found: Manifest) -> None:
        self.calls.append(f"delete {found['kind']}")
        del self.objects[found["kind"], found["metadata"]["name"]]


def _merged(one: Manifest, other: Manifest) -> Manifest:
    both = deepcopy(one)
    for name, value in other.items():
        old = both.get(name)
        both[name] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else deepcopy(value)
    return both


def _fields(value: Any) -> Manifest:
    return {f"f:{name}": _fields(part) for name, part in value.items()} if isinstance(value, dict) else {}
