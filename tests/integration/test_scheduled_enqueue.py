"""The pod that a schedule starts, run as a process: it enqueues its job once, however often it is started."""

from pathlib import Path
from typing import Any

import pytest
from tests.integration.command_line import QUESTION, CommandLine, Jobs

from edworkers_operator.render.pool import render
from edworkers_operator.settings import Capabilities, RedisAddress, RenderSettings
from edworkers_operator.workerpool import read_worker_pool

SETTINGS = RenderSettings(image="edworkers-runner", redis=RedisAddress(addresses=("127.0.0.1:6379",)))


def container(data: dict[str, Any]) -> dict[str, Any]:
    schedule = {"name": "daily", "schedule": "0 3 * * *", "job": {"data": data}}
    pool = read_worker_pool(
        {
            "apiVersion": "edworkers.dev/v1alpha1",
            "kind": "WorkerPool",
            "metadata": {"name": "ai"},
            "spec": {"queue": "ai", "handlers": "edworkers.handlers.ai", "schedules": [schedule]},
        }
    )
    [cron_job] = [o for o in render(pool, None, SETTINGS, Capabilities()) if o["kind"] == "CronJob"]
    found: dict[str, Any] = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    return found


@pytest.fixture
def shell(tmp_path: Path, redis_url: str) -> CommandLine:
    return CommandLine(tmp_path, redis_url)


async def test_a_schedule_enqueues_its_job_once_however_often_its_pod_is_started(
    shell: CommandLine, redis_url: str
) -> None:
    pod = container(QUESTION)
    words = [word.replace("$(POD_NAMESPACE).$(JOB_NAME)", "school.ai-daily-29512345") for word in pod["args"]]
    env = {variable["name"]: variable["value"] for variable in pod["env"] if variable["name"].startswith("EDWORKERS_")}
    runs = [await shell.run(*words, **env) for _ in range(2)]
    assert [ran.code for ran in runs] == [0, 0]
    jobs = Jobs(redis_url, "ai")
    [job] = await jobs.waiting()
    await jobs.client.aclose()
    assert (job["id"], job["data"]) == ("school.ai-daily-29512345", QUESTION)


async def test_a_schedule_whose_job_no_runner_would_take_fails_for_good(shell: CommandLine) -> None:
    pod = container({"prompt": 7})
    env = {variable["name"]: variable["value"] for variable in pod["env"] if variable["name"].startswith("EDWORKERS_")}
    assert (await shell.run(*pod["args"][:3], **env)).code == 9
