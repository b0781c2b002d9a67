"""KEDA scales a pool by the jobs that wait and run, and nothing that runs is disturbed by it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.cluster.kube import Kube, eventually, running, worker_pool
from tests.cluster.release import Queue

pytestmark = pytest.mark.timeout(240)


def test_four_jobs_bring_four_pods_from_zero_and_their_results(
    kube: Kube, queue: Queue, pool_name: str, begin_steps: Callable[[], Any]
) -> None:
    kube.apply(worker_pool(pool_name))
    kube.until_ready(pool_name)
    assert kube.all_pods_of(pool_name) == []
    jobs = [f"{pool_name}-{number}" for number in range(4)]
    steps = begin_steps()
    for job in jobs:
        queue.push({"id": job, "type": "sleep", "data": {"seconds": 8}})
    eventually(lambda: kube.pods_of(pool_name))
    steps.reached("first pod made")
    eventually(lambda: len(kube.pods_of(pool_name)) == 4, lambda: kube.run("get", "scaledobjects,hpa,pods"))
    steps.reached("four pods made")
    eventually(lambda: len(running(kube.pods_of(pool_name))) == 4)
    steps.reached("four pods ready")
    queue.until_done(jobs)
    steps.reached("four results")
    results = [json.loads(queue.record(job)["result"]) for job in jobs]
    assert len({result["runner"] for result in results}) == 4
    eventually(lambda: not kube.all_pods_of(pool_name))
    steps.reached("no pods")
    eventually(lambda: kube.condition(pool_name, "Ready").get("reason") == "Idle")


def test_long_jobs_outlive_an_empty_list_and_none_is_told_to_stop(kube: Kube, queue: Queue, pool_name: str) -> None:
    kube.apply(worker_pool(pool_name))
    kube.until_ready(pool_name)
    jobs = [f"{pool_name}-{number}" for number in range(4)]
    seconds = [6, 6, 25, 35]
    queue.push(*({"id": job, "type": "sleep", "data": {"seconds": s}} for job, s in zip(jobs, seconds, strict=True)))
    eventually(lambda: len(queue.holders()) == 4)
    assert queue.depths()["pending"] == 0
    fewest = 4

    def all_done() -> bool:
        nonlocal fewest
        going = {pod["metadata"]["name"] for pod in kube.all_pods_of(pool_name) if _is_going(pod)}
        busy_ones = going & queue.holders()
        assert not busy_ones, f"told to stop while they work: {busy_ones}"
        fewest = min(fewest, len(kube.pods_of(pool_name)))
        return queue.states(jobs) == {"done": 4}

    eventually(all_done)
    assert fewest < 4, "idle pods should have gone before the last job was done"
    assert [queue.runs(job) for job in jobs] == [1, 1, 1, 1]
    eventually(lambda: not kube.all_pods_of(pool_name))


def test_jobs_in_the_lines_of_groups_bring_pods_and_no_more_than_may_run(
    kube: Kube, queue: Queue, pool_name: str
) -> None:
    kube.apply(worker_pool(pool_name, groups={"maxInflight": 2}, maxInflight=3))
    kube.until_ready(pool_name)
    jobs = [f"{pool_name}-{group}{number}" for group in "ab" for number in range(4)]
    for job in jobs:
        queue.push({"id": job, "type": "sleep", "group": job[-2], "data": {"seconds": 4}})
    most = 0

    def all_done() -> bool:
        nonlocal most
        most = max(most, len(kube.all_pods_of(pool_name)))
        assert queue.depths()["inflight"] <= 3
        return queue.states(jobs) == {"done": 8}

    eventually(all_done, lambda: (kube.run("get", "scaledobjects,hpa,pods"), queue.depths()))
    assert most == 3
    assert [queue.runs(job) for job in jobs] == [1] * 8
    eventually(lambda: not kube.all_pods_of(pool_name))


def _is_going(pod: dict[str, Any]) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def test_pods_that_are_told_to_stop_while_they_start_end_by_themselves(kube: Kube, pool_name: str) -> None:
    # A ReplicaSet ends pods that aren't ready first, so this is what most scale-ins meet.
    kube.apply(worker_pool(pool_name, replicas=0))
    kube.until_ready(pool_name)
    kube.run("scale", f"workerpool/{pool_name}", "--replicas=4")
    eventually(lambda: any(map(_has_begun, kube.all_pods_of(pool_name))))
    kube.run("scale", f"workerpool/{pool_name}", "--replicas=0")
    eventually(lambda: not kube.pods_of(pool_name))
    # The time at which a pod that is to go is killed if it hasn't ended by then.
    ends = [pod["metadata"]["deletionTimestamp"] for pod in kube.all_pods_of(pool_name)]
    eventually(lambda: not kube.all_pods_of(pool_name))
    assert datetime.now(UTC) < min(map(datetime.fromisoformat, ends), default=datetime.max.replace(tzinfo=UTC))


def _has_begun(pod: dict[str, Any]) -> bool:
    return any("running" in container["state"] for container in pod["status"].get("containerStatuses", ()))


def test_a_paused_queue_goes_to_zero_with_jobs_waiting_and_comes_back_when_it_is_resumed(
    kube: Kube, queue: Queue, pool_name: str, edworkers: Callable[..., str]
) -> None:
    kube.apply(worker_pool(pool_name))
    kube.until_ready(pool_name)
    edworkers("pause", pool_name)
    jobs = [f"{pool_name}-{number}" for number in range(3)]
    queue.push(*({"id": job, "type": "echo", "data": {"n": 1}} for job in jobs))
    eventually(lambda: kube.condition(pool_name, "Throttled").get("reason") == "Paused")
    queue.until_keda_has_looked()
    assert kube.all_pods_of(pool_name) == []
    assert kube.condition(pool_name, "Ready")["status"] == "True"
    edworkers("resume", pool_name)
    queue.until_done(jobs)
    eventually(lambda: kube.condition(pool_name, "Throttled").get("status") == "False")


def test_pods_that_run_end_when_the_queue_is_paused(
    kube: Kube, queue: Queue, pool_name: str, edworkers: Callable[..., str]
) -> None:
    kube.apply(worker_pool(pool_name))
    queue.push({"id": f"{pool_name}-first", "type": "sleep", "data": {"seconds": 5}})
    eventually(queue.holders)
    edworkers("pause", pool_name)
    queue.push({"id": f"{pool_name}-second", "type": "echo", "data": {}})
    queue.until_done([f"{pool_name}-first"])
    eventually(lambda: not kube.all_pods_of(pool_name))
    assert queue.depths()["pending"] == 1
    edworkers("resume", pool_name)
    queue.until_done([f"{pool_name}-second"])


def test_a_used_up_day_means_no_pods_though_jobs_wait_until_the_limit_opens(
    kube: Kube, queue: Queue, pool_name: str
) -> None:
    kube.apply(worker_pool(pool_name, limits=[{"name": "day", "limit": 2, "window": "day"}]))
    kube.until_ready(pool_name)
    jobs = [f"{pool_name}-{number}" for number in range(5)]
    queue.push(*({"id": job, "type": "echo", "data": {}} for job in jobs))
    eventually(lambda: queue.states(jobs)["done"] == 2)
    eventually(lambda: kube.condition(pool_name, "Throttled").get("reason") == "LimitReached")
    eventually(lambda: not kube.all_pods_of(pool_name), lambda: kube.run("get", "pods,scaledobjects"))
    queue.until_keda_has_looked()
    assert kube.all_pods_of(pool_name) == []
    assert queue.states(jobs)["done"] == 2
    assert queue.depths()["pending"] == 3
    status = (kube.get("workerpool", pool_name) or {})["status"]
    assert [(limit["name"], limit["used"], limit["limit"]) for limit in status["limits"]] == [("day", 2, 2)]
    assert "day (2 of 2)" in kube.condition(pool_name, "Throttled")["message"]
    # What midnight does: the key that closes the queue runs out, and the new day has used nothing.
    queue.client.delete(f"edworkers:{{limit:{queue.name}}}:used")
    queue.client.pexpire(queue.key("throttled"), 1000)
    eventually(lambda: queue.states(jobs)["done"] == 4, lambda: (queue.states(jobs), kube.run("get", "pods")))
