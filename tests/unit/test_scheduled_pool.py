"""The pool of the queue `scheduled`, and the schedules of its example manifest."""

from pathlib import Path

import yaml

from edworkers.core.settings import PoolSpec
from edworkers.handlers import registry
from edworkers.handlers.scheduled import MODULE
from edworkers_operator.workerpool import read_worker_pool

MANIFEST = yaml.safe_load((Path(__file__).parents[2] / "manifests" / "examples" / "scheduled.yaml").read_text())
HANDLERS = {handler.type: handler for handler in MODULE.handlers}


def test_the_example_manifest_is_the_pool() -> None:
    spec = {name: value for name, value in MANIFEST["spec"].items() if name != "schedules"}
    assert PoolSpec.model_validate(spec) == MODULE.pool


def test_the_slots_the_time_and_the_attempts_are_those_of_the_platform() -> None:
    pool = MODULE.pool
    assert (pool.concurrency, pool.job.timeout_seconds, pool.job.max_attempts) == (1, 1800, 3)


def test_each_of_the_four_tasks_has_a_schedule_whose_job_its_handler_takes() -> None:
    schedules = read_worker_pool(MANIFEST).spec.schedules
    jobs = {schedule.job.type: schedule.job.data for schedule in schedules}
    assert set(jobs) == {"token-cleanup", "report", "database-backup", "notification-batch"}
    for kind, data in jobs.items():
        HANDLERS[kind].data.model_validate(data)


def test_the_environment_sets_the_slots() -> None:
    assert registry.override(MODULE, MODULE.pool, {"SCHEDULED_WORKER_CONCURRENCY": "2"}).concurrency == 2


def test_what_computes_or_starts_programs_has_a_process_of_its_own() -> None:
    isolated = {handler.type for handler in MODULE.handlers if handler.isolation == "process"}
    assert isolated == {"report", "database-backup"}
