"""What is killed, replaced or restarted costs no job."""

import json
import signal
from collections.abc import Callable

import pytest
from tests.cluster.kube import Kube, command, eventually, running, signal_active_operator, signal_process, worker_pool
from tests.cluster.release import Queue

pytestmark = pytest.mark.timeout(400)

JOBS = 2000


def test_two_thousand_jobs_survive_a_restart_killed_pods_a_killed_operator_and_a_restarted_keda(  # noqa: PLR0915 - one story
    kube: Kube, queue: Queue, pool_name: str, tell: Callable[[str], None]
) -> None:
    kube.apply(
        worker_pool(pool_name, concurrency=5, autoscaling={"minReplicas": 3, "maxReplicas": 3}, job={"maxAttempts": 1})
    )
    eventually(lambda: len(running(kube.pods_of(pool_name))) == 3, lambda: kube.run("get", "pods"))
    jobs = [f"{pool_name}-{number}" for number in range(JOBS)]
    queue.push(*({"id": job, "type": "sleep", "data": {"seconds": 0.4}} for job in jobs))

    def until_done(share: float) -> None:
        eventually(lambda: queue.states(jobs)["done"] >= share * JOBS, lambda: (queue.states(jobs), queue.depths()))

    until_done(0.1)
    kube.run("rollout", "restart", f"deployment/edworkers-{pool_name}")
    until_done(0.25)
    tell(f"pod killed by the API: {_kill_pod(kube, queue)}")
    until_done(0.4)
    tell(f"runner killed on its node: {_kill_process(queue)}")
    until_done(0.5)
    tell(f"operator killed on its node: {signal_active_operator(kube, signal.SIGKILL)}")
    until_done(0.6)
    command("kubectl", "-n", "keda", "rollout", "restart", "deployment/keda-operator")
    queue.until_done(jobs)
    assert queue.depths() == {"pending": 0, "inflight": 0, "delayed": 0, "dead": 0}
    again = sum(queue.runs(job) > 1 for job in jobs)
    tell(f"{JOBS} of {JOBS} done, {again} of them begun twice because their runner was killed")
    # Five slots of each of two killed runners is what can have been lost and begun again.
    assert 0 < again <= 10
    kube.run("rollout", "status", "deployment/edworkers-operator", "--timeout=100s")
    command("kubectl", "-n", "keda", "rollout", "status", "deployment/keda-operator", "--timeout=100s")
    kube.until_ready(pool_name)


def _kill_pod(kube: Kube, queue: Queue) -> str:
    pod = eventually(queue.holders).pop()
    kube.run("delete", "pod", pod, "--grace-period=0", "--force")
    return pod


def _kill_process(queue: Queue) -> str:
    """SIGKILL a runner from outside its container, as the kernel would."""

    def find() -> str | None:
        for pod in queue.holders():
            if signal_process(f"EDWORKERS_RUNNER_NAME={pod}", signal.SIGKILL):
                return pod
        return None

    return eventually(find)


def test_a_job_whose_only_pod_is_killed_for_its_memory_is_run_again_without_help(
    kube: Kube, queue: Queue, pool_name: str
) -> None:
    little = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "160Mi"}}
    kube.apply(worker_pool(pool_name, autoscaling={"maxReplicas": 1}, resources=little))
    job = f"{pool_name}-hog"
    queue.push({"id": job, "type": "hog", "data": {}})
    queue.until_done([job])
    assert queue.runs(job) == 2
    # The kernel ended it, not we: the container says so.
    ended = [
        status["lastState"]["terminated"]["reason"]
        for pod in kube.all_pods_of(pool_name)
        for status in pod["status"]["containerStatuses"]
        if "terminated" in status.get("lastState", {})
    ]
    assert ended == ["OOMKilled"]


def test_jobs_with_processes_of_their_own_run_in_a_pod_and_are_killed_in_it(
    kube: Kube, queue: Queue, pool_name: str
) -> None:
    isolated = {"isolation": "process", "memory": "128Mi", "timeoutSeconds": 10, "maxAttempts": 1}
    kube.apply(worker_pool(pool_name, concurrency=3, job=isolated, resources={"limits": {"memory": "600Mi"}}))
    done, late, hog = (f"{pool_name}-{name}" for name in ("done", "late", "hog"))
    queue.push(
        {"id": done, "type": "echo", "data": {"x": 1}},
        {"id": late, "type": "sleep", "data": {"seconds": 600}},
        {"id": hog, "type": "hog", "data": {}},
    )
    eventually(lambda: queue.states([done, late, hog]) == {"done": 1, "dead": 2}, queue.depths)
    assert json.loads(queue.record(done)["result"]) == {"x": 1}
    assert json.loads(queue.record(late)["error"])["kind"] == "timeout"
    refused = json.loads(queue.record(hog)["error"])
    assert (refused["kind"], "128 MiB are allowed" in refused["message"]) == ("memory", True)
    assert [pod["status"]["containerStatuses"][0]["restartCount"] for pod in kube.pods_of(pool_name)] in ([0], [])


def test_jobs_of_a_deleted_pool_wait_and_a_pool_made_again_finishes_them(
    kube: Kube, queue: Queue, pool_name: str
) -> None:
    kube.apply(worker_pool(pool_name))
    kube.until_ready(pool_name)
    kube.run("delete", "workerpool", pool_name, "--wait=true")
    eventually(lambda: kube.get("deployment", f"edworkers-{pool_name}") is None)
    jobs = [f"{pool_name}-{number}" for number in range(3)]
    queue.push(*({"id": job, "type": "echo", "data": {"n": 1}} for job in jobs))
    assert queue.depths()["pending"] == 3
    kube.apply(worker_pool(pool_name))
    queue.until_done(jobs)
    assert [queue.runs(job) for job in jobs] == [1, 1, 1]


def test_a_pool_deleted_while_its_jobs_run_lets_them_finish(kube: Kube, queue: Queue, pool_name: str) -> None:
    kube.apply(worker_pool(pool_name))
    job = f"{pool_name}-long"
    queue.push({"id": job, "type": "sleep", "data": {"seconds": 12}})
    eventually(queue.holders)
    kube.run("delete", "workerpool", pool_name, "--wait=true")
    queue.until_done([job])
    assert queue.runs(job) == 1
    eventually(lambda: not kube.all_pods_of(pool_name))


def test_a_pool_that_is_to_drain_goes_when_its_queue_is_empty(kube: Kube, queue: Queue, pool_name: str) -> None:
    kube.apply(worker_pool(pool_name, deletionPolicy="Drain", autoscaling={"maxReplicas": 2}))
    kube.until_ready(pool_name)
    jobs = [f"{pool_name}-{number}" for number in range(6)]
    queue.push(*({"id": job, "type": "sleep", "data": {"seconds": 2}} for job in jobs))
    kube.run("delete", "workerpool", pool_name, "--wait=false")
    eventually(lambda: kube.get("workerpool", pool_name) is None, lambda: (queue.depths(), kube.run("get", "wp,pods")))
    assert queue.states(jobs) == {"done": 6}
