"""The WorkerPool resource as users write it: what runners act on, and how a cluster makes and starts their pods.

Pure: a manifest goes in as plain values, a frozen model or all of its faults come out.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from edworkers.core.errors import SettingsError
from edworkers.core.settings import Autoscaling, PoolSpec, Settings, TimeZone, faults_of
from edworkers_operator.pod_fields import (
    Affinity,
    EnvFrom,
    EnvVar,
    Labels,
    Resources,
    Shaped,
    Toleration,
    TopologySpread,
)

LONGEST_POOL_NAME = 53
"""A pool's objects are called `edworkers-<pool>`, and a label's value may have 63 characters."""
LONGEST_CRON_JOB_NAME = 52
"""Kubernetes adds eleven characters to a CronJob's name for each Job, whose name may have 63."""
OWN_LABELS = (
    "app.kubernetes.io/component",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/name",
)
OWN_PREFIX = "edworkers.dev/"

_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
_CLASS = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"


def _cron_field(value: str) -> str:
    part = rf"([*]|{value}(-{value})?)(/[1-9][0-9]?)?"
    return f"{part}(,{part})*"


CRON = "^{}$".format(
    " +".join(
        _cron_field(value)
        for value in (
            "[0-5]?[0-9]",
            "([01]?[0-9]|2[0-3])",
            "(0?[1-9]|[12][0-9]|3[01])",
            "(0?[1-9]|1[0-2]|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))",
            "([0-6]|(?i:sun|mon|tue|wed|thu|fri|sat))",
        )
    )
)
"""Five fields of cron, as Kubernetes' CronJobs and every other cron understand them."""

_CRON = re.compile(CRON)

Name = Annotated[str, Field(pattern=_NAME, max_length=63)]
PoolName = Annotated[Name, Field(max_length=LONGEST_POOL_NAME)]
Object = dict[str, Any]


def _check_cron(schedule: str) -> str:
    if "TZ=" in schedule:
        raise ValueError("the zone goes into timeZone, not into the schedule")
    if _CRON.fullmatch(schedule) is None:
        raise ValueError(
            "must be five fields of cron (minute hour day month weekday) made of numbers, names and * , - /"
        )
    return schedule


def _are_unique(names: Iterable[object]) -> bool:
    listed = list(names)
    return len(set(listed)) == len(listed)


class ScheduledJob(Settings):
    """The job that a schedule enqueues."""

    type: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """Which kind of job, where the handlers tell several kinds apart."""
    data: dict[str, Any] = Field(default_factory=dict[str, Any])
    """The job's data, as its handler reads it."""


class Schedule(Settings):
    """When a job is enqueued by the clock."""

    name: Name
    """What the schedule is called; its CronJob is called <pool>-<name>, which may have 52 characters."""
    schedule: Annotated[str, Field(max_length=256), AfterValidator(_check_cron)]
    """Five fields of cron (minute hour day month weekday), such as 0 3 * * mon-fri. The zone goes into timeZone."""
    time_zone: TimeZone = "Etc/UTC"
    """In which time zone the schedule is meant, such as America/Los_Angeles."""
    job: ScheduledJob = ScheduledJob()


class WorkerPoolSpec(PoolSpec):
    """What the pool is to be: its queue, the code that runs its jobs, its size, its limits and its pods."""

    image: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    """The image of the runners, with the handlers in it. Without it: the one the operator was installed with."""
    schedules: Annotated[tuple[Schedule, ...], Field(max_length=32)] = ()
    """Jobs that are enqueued by the clock, each by a CronJob of its own."""
    env: Annotated[tuple[Annotated[Object, Shaped(EnvVar)], ...], Field(max_length=128)] = ()
    """Variables in the environment of the runners, as containers have them. Those that the operator sets itself, which
    tell of the pool and of Redis, stay as they are."""
    env_from: Annotated[tuple[Annotated[Object, Shaped(EnvFrom)], ...], Field(max_length=64)] = ()
    """ConfigMaps and Secrets whose keys become variables of the runners, as containers have them."""
    resources: Annotated[Object, Shaped(Resources)] = Field(default_factory=Object)
    """What each runner asks for and may use of CPU and memory, as containers have it."""
    node_selector: Labels = Field(default_factory=dict[str, str])
    """Labels that a node must have to run these pods."""
    tolerations: Annotated[tuple[Annotated[Object, Shaped(Toleration)], ...], Field(max_length=64)] = ()
    """Taints of nodes that these pods put up with."""
    affinity: Annotated[Object, Shaped(Affinity)] = Field(default_factory=Object)
    """Near which nodes and pods these pods may and should run."""
    topology_spread_constraints: Annotated[
        tuple[Annotated[Object, Shaped(TopologySpread)], ...], Field(max_length=16)
    ] = ()
    """How these pods are spread over zones or nodes."""
    priority_class_name: Annotated[str, Field(pattern=_CLASS, max_length=253)] | None = None
    """The PriorityClass of the pods: where a cluster is full, those of a higher class take the place of lower ones."""
    pod_labels: Labels = Field(default_factory=dict[str, str])
    """Labels added to the pods; those by which the operator knows them can't be given."""
    pod_annotations: Annotated[dict[str, str], Field(max_length=64)] = Field(default_factory=dict[str, str])
    """Annotations added to the pods."""
    deletion_policy: Literal["Delete", "Drain"] = "Delete"
    """What happens when the pool is deleted: Delete ends its pods as soon as they finish what they run; Drain lets them
    empty the queue first, for a bounded time. Jobs that are left stay in Redis either way."""

    @property
    def scaling(self) -> Autoscaling | None:
        """How the pool is autoscaled, by default values where nothing is said; None for a fixed number of pods."""
        return None if self.replicas is not None else self.autoscaling or Autoscaling()

    @field_validator("schedules")
    @classmethod
    def _check_schedules(cls, schedules: tuple[Schedule, ...]) -> tuple[Schedule, ...]:
        if not _are_unique(schedule.name for schedule in schedules):
            raise ValueError("each of the schedules needs a name of its own")
        return schedules

    @field_validator("env")
    @classmethod
    def _check_env(cls, env: tuple[Object, ...]) -> tuple[Object, ...]:
        if not _are_unique(variable["name"] for variable in env):
            raise ValueError("each variable can be given only once")
        return env

    @field_validator("pod_labels")
    @classmethod
    def _check_labels(cls, labels: Mapping[str, str]) -> Mapping[str, str]:
        owned = [key for key in labels if key.startswith(OWN_PREFIX) or key in OWN_LABELS]
        if owned:
            raise ValueError(f"{', '.join(owned)}: the operator sets these itself; take them out")
        return labels


class Metadata(Settings):
    """What the resource is called; whatever else the API server keeps there is left alone."""

    model_config = ConfigDict(extra="ignore")

    name: PoolName
    namespace: Name = "default"


class WorkerPool(Settings):
    """A pool of runners that takes the jobs of one queue, scaled by the length of the queue."""

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
