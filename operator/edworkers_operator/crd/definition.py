"""The CustomResourceDefinition itself: names, columns, subresources and the schema with its rules."""

import hashlib
import json
from typing import Any, cast

from pydantic import BaseModel

from edworkers_operator.crd.descriptions import summary
from edworkers_operator.crd.rules import LIST_KEYS, PATTERNS, RULES, Rule
from edworkers_operator.crd.structural import Schema, structural
from edworkers_operator.pool_status import WorkerPoolStatus
from edworkers_operator.workerpool import WorkerPool, WorkerPoolSpec

GROUP = "edworkers.dev"
VERSION = "v1alpha1"
NAME = f"workerpools.{GROUP}"
HASH_ANNOTATION = "edworkers.dev/schema-hash"
"""By this annotation the operator sees whether the CRD of the cluster is the one it was built for."""

_READY = '.status.conditions[?(@.type=="Ready")]'
_COLUMNS = (
    ("Queue", "string", ".spec.queue", 0, "The queue whose jobs the pool runs"),
    ("Ready", "string", f"{_READY}.status", 0, "Whether the pool does what its spec says"),
    ("Reason", "string", f"{_READY}.reason", 0, "Why it is ready or not"),
    ("Replicas", "integer", ".status.replicas", 0, "Pods there are"),
    ("Pending", "integer", ".status.queue.pending", 0, "Jobs that wait"),
    ("Inflight", "integer", ".status.queue.inflight", 0, "Jobs that a runner holds"),
    ("Dead", "integer", ".status.queue.dead", 0, "Dead letters"),
    ("Age", "date", ".metadata.creationTimestamp", 0, "Time since the pool was made"),
    ("Min", "integer", ".spec.autoscaling.minReplicas", 1, "The fewest pods"),
    ("Max", "integer", ".spec.autoscaling.maxReplicas", 1, "The most pods"),
)


def make_crd() -> dict[str, Any]:
    """Make the CustomResourceDefinition as a plain object."""
    spec = _make_spec()
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": NAME,
            "labels": {"app.kubernetes.io/name": "edworkers", "app.kubernetes.io/component": "crd"},
            "annotations": {HASH_ANNOTATION: _hash(spec)},
        },
        "spec": spec,
    }


def hash_of_crd() -> str:
    """Give the annotation's value on the CRD that this operator was built for."""
    return _hash(_make_spec())


def _hash(spec: Schema) -> str:
    text = json.dumps(_without_descriptions(spec), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without_descriptions(node: Schema) -> Schema:
    """Leave out what changes nothing for the operator, so that better words alone make no other CRD."""
    # A field may be called description too: it has a schema, and no text.
    return {key: _bare(part) for key, part in node.items() if (key, type(part)) != ("description", str)}


def _bare(value: object) -> object:
    if isinstance(value, list):
        return [_bare(part) for part in cast("list[object]", value)]
    return _without_descriptions(cast("Schema", value)) if isinstance(value, dict) else value


def _make_spec() -> Schema:
    return {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {
            "kind": "WorkerPool",
            "listKind": "WorkerPoolList",
            "plural": "workerpools",
            "singular": "workerpool",
            "shortNames": ["wp"],
            "categories": ["edworkers"],
        },
        "versions": [
            {
                "name": VERSION,
                "served": True,
                "storage": True,
                "additionalPrinterColumns": [_column(*column) for column in _COLUMNS],
                "subresources": {
                    "status": {},
                    "scale": {
                        "specReplicasPath": ".spec.replicas",
                        "statusReplicasPath": ".status.replicas",
                        "labelSelectorPath": ".status.selector",
                    },
                },
                "schema": {"openAPIV3Schema": _telling_defaults(make_schema())},
            }
        ],
    }


def _column(name: str, kind: str, path: str, priority: int, description: str) -> Schema:
    column: Schema = {"name": name, "type": kind, "jsonPath": path, "description": description}
    # The API server drops a 0, and a list that differs from what it keeps is a conflict with whoever applied it.
    return {**column, "priority": priority} if priority else column


def make_schema() -> Schema:
    """Make the schema of the resource, with its rules."""
    whole = {
        "type": "object",
        "description": summary(WorkerPool),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}."},
            "kind": {"type": "string", "description": "WorkerPool."},
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
            "spec": _of(WorkerPoolSpec),
            "status": _of(WorkerPoolStatus),
        },
    }
    unused = {*RULES, *LIST_KEYS, *PATTERNS}
    _add_rules(whole, "", unused)
    if unused:
        raise ValueError(f"no field is at {', '.join(sorted(unused))}")
    return whole


def _telling_defaults(node: Schema) -> Schema:
    """Add defaults to the descriptions: `kubectl explain` doesn't show them by itself."""
    made = {
        key: _telling_defaults(cast("Schema", part)) if isinstance(part, dict) else part for key, part in node.items()
    }
    if "default" in node and "description" in node:
        value = node["default"]
        shown = str(value).lower() if isinstance(value, bool) else value
        made["description"] = f"{node['description']} Default: {shown}."
    return made


def _of(model: type[BaseModel]) -> Schema:
    return {**structural(model), "description": summary(model)}


def _add_rules(node: Schema, place: str, unused: set[str]) -> None:
    """Add what the tables of rules say of this place and of those below it, and cross it out in `unused`."""
    rules = [*_pattern_rule(node, place), *RULES.get(place, ())]
    if rules:
        node["x-kubernetes-validations"] = [_validation(rule) for rule in rules]
    if place in LIST_KEYS:
        node |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [LIST_KEYS[place]]}
    unused.discard(place)
    for below, part in _parts(node, place):
        _add_rules(part, below, unused)


def _validation(rule: Rule) -> Schema:
    made = {"rule": rule.cel, "message": rule.message}
    return {**made, "fieldPath": rule.field} if rule.field else made


def _pattern_rule(node: Schema, place: str) -> list[Rule]:
    if place not in PATTERNS:
        return []
    pattern = node.pop("pattern")
    value = "string(self)" if "x-kubernetes-int-or-string" in node else "self"
    return [Rule(f"{value}.matches(r'{pattern}')", PATTERNS[place])]


def _parts(node: Schema, place: str) -> list[tuple[str, Schema]]:
    parts = [(f"{place}.{name}".removeprefix("."), part) for name, part in node.get("properties", {}).items()]
    if "items" in node:
        parts.append((f"{place}[]", node["items"]))
    if "additionalProperties" in node:
        parts.append((f"{place}{{}}", node["additionalProperties"]))
    return parts
