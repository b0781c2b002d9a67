"""A pool's schedules. What they start only puts a job on the queue and ends; a runner works on it.

The job's id is made of the name of the Job, which Kubernetes makes of the CronJob's name and the minute: a pod that is
started once more, and a Job that is, push nothing new.
"""

import json
from collections.abc import Mapping
from typing import Any

from edworkers_operator.naming import CRON_JOB, cron_job_name, labels
from edworkers_operator.render.environment import scheduler_environment
from edworkers_operator.render.metadata import head
from edworkers_operator.render.pod import CONTAINER, DEFAULT_RESOURCES, container, pod_metadata, pod_spec
from edworkers_operator.settings import RenderSettings
from edworkers_operator.workerpool import Schedule, WorkerPool

COMPONENT = "scheduler"

_NOT_WORTH_ANOTHER_TRY = [2, 9]
"""Exit codes of `edworkers enqueue`: settings that can't be used, and a job that no runner would take."""


def cron_job(
    pool: WorkerPool, owner: Mapping[str, Any] | None, settings: RenderSettings, schedule: Schedule
) -> dict[str, Any]:
    """Render the CronJob of a schedule."""
    return {
        **head(CRON_JOB, pool, owner, name=cron_job_name(pool, schedule), component=COMPONENT),
        "spec": {
            "schedule": schedule.schedule,
            "timeZone": schedule.time_zone,
            "suspend": pool.spec.suspend,
            # While Redis is away one Job keeps trying. Those of later minutes would only pile up beside it; the last
            # of them is made up for when it has ended.
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {"metadata": {"labels": labels(pool, COMPONENT)}, "spec": _job(pool, settings, schedule)},
        },
    }


def _job(pool: WorkerPool, settings: RenderSettings, schedule: Schedule) -> dict[str, Any]:
    only = container(
        pool,
        settings,
        args=_command(pool, schedule),
        env=scheduler_environment(pool, settings.redis),
        # Those of the pool are for its handlers' work.
        resources=DEFAULT_RESOURCES,
    )
    hopeless = {"containerName": CONTAINER, "operator": "In", "values": _NOT_WORTH_ANOTHER_TRY}
    return {
        # Eight more pods, each after twice the wait of the one before, take some twenty minutes.
        "backoffLimit": 8,
        "activeDeadlineSeconds": 1800,
        "ttlSecondsAfterFinished": 86400,
        "podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": hopeless}]},
        "template": {
            "metadata": pod_metadata(pool, COMPONENT),
            "spec": {**pod_spec(pool, settings, only), "restartPolicy": "Never"},
        },
    }


def _command(pool: WorkerPool, schedule: Schedule) -> list[str]:
    return [
        "enqueue",
        pool.spec.queue,
        _literal(_envelope(schedule)),
        "--id",
        "$(POD_NAMESPACE).$(JOB_NAME)",
        "--once",
    ]


def _envelope(schedule: Schedule) -> str:
    """Write the job whole: data that has a `data` of its own would be taken for a job."""
    job: dict[str, Any] = {"data": schedule.job.data}
    if schedule.job.type is not None:
        job["type"] = schedule.job.type
    return json.dumps(job, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _literal(text: str) -> str:
    """Keep Kubernetes from reading `$(NAME)` in it as a variable."""
    return text.replace("$", "$$")
