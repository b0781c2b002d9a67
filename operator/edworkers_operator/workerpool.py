"""The WorkerPool resource as users write it: what runners act on, and how a cluster makes and starts their pods.

Pure: a manifest goes in as plain values, a frozen model or all of its faults come out.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from edworkers.core.errors import SettingsError
from edworkers.core.settings import PoolSpec, Settings, TimeZone, faults_of

LONGEST_CRON_JOB_NAME = 52
"""Kubernetes adds eleven characters to a CronJob's name for each Job, whose name may have 63."""

_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
_CRON_VALUE = "([0-9]{1,2}|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)"
_CRON_RANGE = rf"(\*|{_CRON_VALUE}(-{_CRON_VALUE})?)(/[0-9]{{1,2}})?"
_CRON = re.compile(rf"{_CRON_RANGE}(,{_CRON_RANGE})*( +{_CRON_RANGE}(,{_CRON_RANGE})*){{4}}", re.IGNORECASE)

Name = Annotated[str, Field(pattern=_NAME)]
Objects = Annotated[tuple[dict[str, Any], ...], Field(max_length=64)]
Labels = Annotated[dict[str, str], Field(max_length=64)]


def _check_cron(schedule: str) -> str:
    if "TZ=" in schedule:
        raise ValueError("the zone goes into timeZone, not into the schedule")
    if _CRON.fullmatch(schedule) is None:
        raise ValueError(
            "must be five fields of cron (minute hour day month weekday) made of numbers, names and * , - /"
        )
    return schedule


class ScheduledJob(Settings):
    """The job that a schedule enqueues."""

    type: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    data: dict[str, Any] = Field(default_factory=dict[str, Any])


class Schedule(Settings):
    """When a job is enqueued by the clock."""

    name: Name
    schedule: Annotated[str, AfterValidator(_check_cron)]
    time_zone: TimeZone = "Etc/UTC"
    job: ScheduledJob = ScheduledJob()


class WorkerPoolSpec(PoolSpec):
    """A pool's whole spec. What belongs to a pod is as Kubernetes has it, and is checked by its API server."""

    image: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    schedules: Annotated[tuple[Schedule, ...], Field(max_length=32)] = ()
    env: Objects = ()
    env_from: Objects = ()
    resources: dict[str, Any] = Field(default_factory=dict[str, Any])
    node_selector: Labels = Field(default_factory=dict[str, str])
    tolerations: Objects = ()
    affinity: dict[str, Any] = Field(default_factory=dict[str, Any])
    topology_spread_constraints: Objects = ()
    pod_labels: Labels = Field(default_factory=dict[str, str])
    pod_annotations: Labels = Field(default_factory=dict[str, str])
    deletion_policy: Literal["Delete", "Drain"] = "Delete"

    @field_validator("schedules")
    @classmethod
    def _check_names(cls, schedules: tuple[Schedule, ...]) -> tuple[Schedule, ...]:
        names = [schedule.name for schedule in schedules]
        if len(set(names)) < len(names):
            raise ValueError("each of the schedules needs a name of its own")
        return schedules


class Metadata(Settings):
    """What the resource is called; whatever else the API server keeps there is left alone."""

    model_config = ConfigDict(extra="ignore")

    name: Name
    namespace: Name = "default"


class WorkerPool(Settings):
    """The resource."""

    # A resource read from the API server has a status beside its spec.
    model_config = ConfigDict(extra="ignore")

    api_version: Literal["edworkers.dev/v1alpha1"]
    kind: Literal["WorkerPool"]
    metadata: Metadata
    spec: WorkerPoolSpec

    @model_validator(mode="after")
    def _check_cron_job_names(self) -> "WorkerPool":
        for schedule in self.spec.schedules:
            name = f"{self.metadata.name}-{schedule.name}"
            if len(name) > LONGEST_CRON_JOB_NAME:
                raise ValueError(f"the CronJob {name} would have {len(name)} characters, and 52 are allowed")
        return self


def read_worker_pool(document: object) -> WorkerPool:
    """Read a resource.

    Raises SettingsError with every fault.
    """
    try:
        return WorkerPool.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        found = faults_of([(fault["loc"], fault["msg"]) for fault in error.errors(include_url=False)])
        raise SettingsError("this WorkerPool can't be used:", found) from error
