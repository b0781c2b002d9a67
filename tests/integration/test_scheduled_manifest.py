"""The CronJobs of the example manifest: each only enqueues, and a double start enqueues once."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.integration.command_line import CommandLine, Jobs

from edworkers_operator.render.pool import render
from edworkers_operator.settings import Capabilities, RedisAddress, RenderSettings
from edworkers_operator.workerpool import read_worker_pool

MANIFEST = yaml.safe_load((Path(__file__).parents[2] / "manifests" / "examples" / "scheduled.yaml").read_text())
SETTINGS = RenderSettings(image="edworkers-runner", redis=RedisAddress(addresses=("127.0.0.1:6379",)))
CRON_JOBS = [
    found for found in render(read_worker_pool(MANIFEST), None, SETTINGS, Capabilities()) if found["kind"] == "CronJob"
]


@pytest.mark.parametrize("cron_job", CRON_JOBS, ids=[found["metadata"]["name"] for found in CRON_JOBS])
async def test_a_schedule_of_the_example_enqueues_its_job_once_however_often_its_pod_is_started(
    cron_job: dict[str, Any], tmp_path: Path, redis_url: str
) -> None:
    [pod] = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    name = f"school.{cron_job['metadata']['name']}-29512345"
    words = [word.replace("$(POD_NAMESPACE).$(JOB_NAME)", name) for word in pod["args"]]
    env = {variable["name"]: variable["value"] for variable in pod["env"] if variable["name"].startswith("EDWORKERS_")}
    shell = CommandLine(tmp_path, redis_url)
    runs = [await shell.run(*words, **env) for _ in range(2)]
    assert [ran.code for ran in runs] == [0, 0], runs
    jobs = Jobs(redis_url, "scheduled")
    [job] = await jobs.waiting()
    await jobs.client.aclose()
    wanted = {each["job"]["type"]: each["job"]["data"] for each in MANIFEST["spec"]["schedules"]}
    assert (job["id"], job["data"]) == (name, wanted[job["type"]])


def test_all_four_are_there() -> None:
    assert len(CRON_JOBS) == 4
