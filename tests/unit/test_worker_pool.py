"""The WorkerPool resource is read whole, or every fault in it is named."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from edworkers.core.errors import SettingsError
from edworkers.core.manifest import CLUSTER_FIELDS, read_manifest
from edworkers.core.settings import PoolSpec
from edworkers_operator.workerpool import LONGEST_POOL_NAME, WorkerPoolSpec, read_worker_pool

EXAMPLES = sorted((Path(__file__).parents[2] / "manifests" / "examples").glob("*.yaml"))


def manifest(name: str = "night", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "edworkers.dev/v1alpha1",
        "kind": "WorkerPool",
        "metadata": {"name": name, "uid": "1"},
        "spec": {"queue": "night", "handlers": "school.night", **spec},
        "status": {"replicas": 1},
    }


def faults(document: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read_worker_pool(document)
    return caught.value.faults


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_a_worker_pool_named_for_its_queue(path: Path) -> None:
    pool = read_worker_pool(yaml.safe_load(path.read_text()))
    assert pool.metadata.name == pool.spec.queue == path.stem


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 2


def test_the_fields_for_the_cluster_are_those_that_a_runner_leaves_alone() -> None:
    added = WorkerPoolSpec.model_fields.keys() - PoolSpec.model_fields.keys()
    assert {WorkerPoolSpec.model_fields[name].alias for name in added} == CLUSTER_FIELDS


def test_a_runner_reads_the_same_settings_from_a_manifest_as_the_operator() -> None:
    document = manifest(concurrency=4, image="school/night:2", env=[{"name": "A", "value": "b"}])
    unheard: list[str] = []
    spec = read_manifest(document, unheard)
    pool = read_worker_pool(document)
    assert not unheard
    assert spec is not None
    assert spec.model_dump().items() <= pool.spec.model_dump().items()
    assert pool.spec.image == "school/night:2"


def test_a_schedule_says_when_and_what() -> None:
    schedule = {"name": "cleanup", "schedule": "0 3 * * mon-fri", "job": {"type": "token-cleanup"}}
    (read,) = read_worker_pool(manifest(schedules=[schedule])).spec.schedules
    assert (read.schedule, read.time_zone, read.job.type, read.job.data) == (
        "0 3 * * mon-fri",
        "Etc/UTC",
        "token-cleanup",
        {},
    )


@pytest.mark.parametrize(
    "schedule",
    ["*/5 0-6,12 * jan 1", "0 0 1 1 *", "59 23 31 12 sun", "0  3 * * *", "05 03 01 Dec MON-fri", "*/99 3 * * 0,6"],
)
def test_five_fields_of_cron_are_a_schedule(schedule: str) -> None:
    assert read_worker_pool(manifest(schedules=[{"name": "a", "schedule": schedule}])).spec.schedules


@pytest.mark.parametrize(
    "schedule",
    [
        *("", "0 3 * *", "0 3 * * * *", "@daily", "0 3 L * *", "0 3 ? * *", "0 3 * * 1#2", "0 3 * * *\n", " 0 3 * * *"),
        *("60 3 * * *", "0 24 * * *", "0 3 0 * *", "0 3 32 * *", "0 3 * 13 *", "0 3 * 0 *", "0 3 * * 7", "*/0 3 * * *"),
        *("jan 3 * * *", "0 3 * mon *", "0 3 * * jan", "0 3 * * 1-", "0 3 , * *", "0-1-2 3 * * *"),
    ],
)
def test_what_not_every_cron_understands_is_no_schedule(schedule: str) -> None:
    (fault,) = faults(manifest(schedules=[{"name": "a", "schedule": schedule}]))
    assert fault.startswith("spec.schedules.0.schedule: must be five fields of cron")


def test_a_zone_inside_a_schedule_is_sent_to_its_own_field() -> None:
    (fault,) = faults(manifest(schedules=[{"name": "a", "schedule": "CRON_TZ=UTC 0 3 * * *"}]))
    assert fault.endswith("the zone goes into timeZone, not into the schedule")


def test_two_schedules_can_not_share_a_name() -> None:
    schedule = {"name": "a", "schedule": "0 3 * * *"}
    assert faults(manifest(schedules=[schedule, schedule])) == (
        "spec.schedules: each of the schedules needs a name of its own",
    )


@pytest.mark.parametrize(("length", "fits"), [(40, True), (41, False)])
def test_a_cron_job_has_a_name_that_kubernetes_takes(length: int, fits: bool) -> None:  # noqa: FBT001
    document = manifest(name="p" * length, schedules=[{"name": "s" * 11, "schedule": "0 3 * * *"}])
    if fits:
        assert read_worker_pool(document).metadata.name == "p" * length
    else:
        assert "would have 53 characters, and 52 are allowed" in faults(document)[0]


@pytest.mark.parametrize(("length", "fits"), [(53, True), (54, False)])
def test_the_objects_of_a_pool_have_names_that_fit_a_label(length: int, fits: bool) -> None:  # noqa: FBT001
    assert len("edworkers-") + LONGEST_POOL_NAME == 63
    document = manifest(name="p" * length)
    if fits:
        assert read_worker_pool(document).metadata.name == "p" * length
    else:
        assert faults(document) == ("metadata.name: String should have at most 53 characters",)


@pytest.mark.parametrize(
    ("given", "bounds"),
    [({}, (0, 10)), ({"autoscaling": {"minReplicas": 1, "maxReplicas": 2}}, (1, 2)), ({"replicas": 0}, None)],
)
def test_a_pool_is_autoscaled_but_for_a_fixed_number_of_pods(given: dict[str, Any], bounds: object) -> None:
    scaling = read_worker_pool(manifest(**given)).spec.scaling
    assert (scaling and (scaling.min_replicas, scaling.max_replicas)) == bounds


def test_a_variable_is_given_once() -> None:
    assert faults(manifest(env=[{"name": "A"}, {"name": "A"}])) == ("spec.env: each variable can be given only once",)


def test_labels_by_which_the_operator_knows_its_pods_are_not_given() -> None:
    labels = {"edworkers.dev/pool": "a", "app.kubernetes.io/instance": "b", "app.kubernetes.io/part-of": "c"}
    assert faults(manifest(podLabels=labels)) == (
        "spec.podLabels: edworkers.dev/pool, app.kubernetes.io/instance: the operator sets these itself; take them out",
    )


def test_what_belongs_to_a_pod_stays_as_it_is_written() -> None:
    env = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "k"}}}]
    resources = {"limits": {"cpu": 1, "memory": "1Gi"}}
    spec = read_worker_pool(manifest(env=env, resources=resources)).spec
    assert (list(spec.env), spec.resources) == (env, resources)


def test_a_misspelled_field_of_a_pod_is_named_where_it_stands() -> None:
    document = manifest(
        env=[{"name": "A", "valueFrom": {"secretRef": {}}}],
        resources={"limts": {}},
        affinity={"nodeAffinity": {"required": {}}},
        tolerations=[{"operator": "Equals"}],
    )
    assert {fault.partition(":")[0] for fault in faults(document)} == {
        "spec.env.0.valueFrom.secretRef",
        "spec.resources.limts",
        "spec.affinity.nodeAffinity.required",
        "spec.tolerations.0.operator",
    }


@pytest.mark.parametrize("quantity", [0, 2, "2", "0.5", ".5", "100m", "256Mi", "1e3", "1E-3", "2k"])
def test_a_quantity_is_written_as_in_kubernetes(quantity: object) -> None:
    assert read_worker_pool(manifest(resources={"limits": {"cpu": quantity}})).spec.resources


@pytest.mark.parametrize("quantity", ["", "1 Gi", "1GB", "ki", -1, 0.5, True, None, "1\n", "1" * 33])
def test_a_quantity_that_is_none_is_refused_with_examples(quantity: object) -> None:
    assert faults(manifest(resources={"limits": {"cpu": quantity}})) == (
        "spec.resources.limits.cpu: must be a quantity such as 2, 100m or 256Mi; a fraction needs quotes",
    )


def test_every_fault_is_named_at_once() -> None:
    document = manifest(name="Night", concurrency=0, imagee="x", deletion_policy="Drain", env=["A=b"])
    places = {fault.partition(":")[0] for fault in faults(document)}
    assert places == {"metadata.name", "spec.concurrency", "spec.imagee", "spec.deletion_policy", "spec.env.0"}


def test_what_is_no_object_is_refused() -> None:
    assert faults(["kind"])
