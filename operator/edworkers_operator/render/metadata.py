"""What every object of a pool has at its head: name, labels, and the pool as its owner."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from edworkers_operator.naming import Kind, child_name, labels
from edworkers_operator.workerpool import WorkerPool


def head(
    kind: Kind, pool: WorkerPool, owner: Mapping[str, Any] | None, *, name: str = "", component: str = "runner"
) -> dict[str, Any]:
    """Begin an object; without a name of its own it has the one that a pool's objects share.

    The pool is its owner where its `uid` is known, and takes the object along when it is deleted.
    """
    metadata: dict[str, Any] = {
        "name": name or child_name(pool),
        "namespace": pool.metadata.namespace,
        "labels": labels(pool, component),
    }
    if owner is not None:
        metadata["ownerReferences"] = [
            {
                "apiVersion": pool.api_version,
                "kind": pool.kind,
                "name": pool.metadata.name,
                "uid": owner["uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}


def without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what says nothing: the API server would not keep it. False and 0 say something."""
    return {name: value for name, value in fields.items() if value not in (None, "", (), [], {})}


def as_kept(value: Any) -> Any:
    """Leave out what the API server drops from what a user wrote: no value, empty text, empty lists.

    An object stays though nothing is in it, for it may mean everything, as an empty selector does.
    """
    if isinstance(value, Mapping):
        fields = {name: as_kept(part) for name, part in cast("Mapping[str, Any]", value).items()}
        return {name: part for name, part in fields.items() if not _is_dropped(name, part)}
    if isinstance(value, list | tuple):
        return [as_kept(part) for part in cast("Sequence[Any]", value)]
    return value


def _is_dropped(name: str, value: object) -> bool:
    return value in (None, "", []) or (name == "matchLabels" and not value)
