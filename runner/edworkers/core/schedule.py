"""The schedules of a pool: jobs that the clock begins, as those who show and run them by hand need them."""

from collections.abc import Mapping
from typing import Annotated, Any, cast

from pydantic import Field, ValidationError

from edworkers.core.settings import Settings, faults_of


class PlannedJob(Settings):
    """The job that a schedule enqueues."""

    type: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    data: dict[str, Any] = Field(default_factory=dict[str, Any])


class PlannedSchedule(Settings):
    """When a job is enqueued by the clock; only the operator looks closely at its cron."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    schedule: Annotated[str, Field(min_length=1, max_length=256)]
    time_zone: Annotated[str, Field(max_length=64)] = "Etc/UTC"
    job: PlannedJob = PlannedJob()


def read_schedules(document: object, faults: list[str]) -> tuple[PlannedSchedule, ...]:
    """Read the schedules of one manifest; each of their faults is added to `faults`."""
    spec = _field(document, "spec")
    found = _field(spec, "schedules")
    if found is None:
        return ()
    if not isinstance(found, list):
        faults.append("spec.schedules: must be a list")
        return ()
    schedules: list[PlannedSchedule] = []
    for at, schedule in enumerate(cast("list[object]", found)):
        try:
            schedules.append(PlannedSchedule.model_validate(schedule, by_alias=True, by_name=False))
        except ValidationError as error:
            place = ("spec", "schedules", at)
            faults += faults_of([((*place, *fault["loc"]), fault["msg"]) for fault in error.errors(include_url=False)])
    return tuple(schedules)


def _field(document: object, name: str) -> object:
    return cast("Mapping[str, object]", document).get(name) if isinstance(document, dict) else None
