"""Which queues a server serves, from manifests."""

import json
from pathlib import Path
from typing import Any

import pytest

from edworkers.cli.server_queues import PlanFile, PlannedQueue, ServedQueues, read_plan
from edworkers.core.errors import SettingsError
from edworkers.server.platform import ServedQueue


def manifest(queue: str, **spec: Any) -> str:
    whole = {"queue": queue, "handlers": "edworkers.handlers.ai", **spec}
    return json.dumps({"apiVersion": "edworkers.dev/v1alpha1", "kind": "WorkerPool", "spec": whole})


def test_schedules_are_read_with_their_queue() -> None:
    schedules = [{"name": "nightly", "schedule": "30 2 * * *", "timeZone": "Europe/Berlin", "job": {"data": {"a": 1}}}]
    [planned] = read_plan(manifest("work", schedules=schedules), "a file")
    [schedule] = planned.schedules
    assert (schedule.name, schedule.schedule, schedule.time_zone, schedule.job.data) == (
        "nightly",
        "30 2 * * *",
        "Europe/Berlin",
        {"a": 1},
    )
    assert read_plan(manifest("work"), "a file")[0].schedules == ()


def test_every_fault_of_a_schedule_is_named() -> None:
    with pytest.raises(SettingsError) as refused:
        read_plan(manifest("work", schedules=[{"name": "", "cron": "x"}]), "a file")
    told = "\n".join(refused.value.faults)
    for name in ("spec.schedules.0.name", "spec.schedules.0.schedule", "spec.schedules.0.cron"):
        assert name in told
    with pytest.raises(SettingsError, match="must be a list"):
        read_plan(manifest("work", schedules={}), "a file")


def test_two_pools_of_one_queue_are_served_once_with_the_schedules_of_both() -> None:
    one, two = ([{"name": name, "schedule": "0 1 * * *"}] for name in ("a", "b"))
    text = f"{manifest('work', schedules=one)}\n---\n{manifest('work', schedules=two)}"
    [planned] = read_plan(text, "a file")
    assert [schedule.name for schedule in planned.schedules] == ["a", "b"]


def test_the_examples_of_the_manifests_are_read() -> None:
    path = Path(__file__).parents[2] / "manifests" / "examples" / "scheduled.yaml"
    [planned] = read_plan(path.read_text(), str(path))
    assert "token-cleanup" in [schedule.name for schedule in planned.schedules]


def test_a_file_is_looked_at_once_a_second_and_a_broken_one_leaves_those_before(tmp_path: Path) -> None:
    now = 100.0
    path = tmp_path / "pools.yaml"
    plan = PlanFile(path, lambda: now)
    assert plan() == []
    path.write_text(manifest("work"))
    assert plan() == []
    now += 1
    assert [planned.spec.queue for planned in plan()] == ["work"]
    path.write_text("nonsense: [")
    now += 1
    assert [planned.spec.queue for planned in plan()] == ["work"]


def test_a_queue_is_opened_again_only_when_its_settings_change() -> None:
    opened: list[str] = []

    def open_queue(planned: PlannedQueue) -> ServedQueue:
        opened.append(f"{planned.spec.queue} {planned.spec.concurrency}")
        return ServedQueue(planned.spec, _NONE, _NONE, _NONE)

    plans = [read_plan(f"{manifest('a')}\n---\n{manifest('b', concurrency=slots)}", "f") for slots in (1, 1, 2)]
    queues = ServedQueues(lambda: plans[0], open_queue)
    queues()
    queues()
    plans.pop(0)
    queues()
    assert opened == ["a 1", "b 1"]
    plans.pop(0)
    assert list(queues()) == ["a", "b"]
    assert opened == ["a 1", "b 1", "b 2"]


_NONE: Any = None
