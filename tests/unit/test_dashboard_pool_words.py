"""A pool's settings are told in words."""

from edworkers.core.settings import Autoscaling, Circuit, Groups, JobPolicy, PoolSpec, Window
from edworkers.server.dashboard.pool_words import settings_in_words
from edworkers.server.dashboard.wording import THIN


def told(**given: object) -> dict[str, str]:
    spec = PoolSpec.model_validate({"queue": "ai", "handlers": "edworkers.handlers.ai", **given})
    return {name: words.replace(THIN, " ") for name, words in settings_in_words(spec)}


def test_a_pool_of_defaults_is_told_in_full() -> None:
    words = told()
    assert words["Slots"] == "1 job at once in a runner"
    assert words["Size"] == "by default: 0 to 10 pods, by the jobs that wait or run"
    assert words["Limits"] == "none"
    assert words["Fair shares"] == "no: first come, first served"
    assert words["Attempts"] == "3, the first wait 2.0 s, each 2 times as long, at most 10 min"
    assert words["Records kept"] == "results 24 h, dead jobs 7 d, at most 256 MiB"
    assert "Suspended" not in words


def test_limits_shares_and_bounds_are_told() -> None:
    groups = Groups(by="userId", max_inflight=2, circuit=Circuit(failures=5))
    words = told(
        max_inflight=40,
        limits=[Window(name="day", limit=1333, window="day").model_dump()],
        groups=groups.model_dump(),
        autoscaling=Autoscaling(max_replicas=20, target_per_replica=3).model_dump(),
        job=JobPolicy(max_attempts=1, isolation="process", memory=256 * 1024**2).model_dump(),
        retention={"resultSeconds": 0},
        suspend=True,
    )
    assert words["Suspended"] == "its pods are stopped, and jobs wait"
    assert words["Slots"].endswith("40 in all runners")
    assert words["Limits"] == "1333 jobs a day"
    assert words["Fair shares"] == (
        "between groups by userId, 2 jobs of one at once; a group waits after 5 failures in a row"
    )
    assert words["Size"] == "0 to 20 pods, one for each 3 jobs"
    assert words["Attempts"] == "1: it isn't tried again"
    assert words["Where a job runs"] == "in a process of its own, with 256 MiB of memory"
    assert words["Records kept"].startswith("results not at all")
    assert told(replicas=1)["Size"] == "1 pod, always"
