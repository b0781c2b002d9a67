"""From what a pool should be and what was found to the steps that make it so.

Pure. What is applied carries a hash of itself, so that a field that is no longer wanted is noticed as well as one that
somebody changed.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from edworkers_operator.naming import FIELD_MANAGER

APPLIED = "edworkers.dev/applied"
"""Annotation: the hash of what was applied."""

FIRST_REPLICAS_MANAGER = f"{FIELD_MANAGER}-first-replicas"
"""Holds a Deployment's number of pods until whoever scales it writes one."""

_OURS = frozenset({FIELD_MANAGER, FIRST_REPLICAS_MANAGER})
_RESTART = ("f:spec", "f:template", "f:metadata", "f:annotations", "f:kubectl.kubernetes.io/restartedAt")
"""By this annotation `kubectl rollout restart` and others restart pods: a wish of the user, not damage."""

Manifest = dict[str, Any]


class ChildId(NamedTuple):
    """Which of a pool's objects."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply an object server-side."""

    manifest: Manifest
    why: str
    """`create`, `change`, or `repair` where somebody else changed it."""
    gives_replicas_away: bool = False
    """A Deployment that somebody else scales from now on: without help the API server would make it one pod."""
    managers: tuple[str, ...] = ()
    """Who edited it, where that is known."""


@dataclass(frozen=True, slots=True)
class Evict:
    """Take back fields that somebody else added to an object's spec."""

    found: Manifest
    managers: tuple[str, ...] = ()
    """Who did, where that isn't told by another step."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an object that the pool no longer needs."""

    found: Manifest


Step = Apply | Evict | Delete


def id_of(manifest: Mapping[str, Any]) -> ChildId:
    """Name an object within its namespace."""
    return ChildId(manifest["kind"], manifest["metadata"]["name"])


def plan(desired: Sequence[Manifest], found: Mapping[ChildId, Manifest]) -> list[Step]:
    """Say what is to be done, in order: what is missing or different is applied, what is left over is deleted."""
    steps: list[Step] = []
    for manifest in desired:
        steps += _plan_one(_marked(manifest), found.get(id_of(manifest)))
    wanted = {id_of(manifest) for manifest in desired}
    steps += [Delete(child) for child_id, child in found.items() if child_id not in wanted and not _is_going(child)]
    return steps


def _plan_one(manifest: Manifest, found: Manifest | None) -> list[Step]:
    if found is None:
        return [Apply(manifest, "create", gives_replicas_away=_is_scaled_by_others(manifest))]
    if _is_going(found):
        return []
    if found["metadata"].get("annotations", {}).get(APPLIED) != manifest["metadata"]["annotations"][APPLIED]:
        return [
            Apply(manifest, "change", gives_replicas_away=_is_scaled_by_others(manifest) and _holds_replicas(found))
        ]
    strangers = managers_of_added_fields(found)
    if covers(manifest, found):
        return [Evict(found, strangers)] if strangers else []
    # In this order: a field of ours that they wrote over is ours again, and isn't removed with theirs.
    return [Apply(manifest, "repair", managers=strangers), *([Evict(found)] if strangers else [])]


def _is_scaled_by_others(manifest: Manifest) -> bool:
    return manifest["kind"] == "Deployment" and "replicas" not in manifest["spec"]


def _holds_replicas(found: Manifest) -> bool:
    return any(
        entry.get("manager") == FIELD_MANAGER and "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {})
        for entry in found["metadata"].get("managedFields", ())
    )


def _is_going(found: Mapping[str, Any]) -> bool:
    return "deletionTimestamp" in found["metadata"]


def _marked(manifest: Manifest) -> Manifest:
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    metadata = manifest["metadata"]
    return {
        **manifest,
        "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), APPLIED: digest}},
    }


def covers(desired: Any, found: Any) -> bool:
    """Say whether all that is desired was found; what the API server adds by itself may be there besides.

    A list must have as many members: one that somebody added to it is a difference.
    """
    kinds: set[Any] = {type(desired), type(found)}
    if kinds == {dict}:
        return all(name in found and covers(value, found[name]) for name, value in desired.items())
    if kinds == {list}:
        return len(desired) == len(found) and all(map(covers, desired, found))
    return bool(desired == found)


def managers_of_added_fields(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Name who else owns fields of an object's spec, besides its scale and a wished restart.

    Controllers write through subresources (`status`, `scale`), or into the metadata.
    """
    return tuple(entry["manager"] for entry in found["metadata"].get("managedFields", ()) if is_stranger(entry))


def is_stranger(entry: Mapping[str, Any]) -> bool:
    """Say whether an entry of `managedFields` is of somebody who edited the spec."""
    if entry.get("manager") in _OURS or entry.get("subresource"):
        return False
    return any(path[0] == "f:spec" and path != _RESTART for path in _paths(entry.get("fieldsV1", {})))


def _paths(fields: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Give the paths of the fields that an entry of `managedFields` names."""
    for name, below in fields.items():
        if below:
            yield from _paths(below, (*above, name))
        elif name != ".":
            yield (*above, name)
