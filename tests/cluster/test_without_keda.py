"""A cluster without KEDA: pools run with a fixed number of pods, say so, and are scaled once KEDA is there.

The last of the tests, as it takes KEDA's kinds, and every ScaledObject with them, from the cluster for a while.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from tests.cluster.kube import CommandFailedError, Kube, command, eventually, running, worker_pool
from tests.cluster.release import Queue

pytestmark = pytest.mark.timeout(300)

KEDA = ("deployment/keda-operator", "deployment/keda-metrics-apiserver")


@contextmanager
def without_keda() -> Iterator[None]:
    """Take KEDA's kinds away, and give them back."""
    group = command("kubectl", "get", "crd", "-o", "name").split()
    names = [name for name in group if name.endswith("keda.sh")]
    kept = json.loads(command("kubectl", "get", *names, "-o", "json"))
    for definition in kept["items"]:
        metadata = definition["metadata"]
        definition["metadata"] = {"name": metadata["name"], "labels": metadata.get("labels", {})}
        del definition["status"]
    try:
        command("kubectl", "-n", "keda", "scale", *KEDA, "--replicas=0")
        command("kubectl", "-n", "keda", "wait", "--for=delete", "pods", "--all", "--timeout=60s")
        command("kubectl", "delete", *names, "--wait=false")
        # What has KEDA's finalizers waits for KEDA, which is away.
        eventually(lambda: _without_finalizers(names))
        yield
    finally:
        eventually(lambda: _without_finalizers(names))
        command("kubectl", "apply", "--server-side", "--force-conflicts", "-f", "-", given=json.dumps(kept))
        command("kubectl", "-n", "keda", "scale", *KEDA, "--replicas=1")
        for deployment in KEDA:
            command("kubectl", "-n", "keda", "rollout", "status", deployment, "--timeout=120s")


def _without_finalizers(kinds: list[str]) -> bool:
    """Let go what is left of these kinds; says whether the kinds are gone."""
    there = command("kubectl", "get", *kinds, "--ignore-not-found", "-o", "name").split()
    for name in there:
        with suppress(CommandFailedError):  # it may go at any moment
            _free_all_of(name.partition("/")[2])
    return not there


def _free_all_of(kind: str) -> None:
    lines = command("kubectl", "get", kind, "-A", "--ignore-not-found", "-o", "json")
    for found in json.loads(lines or '{"items": []}')["items"]:
        metadata = found["metadata"]
        words = ("-n", metadata["namespace"]) if "namespace" in metadata else ()
        patch = '{"metadata":{"finalizers":null}}'
        command("kubectl", *words, "patch", kind, metadata["name"], "--type=merge", "-p", patch)


def test_without_keda_a_pool_has_a_fixed_pod_and_says_so_and_with_it_again_it_is_scaled(
    kube: Kube, queue: Queue, pool_name: str
) -> None:
    kube.apply(worker_pool(pool_name))
    kube.until_ready(pool_name)
    job = f"{pool_name}-job"
    with without_keda():
        eventually(lambda: kube.condition(pool_name, "ScalerReady").get("reason") == "KEDAMissing")
        ready = kube.condition(pool_name, "Ready")
        assert (ready["status"], "install KEDA" in ready["message"]) == ("False", True)
        eventually(lambda: len(running(kube.pods_of(pool_name))) == 1)
        queue.push({"id": job, "type": "echo", "data": {}})
        queue.until_done([job])
        # Not by crashing and starting again does it learn of it.
        operators = kube.run("get", "pods", "-l", "app.kubernetes.io/component=operator", "-o", "json")
        assert '"CrashLoopBackOff"' not in operators
    eventually(lambda: kube.condition(pool_name, "ScalerReady").get("reason") == "ScaledByKEDA")
    eventually(lambda: not kube.all_pods_of(pool_name), lambda: kube.run("get", "pods,scaledobjects"))
    kube.until_ready(pool_name)
    queue.push({"id": f"{job}-2", "type": "echo", "data": {}})
    queue.until_done([f"{job}-2"])
