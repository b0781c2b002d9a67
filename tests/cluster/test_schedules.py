"""Scheduled tasks: CronJobs that only enqueue, and never twice."""

import json

import pytest
from tests.cluster.kube import Kube, eventually, worker_pool
from tests.cluster.release import Queue

pytestmark = pytest.mark.timeout(240)

EVERY_MINUTE = {"name": "tick", "schedule": "* * * * *", "job": {"type": "mark", "data": {"key": "e2e:ticks"}}}


def test_a_cron_job_fires_and_its_job_runs_once_even_when_it_is_started_twice(
    kube: Kube, queue: Queue, pool_name: str
) -> None:
    kube.apply(worker_pool(pool_name, schedules=[EVERY_MINUTE]))
    kube.until_ready(pool_name)
    cron_job = f"{pool_name}-tick"
    fired = eventually(lambda: kube.find("jobs", f"edworkers.dev/pool={pool_name}"))[0]["metadata"]["name"]
    job_id = f"{kube.namespace}.{fired}"
    queue.until_done([job_id])
    assert queue.runs(job_id) == 1
    # A second start of the same Job, as a controller may do by mistake: two pods with one Job's name.
    twice = json.loads(
        kube.run("create", "job", "twice", f"--from=cronjob/{cron_job}", "--dry-run=client", "-o", "json")
    )
    twice["spec"] |= {"completions": 2, "parallelism": 2}
    kube.run("create", given=twice)
    kube.run("wait", "--for=condition=Complete", "job/twice", "--timeout=100s")
    assert (kube.get("job", "twice") or {})["status"]["succeeded"] == 2
    twice_id = f"{kube.namespace}.twice"
    queue.until_done([twice_id])
    assert queue.runs(twice_id) == 1
    assert queue.depths()["dead"] == 0
    kube.run("delete", "job", "twice")
    schedule = (kube.get("workerpool", pool_name) or {})["status"]["schedules"][0]
    assert (schedule["name"], schedule["cronJob"]) == ("tick", cron_job)
    assert schedule["lastScheduleTime"]


def test_a_suspended_pool_enqueues_nothing(kube: Kube, pool_name: str) -> None:
    kube.apply(worker_pool(pool_name, schedules=[EVERY_MINUTE], suspend=True))
    kube.until_ready(pool_name)
    assert (kube.get("cronjob", f"{pool_name}-tick") or {})["spec"]["suspend"] is True
