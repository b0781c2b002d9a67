"""Which schedule began a job, by the job's id."""

import pytest

from edworkers.core.lifecycle import State
from edworkers.ports.browse import JobSummary
from edworkers.server.schedule_runs import id_of_run, latest_of_each, schedule_of

NAMES = {"backup", "db-backup", "logins"}


@pytest.mark.parametrize(
    ("job_id", "schedule"),
    [
        ("school.scheduled-backup-29413217", "backup"),
        ("school.scheduled-db-backup-29413217", "db-backup"),
        ("school.my-pool-logins-29413217", "logins"),
        (id_of_run("db-backup", "01k7"), "db-backup"),
        (id_of_run("backup", "a-now-b"), None),
        (id_of_run("gone", "01k7"), None),
        ("school.scheduled-backup", None),
        ("school.scheduled-backups-29413217", None),
        ("backup-29413217", None),
        ("backup", None),
        ("", None),
    ],
)
def test_a_jobs_id_tells_which_schedule_began_it(job_id: str, schedule: str | None) -> None:
    assert schedule_of(job_id, NAMES) == schedule


def test_the_latest_job_of_each_schedule_is_found_whoever_began_it() -> None:
    jobs = [
        JobSummary("school.scheduled-backup-1", State.DONE, at=1),
        JobSummary("backup-now-x", State.DEAD, at=3),
        JobSummary("school.scheduled-backup-2", State.DONE, at=2),
        JobSummary("school.scheduled-logins-1", State.DONE, at=9),
        JobSummary("school.scheduled-logins-2", State.PENDING),
        JobSummary("report-7", State.DONE, at=10),
    ]
    latest = latest_of_each(jobs, NAMES)
    assert {name: job.id for name, job in latest.items()} == {
        "backup": "backup-now-x",
        "logins": "school.scheduled-logins-2",
    }
