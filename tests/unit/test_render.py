"""Why a pool's objects are as they are; what they are, word for word, is in tests/golden."""

from typing import Any

import pytest
from tests.unit.render_cases import CASES, KEDA, REDIS, SETTINGS, UID, Case, pool, settings

from edworkers.core.settings import PoolSpec
from edworkers_operator.naming import CHILD_KINDS
from edworkers_operator.render.environment import RUN_FIELDS
from edworkers_operator.render.metadata import as_kept
from edworkers_operator.render.pool import render
from edworkers_operator.settings import Capabilities
from edworkers_operator.workerpool import WorkerPool

WITHOUT_KEDA = Capabilities()
NIGHTLY = {"name": "nightly", "schedule": "0 3 * * *"}


def one(kind: str, rendered: WorkerPool, case: Case | None = None) -> dict[str, Any]:
    case = case or Case(rendered)
    [found] = [o for o in render(rendered, None, case.settings, case.capabilities) if o["kind"] == kind]
    return found


def kinds(case: Case) -> list[str]:
    return [rendered["kind"] for rendered in case.objects()]


def template(rendered: WorkerPool) -> Any:
    return one("Deployment", rendered)["spec"]["template"]


def environment(rendered: WorkerPool) -> dict[str, Any]:
    variables = template(rendered)["spec"]["containers"][0]["env"]
    return {variable["name"]: variable.get("value", variable.get("valueFrom")) for variable in variables}


def replicas(rendered: WorkerPool, capabilities: Capabilities) -> Any:
    [found] = [o for o in render(rendered, None, SETTINGS, capabilities) if o["kind"] == "Deployment"]
    return found["spec"].get("replicas")


# Which objects there are.


@pytest.mark.parametrize("name", CASES)
def test_objects_come_in_the_order_in_which_their_kinds_are_known(name: str) -> None:
    known = [kind.kind for kind in CHILD_KINDS]
    found = [known.index(kind) for kind in kinds(CASES[name])]
    assert found == sorted(found)


def test_what_others_look_for_at_once_is_there_before_them() -> None:
    found = kinds(Case(pool()))
    assert found.index("ServiceAccount") < found.index("Deployment")
    assert found.index("TriggerAuthentication") < found.index("ScaledObject")
    assert found.index("Deployment") < found.index("ScaledObject")


def test_all_kinds_are_rendered_for_a_pool_that_has_everything() -> None:
    assert set(kinds(CASES["everything"])) == {kind.kind for kind in CHILD_KINDS}


@pytest.mark.parametrize("name", CASES)
def test_a_kind_is_always_of_the_same_version(name: str) -> None:
    versions = {kind.kind: kind.api_version for kind in CHILD_KINDS}
    assert all(rendered["apiVersion"] == versions[rendered["kind"]] for rendered in CASES[name].objects())


def test_a_pool_that_is_in_no_cluster_owns_nothing() -> None:
    assert all("ownerReferences" not in o["metadata"] for o in render(pool(), None, SETTINGS, KEDA))


def test_the_pool_takes_its_objects_along_when_it_is_deleted() -> None:
    for rendered in render(pool(), {"uid": UID}, SETTINGS, KEDA):
        [owner] = rendered["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"]) == ("WorkerPool", "night", UID)
        assert owner["controller"] is owner["blockOwnerDeletion"] is True


# How many runners.


@pytest.mark.parametrize(
    ("spec", "with_keda", "without"),
    [
        ({}, None, 1),
        ({"autoscaling": {}}, None, 1),
        ({"autoscaling": {"minReplicas": 3}}, None, 3),
        ({"replicas": 4}, 4, 4),
        ({"replicas": 0}, 0, 0),
        ({"suspend": True}, 0, 0),
        ({"suspend": True, "replicas": 4}, 0, 0),
        ({"suspend": True, "autoscaling": {"minReplicas": 3}}, 0, 0),
    ],
)
def test_the_number_of_runners_is_left_to_keda_where_it_scales_them(
    spec: dict[str, Any], with_keda: int | None, without: int
) -> None:
    assert (replicas(pool(**spec), KEDA), replicas(pool(**spec), WITHOUT_KEDA)) == (with_keda, without)


def test_a_suspended_pool_is_held_at_zero_by_keda_too() -> None:
    assert one("ScaledObject", pool(suspend=True))["metadata"]["annotations"] == {
        "autoscaling.keda.sh/paused-replicas": "0"
    }
    assert "annotations" not in one("ScaledObject", pool())["metadata"]


def test_a_pool_with_a_fixed_number_of_runners_is_not_scaled() -> None:
    assert not {"ScaledObject", "TriggerAuthentication"} & set(kinds(Case(pool(replicas=2))))


@pytest.mark.parametrize(
    ("spec", "target"),
    [({"concurrency": 7}, "7"), ({"concurrency": 7, "autoscaling": {"targetPerReplica": 2}}, "2")],
)
def test_a_runner_is_meant_for_as_many_jobs_as_it_has_slots_unless_the_pool_says_so(
    spec: dict[str, Any], target: str
) -> None:
    assert one("ScaledObject", pool(**spec))["spec"]["advanced"]["scalingModifiers"]["target"] == target


