"""What a schedule starts puts its job on the queue as it stands in the pool, whatever signs are in it."""

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.render_cases import KEDA, SETTINGS, pool

from edworkers.core.job import Job, decode
from edworkers_operator.render.pool import render

VARIABLES = {"POD_NAMESPACE": "school", "JOB_NAME": "night-daily-29512345", "REDIS_PORT": "6379"}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def cron_job(job: dict[str, Any], **spec: Any) -> dict[str, Any]:
    schedule = {"name": "daily", "schedule": "0 3 * * *", "timeZone": "Europe/Berlin", "job": job}
    objects = render(pool(schedules=[schedule], **spec), None, SETTINGS, KEDA)
    [found] = [rendered for rendered in objects if rendered["kind"] == "CronJob"]
    return found


def started(job: dict[str, Any]) -> list[str]:
    """The command line as a container has it: Kubernetes puts in variables, and takes `$$` for `$`."""
    [container] = cron_job(job)["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return [
        re.sub(
            r"\$(?:(\$)|\(([^)]*)\))",
            lambda match: match[1] or VARIABLES.get(match[2], match[0]),
            argument,
        )
        for argument in container["args"]
    ]


@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=4), st.none() | st.text("a$()-@\"'é ", min_size=1))
@example({"data": {"price": "$(REDIS_PORT)$$$"}, "specversion": "1.0"}, "$(JOB_NAME)")
@example({"-": "--id"}, "--type")
def test_the_job_is_the_one_that_the_pool_says(data: dict[str, Any], kind: str | None) -> None:
    command, queue, job, *_ = started({"data": data, **({} if kind is None else {"type": kind})})
    decoded = decode(job.encode(), "none", 0)
    assert isinstance(decoded, Job)
    assert (command, queue, decoded.data, decoded.type) == ("enqueue", "night", data, kind)
    assert job[0] == "{"  # neither an option, nor @FILE, nor - for stdin


def test_the_job_is_known_by_the_minute_for_which_it_was_started() -> None:
    *_, option, job_id, once = started({})
    assert (option, job_id, once) == ("--id", "school.night-daily-29512345", "--once")


def test_the_longest_id_is_one() -> None:
    job_id = ".".join(("n" * 63, "j" * 63))
    decoded = decode(json.dumps({"id": job_id, "data": {}}).encode(), "none", 0)
    assert isinstance(decoded, Job)
    assert decoded.id == job_id


@pytest.mark.parametrize("suspend", [True, False])
def test_schedules_rest_while_the_pool_is_suspended(suspend: bool) -> None:  # noqa: FBT001
    assert cron_job({}, suspend=suspend)["spec"]["suspend"] is suspend


def test_a_schedule_keeps_its_time_zone() -> None:
    spec = cron_job({})["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("0 3 * * *", "Europe/Berlin")


def test_a_pod_that_only_enqueues_takes_nothing_of_what_the_handlers_need() -> None:
    job = cron_job({}, resources={"requests": {"memory": "64Gi"}})
    [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"]["memory"] == "96Mi"
