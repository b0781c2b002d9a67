"""Whatever somebody does to a pool's objects is put back; what is theirs to decide is left alone."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.cluster.kube import Kube, eventually, running, worker_pool

pytestmark = pytest.mark.timeout(240)

MERGE = ("--type=merge", "-p")


@pytest.fixture
def child(kube: Kube, pool_name: str) -> str:
    """The name of the objects of a pool that is ready."""
    kube.apply(worker_pool(pool_name))
    kube.until_ready(pool_name)
    return f"edworkers-{pool_name}"


def _container(kube: Kube, child: str) -> dict[str, Any]:
    found = kube.get("deployment", child)
    assert found is not None
    return dict(found["spec"]["template"]["spec"]["containers"][0])


def test_an_edited_image_is_put_back_and_an_event_says_so(kube: Kube, child: str, pool_name: str) -> None:
    before = _container(kube, child)["image"]
    kube.run("set", "image", f"deployment/{child}", "runner=nonsense:1")
    eventually(lambda: _container(kube, child)["image"] == before)
    eventually(lambda: "Repaired" in kube.run("get", "events", "--field-selector", f"involvedObject.name={pool_name}"))


def test_an_added_variable_is_removed(kube: Kube, child: str) -> None:
    before = _container(kube, child)["env"]
    kube.run("set", "env", f"deployment/{child}", "ADDED=yes")
    eventually(lambda: _container(kube, child)["env"] == before, lambda: _container(kube, child)["env"])


def test_an_added_node_selector_is_removed(kube: Kube, child: str) -> None:
    change = {"spec": {"template": {"spec": {"nodeSelector": {"no": "such-node"}}}}}
    kube.run("patch", "deployment", child, *MERGE, json.dumps(change))
    eventually(lambda: "nodeSelector" not in (kube.get("deployment", child) or {})["spec"]["template"]["spec"])


def test_an_edited_scaled_object_is_put_back(kube: Kube, child: str) -> None:
    kube.run("patch", "scaledobject", child, *MERGE, json.dumps({"spec": {"maxReplicaCount": 99}}))
    eventually(lambda: (kube.get("scaledobject", child) or {})["spec"]["maxReplicaCount"] == 4)


def test_pods_that_somebody_scaled_up_go_when_there_is_nothing_to_do(kube: Kube, child: str, pool_name: str) -> None:
    kube.run("scale", f"deployment/{child}", "--replicas=2")
    eventually(lambda: kube.all_pods_of(pool_name))
    eventually(lambda: not kube.all_pods_of(pool_name), lambda: kube.run("get", "pods,scaledobjects"))


@pytest.mark.parametrize(
    "kind", ["deployment", "scaledobject", "serviceaccount", "poddisruptionbudget", "networkpolicy"]
)
def test_a_deleted_child_is_made_again(kind: str, kube: Kube, child: str) -> None:
    before = (kube.get(kind, child) or {})["metadata"]["uid"]
    kube.run("delete", kind, child, "--wait=true")
    eventually(lambda: (kube.get(kind, child) or {"metadata": {"uid": before}})["metadata"]["uid"] != before)


def test_a_fixed_number_of_pods_is_kept(kube: Kube, pool_name: str) -> None:
    kube.apply(worker_pool(pool_name, replicas=1))
    kube.until_ready(pool_name)
    kube.run("scale", f"deployment/edworkers-{pool_name}", "--replicas=0")
    eventually(lambda: running(kube.pods_of(pool_name)), lambda: kube.run("get", "pods,deployments"))


def test_a_fixed_pool_is_scaled_by_kubectl_scale(kube: Kube, pool_name: str) -> None:
    kube.apply(worker_pool(pool_name, replicas=0))
    kube.until_ready(pool_name)
    kube.run("scale", f"workerpool/{pool_name}", "--replicas=1")
    eventually(lambda: len(running(kube.pods_of(pool_name))) == 1)
    assert (kube.get("workerpool", pool_name) or {})["status"]["replicas"] == 1


def test_a_restart_that_somebody_asked_for_is_done_once(kube: Kube, pool_name: str) -> None:
    kube.apply(worker_pool(pool_name, replicas=1))
    kube.until_ready(pool_name)
    (first,) = kube.pods_of(pool_name)
    deployment = f"deployment/edworkers-{pool_name}"
    kube.run("rollout", "restart", deployment)
    kube.run("rollout", "status", deployment, "--timeout=100s")
    eventually(lambda: first["metadata"]["name"] not in {pod["metadata"]["name"] for pod in kube.pods_of(pool_name)})
    kube.until_ready(pool_name)
    assert "kubectl.kubernetes.io/restartedAt" in kube.run("get", deployment, "-o", "yaml")
    # The revision counts rollouts: the first, and the one that was asked for.
    revision = (kube.get("deployment", f"edworkers-{pool_name}") or {})["metadata"]["annotations"]
    assert revision["deployment.kubernetes.io/revision"] == "2"


def test_what_a_pool_no_longer_asks_for_is_removed(kube: Kube, pool_name: str) -> None:
    schedule = {"name": "night", "schedule": "0 3 * * *", "job": {"type": "echo"}}
    kube.apply(worker_pool(pool_name, schedules=[schedule], podLabels={"team": "a"}))
    kube.until_ready(pool_name)
    assert kube.get("cronjob", f"{pool_name}-night") is not None
    kube.apply(worker_pool(pool_name, replicas=0))
    eventually(lambda: kube.get("cronjob", f"{pool_name}-night") is None)
    eventually(lambda: kube.get("scaledobject", f"edworkers-{pool_name}") is None)
    found = kube.get("deployment", f"edworkers-{pool_name}") or {}
    assert "team" not in found["spec"]["template"]["metadata"]["labels"]


def test_what_the_api_server_wont_take_of_a_child_is_said_by_the_pool(kube: Kube, pool_name: str) -> None:
    misspelled = {"scaleDown": {"stabilisationWindowSeconds": 5}}
    kube.apply(worker_pool(pool_name, autoscaling={"behavior": misspelled}))
    eventually(lambda: kube.condition(pool_name, "Degraded").get("reason") == "ApplyFailed")
    assert "stabilisationWindowSeconds" in kube.condition(pool_name, "Ready")["message"]
    kube.apply(worker_pool(pool_name, autoscaling={"behavior": {"scaleDown": {"stabilizationWindowSeconds": 5}}}))
    kube.until_ready(pool_name)


def test_a_suspended_pool_has_no_pods_and_goes_on_where_it_was(
    kube: Kube, pool_name: str, edworkers: Callable[..., str]
) -> None:
    kube.apply(worker_pool(pool_name, suspend=True))
    kube.until_ready(pool_name)
    job = f"{pool_name}-job"
    edworkers("enqueue", pool_name, "--id", job, "--type", "echo", "{}")
    eventually(lambda: ((kube.get("workerpool", pool_name) or {})["status"].get("queue") or {}).get("pending") == 1)
    assert kube.condition(pool_name, "Ready")["reason"] == "Suspended"
    assert kube.all_pods_of(pool_name) == []
    kube.apply(worker_pool(pool_name, suspend=False))
    assert '"state"' in edworkers("result", pool_name, job, "--wait", "--json")
