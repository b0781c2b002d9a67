"""A cluster without KEDA: pools run with a fixed number of pods, say so, and are scaled once KEDA is there.

The last of the tests, as it takes KEDA's kinds, and every ScaledObject with them, from the cluster for a while.
"""

import json
from collections.abc import Iterator

import pytest
from tests.cluster.kube import Kube, command, eventually, running, worker_pool
from tests.cluster.release import Queue

pytestmark = pytest.mark.timeout(300)

KEDA = ("deployment/keda-operator", "deployment/keda-metrics-apiserver")


@pytest.fixture
def _no_keda() -> Iterator[None]:
    """Take KEDA's kinds away, and give them back."""
    group = command("kubectl", "get", "crd", "-o", "name").split()
    names = [name for name in group if name.endswith("keda.sh")]
    kept = json.loads(command("kubectl", "get", *names, "-o", "json"))
    for definition in kept["items"]:
        metadata = definition["metadata"]
        definition["metadata"] = {"name": metadata["name"], "labels": metadata.get("labels", {})}
        del definition["status"]
    command("kubectl", "-n", "keda", "scale", *KEDA, "--replicas=0")
    _end_finalizers()
    command("kubectl", "delete", *names, "--wait=true", "--timeout=60s")
    yield
    command("kubectl", "create", "-f", "-", given=json.dumps(kept))
    command("kubectl", "-n", "keda", "scale", *KEDA, "--replicas=1")
    for deployment in KEDA:
        command("kubectl", "-n", "keda", "rollout", "status", deployment, "--timeout=120s")


def _end_finalizers() -> None:
    """Let ScaledObjects go without KEDA, which is away."""
    places = '{range .items[*]}{.metadata.namespace} {.metadata.name}{"\\n"}{end}'
    for line in command("kubectl", "get", "scaledobjects", "-A", "-o", f"jsonpath={places}").splitlines():
        namespace, name = line.split()
        patch = '{"metadata":{"finalizers":null}}'
        command("kubectl", "-n", namespace, "patch", "scaledobject", name, "--type=merge", "-p", patch)


def test_without_keda_a_pool_has_a_fixed_pod_and_says_what_is_missing(
    kube: Kube, queue: Queue, pool_name: str, request: pytest.FixtureRequest
) -> None:
    kube.apply(worker_pool(pool_name))
    kube.until_ready(pool_name)
    request.getfixturevalue("_no_keda")
    eventually(lambda: kube.condition(pool_name, "ScalerReady").get("reason") == "KEDAMissing")
    ready = kube.condition(pool_name, "Ready")
    assert (ready["status"], "install KEDA" in ready["message"]) == ("False", True)
    eventually(lambda: len(running(kube.pods_of(pool_name))) == 1)
    job = f"{pool_name}-job"
    queue.push({"id": job, "type": "echo", "data": {}})
    queue.until_done([job])
    # Not by crashing and starting again does it learn of it.
    restarts = kube.run("get", "pods", "-l", "app.kubernetes.io/component=operator", "-o", "json")
    assert '"CrashLoopBackOff"' not in restarts


def test_once_keda_is_back_pools_are_scaled_again(kube: Kube, queue: Queue, pool_name: str) -> None:
    kube.apply(worker_pool(pool_name))
    kube.until_ready(pool_name)
    job = f"{pool_name}-job"
    queue.push({"id": job, "type": "echo", "data": {}})
    queue.until_done([job])
    eventually(lambda: not kube.all_pods_of(pool_name))
