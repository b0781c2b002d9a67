"""The operator itself: who is active, how it stands many pools, and what `kubectl get` shows."""

import signal
import time
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.cluster.kube import Kube, eventually, holder, signal_active_operator, signal_process, worker_pool

pytestmark = pytest.mark.timeout(400)

MANY = 200


def _metrics(kube: Kube, pod: str) -> dict[str, float]:
    path = f"/api/v1/namespaces/{kube.namespace}/pods/{pod}:8080/proxy/metrics"
    text = kube.run("get", "--raw", path)
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.labels
    }


def test_a_killed_operator_is_soon_back_at_work(kube: Kube, pool_name: str, tell: Callable[[str], None]) -> None:
    signal_active_operator(kube, signal.SIGKILL)
    began = time.monotonic()
    kube.apply(worker_pool(pool_name))
    kube.until_ready(pool_name)
    tell(f"a new pool is ready {time.monotonic() - began:.0f} s after the active operator was killed")


def test_another_replica_takes_over_from_one_that_hangs(
    kube: Kube, pool_name: str, tell: Callable[[str], None]
) -> None:
    active = signal_active_operator(kube, signal.SIGSTOP)
    began = time.monotonic()
    eventually(lambda: holder(kube) not in {"", active})
    tell(f"another holds the Lease {time.monotonic() - began:.0f} s after the active one hung")
    kube.apply(worker_pool(pool_name))
    kube.until_ready(pool_name)
    # It wakes up, sees that another is active, and does nothing any more.
    signal_process(f"EDWORKERS_IDENTITY={active}", signal.SIGCONT)
    kube.run("rollout", "status", "deployment/edworkers-operator", "--timeout=100s")
    assert holder(kube) != active


def test_an_operator_that_is_told_to_stop_hands_over_at_once(kube: Kube, tell: Callable[[str], None]) -> None:
    active = eventually(lambda: holder(kube))
    began = time.monotonic()
    kube.run("delete", "pod", active, "--wait=false")
    eventually(lambda: holder(kube) not in {"", active})
    tell(f"another holds the Lease {time.monotonic() - began:.0f} s after the active one was told to stop")


def test_a_pool_reads_well(kube: Kube, pool_name: str) -> None:
    kube.apply(worker_pool(pool_name))
    kube.until_ready(pool_name)
    eventually(lambda: (kube.get("workerpool", pool_name) or {})["status"].get("queue"))
    head, row = kube.run("get", "wp", pool_name).splitlines()
    assert head.split() == ["NAME", "QUEUE", "READY", "REASON", "REPLICAS", "PENDING", "INFLIGHT", "DEAD", "AGE"]
    assert row.split()[:8] == [pool_name, pool_name, "True", "Idle", "0", "0", "0", "0"]
    wide = kube.run("get", "wp", pool_name, "-o", "wide").splitlines()
    assert wide[0].split()[-2:] == ["MIN", "MAX"]
    assert wide[1].split()[-2:] == ["0", "4"]


def test_two_pools_whose_cron_jobs_have_one_name_dont_fight_for_it(kube: Kube, pool_name: str) -> None:
    schedule = {"schedule": "0 3 * * *", "job": {"type": "echo"}}
    first, second = pool_name[:20], f"{pool_name[:20]}-b"
    kube.apply(worker_pool(first, schedules=[{"name": "b-c", **schedule}]))
    kube.until_ready(first)
    kube.apply(worker_pool(second, schedules=[{"name": "c", **schedule}]))
    try:
        eventually(lambda: kube.condition(second, "Degraded").get("reason") == "ApplyFailed")
        assert f"taken by an object of WorkerPool {first}" in kube.condition(second, "Ready")["message"]
        assert kube.condition(first, "Ready")["status"] == "True"
        # Once the name is free, the other gets it by itself.
        kube.run("delete", "workerpool", first, "--wait=true")
        kube.until_ready(second)
    finally:
        kube.run("delete", "workerpool", first, second, "--ignore-not-found", "--wait=true")


def test_a_pool_named_like_a_part_of_the_release_takes_nothing_over(kube: Kube) -> None:
    kube.apply(worker_pool("keeper"))
    try:
        eventually(lambda: kube.condition("keeper", "Degraded").get("reason") == "ApplyFailed")
        assert "rename the pool" in kube.condition("keeper", "Ready")["message"]
        found = kube.get("deployment", "edworkers-keeper") or {}
        assert found["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    finally:
        kube.run("delete", "workerpool", "keeper", "--wait=true")


@pytest.mark.timeout(1200)
def test_200_pools_become_ready_and_an_idle_operator_costs_little(kube: Kube, tell: Callable[[str], None]) -> None:
    names = [f"many-{number}" for number in range(MANY)]
    slow = {"pollingIntervalSeconds": 30}
    began = time.monotonic()
    kube.apply(*(worker_pool(name, autoscaling=slow) for name in names))
    try:
        tell(f"{MANY} pools applied after {time.monotonic() - began:.0f} s")
        kube.until_ready(*names, seconds=600)  # 80 s where nothing else runs
        tell(f"{MANY} pools ready after {time.monotonic() - began:.0f} s")
        active = holder(kube)
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
