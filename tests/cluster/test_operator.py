"""The operator itself: who is active, how it stands many pools, and what `kubectl get` shows."""

import time
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.cluster.kube import Kube, eventually, worker_pool

pytestmark = pytest.mark.timeout(400)

MANY = 200


def _holder(kube: Kube) -> str:
    lease = kube.get("lease", "edworkers-operator") or {}
    return str(lease["spec"].get("holderIdentity", ""))


def _metrics(kube: Kube, pod: str) -> dict[str, float]:
    path = f"/api/v1/namespaces/{kube.namespace}/pods/{pod}:8080/proxy/metrics"
    text = kube.run("get", "--raw", path)
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.labels
    }


def test_another_replica_takes_over_when_the_active_one_is_killed(
    kube: Kube, pool_name: str, tell: Callable[[str], None]
) -> None:
    active = eventually(lambda: _holder(kube))
    began = time.monotonic()
    kube.run("delete", "pod", active, "--grace-period=0", "--force")
    eventually(lambda: _holder(kube) not in {"", active})
    tell(f"another holds the Lease {time.monotonic() - began:.0f} s after the active one was killed")
    kube.apply(worker_pool(pool_name))
    kube.until_ready(pool_name)


def test_an_operator_that_is_told_to_stop_hands_over_at_once(kube: Kube, tell: Callable[[str], None]) -> None:
    active = eventually(lambda: _holder(kube))
    began = time.monotonic()
    kube.run("delete", "pod", active, "--wait=false")
    eventually(lambda: _holder(kube) not in {"", active})
    tell(f"another holds the Lease {time.monotonic() - began:.0f} s after the active one was told to stop")


def test_a_pool_reads_well(kube: Kube, pool_name: str) -> None:
    kube.apply(worker_pool(pool_name))
    kube.until_ready(pool_name)
    eventually(lambda: "Idle" in kube.run("get", "wp", pool_name))
    head, row = kube.run("get", "wp", pool_name).splitlines()
    assert head.split() == ["NAME", "QUEUE", "READY", "REASON", "REPLICAS", "PENDING", "INFLIGHT", "DEAD", "AGE"]
    assert row.split()[:8] == [pool_name, pool_name, "True", "Idle", "0", "0", "0", "0"]
    wide = kube.run("get", "wp", pool_name, "-o", "wide").splitlines()
    assert wide[0].split()[-2:] == ["MIN", "MAX"]
    assert wide[1].split()[-2:] == ["0", "4"]


def test_200_pools_become_ready_and_an_idle_operator_costs_little(kube: Kube, tell: Callable[[str], None]) -> None:
    names = [f"many-{number}" for number in range(MANY)]
    slow = {"pollingIntervalSeconds": 30}
    began = time.monotonic()
    kube.apply(*(worker_pool(name, autoscaling=slow) for name in names))
    try:
        tell(f"{MANY} pools applied after {time.monotonic() - began:.0f} s")
        kube.until_ready(*names)
        tell(f"{MANY} pools ready after {time.monotonic() - began:.0f} s")
        active = _holder(kube)
        first = eventually(lambda: _settled(kube, active))
        noted = time.monotonic()
        second = eventually(lambda: _metrics(kube, active) if time.monotonic() - noted > 20 else None)
        cpu = second["process_cpu_seconds_total"] - first["process_cpu_seconds_total"]
        memory = second["process_resident_memory_bytes"] / 1024**2
        tell(f"idle with {MANY} pools: {cpu / (time.monotonic() - noted):.1%} of a core, {memory:.0f} MiB resident")
        assert second["edworkers_operator_work_queue_depth"] == 0
    finally:
        kube.run("delete", "workerpool", *names, "--wait=true")


def _settled(kube: Kube, pod: str) -> dict[str, float] | None:
    found = _metrics(kube, pod)
    return found if found["edworkers_operator_work_queue_depth"] == 0 else None