def test_the_formula_is_of_the_keys_that_are_counted() -> None:
    spec = one("ScaledObject", pool())["spec"]
    words = set(spec["advanced"]["scalingModifiers"]["formula"].split())
    assert {trigger["name"] for trigger in spec["triggers"]} == {word for word in words if word.isidentifier()}
    assert {trigger["name"]: trigger["metadata"]["listName"] for trigger in spec["triggers"]} == {
        "pending": "edworkers:{night}:pending",
        "inflight": "edworkers:{night}:inflight",
        "paused": "edworkers:{night}:paused",
        "throttled": "edworkers:{night}:throttled",
    }


def test_keda_finds_redis_as_the_runners_do() -> None:
    sentinel = settings(mode="sentinel", addresses=("a:26379", "b:26379"), master="jobs", database=2, username="u")
    trigger = one("ScaledObject", pool(), Case(pool(), sentinel))["spec"]["triggers"][0]
    assert trigger["type"] == "redis-sentinel"
    assert "authenticationRef" not in trigger
    assert trigger["metadata"] == {
        "addresses": "a:26379,b:26379",
        "sentinelMaster": "jobs",
        "databaseIndex": "2",
        "username": "u",
        "listName": "edworkers:{night}:pending",
    }


# What restarts runners.


@pytest.mark.parametrize(
    "spec",
    [
        {"autoscaling": {"maxReplicas": 99}},
        {"replicas": 5},
        {"suspend": True},
        {"schedules": [NIGHTLY]},
        {"deletionPolicy": "Drain"},
    ],
)
def test_a_change_of_scale_or_of_schedules_restarts_no_runner(spec: dict[str, Any]) -> None:
    assert template(pool(**spec)) == template(pool())


@pytest.mark.parametrize("spec", [{"concurrency": 2}, {"image": "school/night:3"}, {"job": {"maxAttempts": 9}}])
def test_a_change_of_what_runners_do_restarts_them(spec: dict[str, Any]) -> None:
    assert template(pool(**spec)) != template(pool())


def test_every_field_of_a_pool_is_for_runners_or_for_scaling() -> None:
    assert PoolSpec.model_fields.keys() - RUN_FIELDS == {"autoscaling", "replicas", "suspend"}


def test_what_is_said_as_it_would_be_by_default_restarts_no_runner() -> None:
    assert template(pool(leaseSeconds=15, job={"maxAttempts": 3, "backoff": {}})) == template(pool())


# Runners.


@pytest.mark.parametrize(("seconds", "drain", "grace"), [(60, "60", 75), (90.5, "91", 106), (0.2, "1", 16)])
def test_a_runner_has_time_to_finish_the_longest_job(seconds: float, drain: str, grace: int) -> None:
    slow = pool(job={"timeoutSeconds": seconds})
    assert environment(slow)["EDWORKERS_DRAIN_SECONDS"] == drain
    assert template(slow)["spec"]["terminationGracePeriodSeconds"] == grace


def test_what_the_runner_relies_on_can_not_be_taken_from_it() -> None:
    variables = [{"name": "REDIS_HOST", "value": "elsewhere"}, {"name": "REDIS_URL", "value": "redis://elsewhere"}]
    found = environment(pool(env=[*variables, {"name": "EDWORKERS_LOG_FORMAT", "value": "text"}]))
    assert (found["REDIS_HOST"], found["REDIS_URL"]) == ("redis.edworkers.svc", None)
    assert found["EDWORKERS_LOG_FORMAT"] == "text"


def test_the_users_variables_come_after_ours_and_so_can_refer_to_them() -> None:
    assert list(environment(pool(env=[{"name": "CACHE", "value": "$(REDIS_HOST)"}])))[-1] == "CACHE"


def test_pods_are_as_strict_as_the_restricted_standard_asks() -> None:
    cron_job = one("CronJob", pool(schedules=[NIGHTLY]))
    for spec in (template(pool())["spec"], cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]):
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        [container] = spec["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_resources_that_the_pool_names_are_all_that_count() -> None:
    [container] = template(pool(resources={"requests": {"cpu": "1500m"}}))["spec"]["containers"]
    assert container["resources"] == {"requests": {"cpu": "1500m"}}


def test_a_redis_without_a_password_needs_no_secret() -> None:
    open_redis = Case(pool(), settings(addresses=REDIS.addresses))
    assert "TriggerAuthentication" not in kinds(open_redis)
    assert "REDIS_PASSWORD" not in str(open_redis.objects())


def test_of_what_users_write_nothing_is_rendered_that_the_server_would_drop() -> None:
    given: dict[str, Any] = {
        "a": None,
        "b": "",
        "c": [],
        "d": 0,
        "e": False,
        "matchLabels": {},
        "labelSelector": {},
        "f": [{"a": ""}],
    }
    assert as_kept(given) == {"d": 0, "e": False, "labelSelector": {}, "f": [{}]}
