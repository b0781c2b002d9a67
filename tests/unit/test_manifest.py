"""One manifest drives a cluster and a machine: what the one acts on doesn't disturb the other."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from edworkers.core.manifest import CLUSTER_FIELDS, read_manifest
from edworkers.core.settings import PoolSpec
from edworkers.handlers import ai, webhook
from edworkers.ports import HandlerModule

EXAMPLES = Path(__file__).parents[2] / "manifests" / "examples"
SPEC: dict[str, Any] = {"queue": "night", "handlers": "school.night"}
POD: dict[str, Any] = {
    "affinity": {"podAntiAffinity": {}},
    "deletionPolicy": "Drain",
    "env": [{"name": "GEMINI_API_KEY", "valueFrom": {"secretKeyRef": {"name": "gemini", "key": "key"}}}],
    "envFrom": [{"secretRef": {"name": "school"}}],
    "image": "school/workers:1.2.3",
    "nodeSelector": {"disk": "fast"},
    "podAnnotations": {"a": "b"},
    "podLabels": {"team": "school"},
    "priorityClassName": "school-high",
    "resources": {"limits": {"memory": "256Mi"}},
    "schedules": [{"name": "cleanup", "schedule": "0 3 * * *"}],
    "tolerations": [{"operator": "Exists"}],
    "topologySpreadConstraints": [],
}


def manifest(spec: object, **fields: Any) -> dict[str, Any]:
    head = {"apiVersion": "edworkers.dev/v1alpha1", "kind": "WorkerPool", "metadata": {"name": "night"}}
    return {**head, "spec": spec, **fields}


def read(document: object) -> PoolSpec:
    faults: list[str] = []
    spec = read_manifest(document, faults)
    assert faults == []
    assert spec is not None
    return spec


def faults(*documents: object) -> list[str]:
    found: list[str] = []
    assert [read_manifest(document, found) for document in documents].count(None)
    return found


@pytest.mark.parametrize(("name", "module"), [("ai", ai.MODULE), ("webhook", webhook.MODULE)])
def test_a_shipped_manifest_is_the_pool_that_runs_where_none_is_given(name: str, module: HandlerModule) -> None:
    assert read(yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())) == module.pool


def test_every_shipped_manifest_is_read() -> None:
    pools = [read(yaml.safe_load(path.read_text())) for path in sorted(EXAMPLES.glob("*.yaml"))]
    assert {"ai", "webhook"} <= {pool.queue for pool in pools}


def test_what_only_a_cluster_acts_on_changes_nothing_for_a_runner() -> None:
    assert POD.keys() == CLUSTER_FIELDS
    assert read(manifest({**SPEC, **POD})) == read(manifest(SPEC)) == PoolSpec(queue="night", handlers="school.night")


@pytest.mark.parametrize("field", ["status", "metadata"])
def test_a_resource_as_the_cluster_gives_it_is_read_too(field: str) -> None:
    assert read(manifest(SPEC, **{field: {"uid": "1", "conditions": []}})).queue == "night"


@pytest.mark.parametrize(
    "field", ["concurency", "lease_seconds", "leaseSecs", "Image", "images", "env_from", "nodeselector", "jobs"]
)
def test_a_misspelled_field_is_refused_by_its_name(field: str) -> None:
    assert faults(manifest({**SPEC, field: 1})) == [f"spec.{field}: Extra inputs are not permitted"]


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ({"job": {"max_attempts": 3}}, "spec.job.max_attempts"),
        ({"job": {"backoff": {"max_seconds": 3}}}, "spec.job.backoff.max_seconds"),
        ({"autoscaling": {"min_replicas": 1}}, "spec.autoscaling.min_replicas"),
        ({"retention": {"max_bytes": 1}}, "spec.retention.max_bytes"),
        ({"limits": [{"name": "d", "limit": 1, "window": "day", "time_zone": "UTC"}]}, "spec.limits.0.time_zone"),
    ],
)
def test_names_are_camel_case_at_every_depth(part: dict[str, Any], name: str) -> None:
    assert faults(manifest({**SPEC, **part})) == [f"{name}: Extra inputs are not permitted"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"kind": "Deployment"}, "not a Deployment of edworkers.dev/v1alpha1"),
        ({"apiVersion": "apps/v1"}, "not a WorkerPool of apps/v1"),
        ({"kind": None, "apiVersion": None}, "not a None of None"),
    ],
)
def test_another_kind_or_version_is_told_from_a_pool(fields: dict[str, Any], told: str) -> None:
    assert faults(manifest(SPEC, **fields)) == [f"must be a WorkerPool of edworkers.dev/v1alpha1, {told}"]


@pytest.mark.parametrize("document", ["WorkerPool", 1, [manifest(SPEC)], None])
def test_what_is_no_object_is_no_pool(document: object) -> None:
    assert faults(document) == ["each document must be a WorkerPool"]


@pytest.mark.parametrize("spec", [None, [], "queue: night", 1])
def test_a_spec_that_is_no_object_is_refused(spec: object) -> None:
    [fault] = faults(manifest(spec))
    assert fault.startswith("spec: ")


def test_every_fault_of_every_document_is_named() -> None:
    found = faults(
        manifest({**SPEC, "concurrency": 0, "leaseSecs": 1}),
        "text",
        manifest(SPEC),
        manifest(SPEC, kind="Pool"),
        manifest({"queue": "Night", "job": {"maxAttempts": "many"}}),
    )
    assert [fault.partition(": ")[0] for fault in found] == [
        "spec.concurrency",
        "spec.leaseSecs",
        "each document must be a WorkerPool",
        "must be a WorkerPool of edworkers.dev/v1alpha1, not a Pool of edworkers.dev/v1alpha1",
        "spec.queue",
        "spec.handlers",
        "spec.job.maxAttempts",
    ]


def test_a_name_that_is_no_text_is_a_fault_and_not_a_crash() -> None:
    unnamed: dict[Any, Any] = {1: 2, None: 3}
    assert faults(manifest(SPEC | unnamed)) == ["spec.1: Keys should be strings", "spec.None: Keys should be strings"]
