"""Which schedule began a job: its id says so, whether the clock began it or somebody ran it now. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping

from edworkers.ports.browse import JobSummary

_BY_CLOCK = re.compile(r"[^.]+\.(?P<job>.+)-\d+")
"""The namespace, and the name of a Job: that of its CronJob and the minute. The CronJob's is `pool-schedule`."""
_BY_HAND = "-now-"


def id_of_run(schedule: str, new_id: str) -> str:
    """Name a job of a schedule that somebody runs now; `new_id` tells it from others."""
    return f"{schedule}{_BY_HAND}{new_id}"


def schedule_of(job_id: str, names: Collection[str]) -> str | None:
    """Tell which of these schedules began a job; None if none of them did."""
    by_hand, mark, _ = job_id.rpartition(_BY_HAND)
    if mark:
        return by_hand if by_hand in names else None
    found = _BY_CLOCK.fullmatch(job_id)
    if found is None:
        return None
    fitting = [name for name in names if found["job"].endswith(f"-{name}")]
    return max(fitting, key=len, default=None)  # one may be called as the end of another is


def latest_of_each(jobs: Iterable[JobSummary], names: Collection[str]) -> Mapping[str, JobSummary]:
    """Find the latest job of each schedule; a job that doesn't say since when it is where it is counts as new."""
    latest: dict[str, JobSummary] = {}
    for job in jobs:
        name = schedule_of(job.id, names)
        if name is not None and (name not in latest or _at(job) > _at(latest[name])):
            latest[name] = job
    return latest


def _at(job: JobSummary) -> float:
    return float("inf") if job.at is None else job.at
