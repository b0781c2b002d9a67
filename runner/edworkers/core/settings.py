"""What a pool of runners is told: the part of a WorkerPool's spec on which the runner itself acts.

Field names in manifests are camelCase (`maxAttempts`), here snake_case.
"""

import re
from functools import cache
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic.alias_generators import to_camel

from edworkers.core.keys import QUEUE_NAME

MAX_PAYLOAD_BYTES = 1024 * 1024
MOST_REPLICAS = 10_000
TEN_YEARS = 10 * 366 * 86400
LONGEST_LEASE_SECONDS = 3600
QUANTITY = r"^([0-9]{1,15})(Ki|Mi|Gi)?$"
"""A number of bytes as Kubernetes writes it."""

_MOST_FAULTS = 50
_LONGEST_NAME = 60
_QUANTITY = re.compile(QUANTITY)
_FACTORS = {None: 1, "Ki": 1024, "Mi": 1024**2, "Gi": 1024**3}


def parse_bytes(value: object) -> object:
    """Read a size as Kubernetes writes it (`256Mi`) into bytes; anything else is left for validation to refuse."""
    if isinstance(value, str):
        match = _QUANTITY.fullmatch(value)
        if match is None:
            raise ValueError("must be a number of bytes such as 1048576, 512Ki, 256Mi or 1Gi")
        return int(match[1]) * _FACTORS[match[2]]
    return value


# To list the zones takes milliseconds, and a runner is to start fast.
_zones = cache(available_timezones)


def _check_zone(name: str) -> str:
    if name not in _zones():
        raise ValueError(f"{name!r} is not a time zone; take a name such as America/Los_Angeles or Etc/UTC")
    return name


TimeZone = Annotated[str, Field(max_length=64), AfterValidator(_check_zone)]
Size = Annotated[
    int,
    BeforeValidator(parse_bytes),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}], "pattern": QUANTITY}),
]


LEAST_MEMORY = 64 * 1024**2
"""Bytes that a process of a job needs for Python itself, and a little work."""


def _check_memory(size: int) -> int:
    if size < LEAST_MEMORY:
        raise ValueError("must be 64Mi or more, for Python itself needs about half of that")
    return size


Memory = Annotated[Size, AfterValidator(_check_memory)]


class Settings(BaseModel):
    """Frozen settings with camelCase names outside, unknown names refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, allow_inf_nan=False
    )


class Backoff(Settings):
    """How the wait between a job's attempts grows: initialSeconds, then each time factor times as long."""

    initial_seconds: float = Field(default=2, ge=0, le=86400)
    """Seconds before the second attempt."""
    factor: float = Field(default=2, ge=1, le=10)
    """How many times as long each further wait is."""
    max_seconds: float = Field(default=600, ge=0, le=86400)
    """No wait is longer than this many seconds."""
    jitter: float = Field(default=0.2, ge=0, le=1)
    """By which part a wait is made shorter or longer at random, so that jobs that failed together don't return so."""


class JobPolicy(Settings):
    """What every job of a pool may take; a job may ask for less, never for more."""

    timeout_seconds: float = Field(default=60, gt=0, le=86400)
    """Seconds that one attempt may take; then it is cancelled and counts as failed."""
    max_attempts: int = Field(default=3, ge=1, le=100)
    """How often a job is tried before it is put among the dead letters."""
    max_deliveries: int = Field(default=3, ge=1, le=100)
    """How often a job may lose its runner before it counts as a poison pill."""
    isolation: Literal["task", "process"] | None = None
    """Where a job runs: as a task in its runner's process, or in a process of its own that is killed when its time is
    up. Without it: as its handler asks for, which is a task unless it says otherwise."""
    memory: Memory | None = None
    """How much memory a job's process may use with all that it starts, such as 512Mi; needs isolation process."""
    backoff: Backoff = Backoff()

    @field_validator("memory")
    @classmethod
    def _check_isolated(cls, memory: int | None, others: ValidationInfo) -> int | None:
        if memory is not None and others.data.get("isolation") == "task":
            raise ValueError("can only be limited for a job with a process of its own: set isolation to process")
        return memory


class Window(Settings):
    """At most `limit` jobs or tokens in a rolling minute, or in a calendar day or month of a time zone."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$", max_length=31)
    """What the limit is called in the pool's status and in metrics."""
    limit: int = Field(ge=1, le=1_000_000_000)
    """How many jobs may start, or tokens be used, within the window, in all runners together."""
    counts: Literal["jobs", "tokens"] = "jobs"
    """What is counted: jobs, or tokens as the handlers estimate them before a job and count them after it."""
    per: Literal["queue", "group"] = "queue"
    """Whether the limit holds for the whole queue, or for each group of jobs by itself; then groups has to be given."""
    window: Literal["minute", "day", "month"]
    """A rolling minute, or a calendar day or month in timeZone. Of limits that count the same for the same, at most one
    may be for a minute."""
    time_zone: TimeZone = "Etc/UTC"
    """In which time zone days and months begin, such as America/Los_Angeles."""

    @property
    def in_words(self) -> str:
        """Say what is allowed: `60 jobs a minute`, `5000 tokens a day for each group`."""
        whose = " for each group" if self.per == "group" else ""
        return f"{self.limit} {self.counts} a {self.window}{whose}"

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which days and months begin."""
        return ZoneInfo(self.time_zone)


class Circuit(Settings):
    """When the jobs of a group wait because the service that the group stands for doesn't work, such as an endpoint."""

    failures: int = Field(default=5, ge=1, le=1000)
    """After how many failures of the service in a row, none of its jobs having succeeded between, its jobs wait."""
    open_seconds: int = Field(default=30, ge=1, le=86400)
    """Seconds that they wait; then one is tried, and each time that it fails as well they wait twice as long."""
    max_open_seconds: int = Field(default=900, ge=1, le=86400)
    """They never wait more seconds than these until one is tried. Not below openSeconds."""


class Groups(Settings):
    """Fair shares between groups of jobs, such as those of one student or one school: a job's `group` names its own."""

    by: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=63)
    """Which field of a job's data names its group, such as userId, where the job itself has no group."""
    max_inflight: int | None = Field(default=None, ge=1, le=1_000_000)
    """How many jobs of one group may run at the same time, in all pods together. Without it: any number."""
    circuit: Circuit | None = None
    """Has a group's jobs wait, at no cost of an attempt, while the service that it stands for doesn't work. Without it:
    each job finds out by itself."""

    # Not at its fields: a default that is at fault would be told by its name in Python.
    @field_validator("circuit")
    @classmethod
    def _check_circuit(cls, circuit: Circuit | None) -> Circuit | None:
        if circuit is not None and circuit.max_open_seconds < circuit.open_seconds:
            raise ValueError(f"maxOpenSeconds {circuit.max_open_seconds} is below openSeconds {circuit.open_seconds}")
        return circuit


class Retention(Settings):
    """How long and how large the records of finished jobs may grow."""

    result_seconds: int = Field(default=86400, ge=0, le=TEN_YEARS)
    """Seconds that the result of a finished job is kept; 0 keeps none."""
    dead_seconds: int = Field(default=604800, ge=1, le=TEN_YEARS)
    """Seconds that a dead letter is kept."""
    max_bytes: Size = Field(default=256 * 1024**2, ge=0, json_schema_extra={"default": "256Mi"})
    """How many bytes the records of finished jobs may take in Redis, such as 512Ki or 1Gi; the oldest go first."""
    keep_data: bool = False
    """Keep the data of jobs that are done with their record, so that they can be looked at and run again."""


class Autoscaling(Settings):
    """How many pods the cluster may run, by the number of jobs that wait or are in flight."""

    max_replicas: int = Field(default=10, ge=1, le=MOST_REPLICAS)
    """The most pods."""
    min_replicas: int = Field(default=0, ge=0, le=MOST_REPLICAS)
    """The fewest pods; with 0 an idle pool has none. Not above maxReplicas."""
    target_per_replica: int | None = Field(default=None, ge=1, le=1_000_000)
    """How many jobs, waiting or in flight, there should be for each pod. Without it: as many as concurrency."""
    polling_interval_seconds: int = Field(default=5, ge=1, le=3600)
    """Seconds between two looks at the queue."""
    cooldown_seconds: int = Field(default=60, ge=0, le=86400)
    """Seconds without a job before the last pod goes, when minReplicas is 0."""
    behavior: dict[str, Any] = Field(default_factory=dict[str, Any])
    """How fast pods are added and removed: scaleUp and scaleDown as a HorizontalPodAutoscaler has them."""

    @field_validator("min_replicas")
    @classmethod
    def _check_least(cls, least: int, others: ValidationInfo) -> int:
        most = others.data.get("max_replicas", least)
        if least > most:
            raise ValueError(f"{least} is above maxReplicas {most}")
        return least


class PoolSpec(Settings):
    """The spec of a WorkerPool."""

    queue: str = Field(pattern=f"^{QUEUE_NAME.pattern}$", max_length=41)
    """The queue whose jobs this pool runs; jobs are pushed on the Redis list edworkers:{<queue>}:pending. Immutable."""
    handlers: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*([.][A-Za-z_][A-Za-z0-9_]*)*$", max_length=253)
    """The Python module in the image whose functions run the jobs, such as edworkers.handlers.ai."""
    concurrency: int = Field(default=1, ge=1, le=10000)
    """How many jobs each pod runs at the same time."""
    autoscaling: Autoscaling | None = None
    """How many pods there may be, by the length of the queue. Its defaults hold where replicas isn't given either."""
    replicas: int | None = Field(default=None, ge=0, le=MOST_REPLICAS)
    """A fixed number of pods, in place of autoscaling."""
    max_inflight: int | None = Field(default=None, ge=1, le=1_000_000)
    """How many jobs of the queue may run at the same time, in all pods together. Without it: as many as
    there are slots."""
    limits: tuple[Window, ...] = Field(default=(), max_length=8)
    """How many jobs may start, or tokens be used, in a window of time, in all pods together; all hold at once."""
    groups: Groups | None = Field(default=None, validate_default=True)
    """Gives groups of jobs fair shares: none waits because another has pushed ten thousand. Without it: first come,
    first served."""
    job: JobPolicy = JobPolicy()
    """What every job of this pool may take; a job may ask for less, never for more."""
    retention: Retention = Retention()
    lease_seconds: float = Field(default=15, ge=0.2, le=LONGEST_LEASE_SECONDS)
    """How many seconds a silent runner keeps its jobs before they are given to another."""
    suspend: bool = False
    """Stops the pool: its pods finish what they run and go, no schedule fires, and jobs wait in the queue."""

    # Each check stands at its field: one for the whole model would wait until every field by itself is right.
    @field_validator("replicas")
    @classmethod
    def _check_replicas(cls, replicas: int | None, others: ValidationInfo) -> int | None:
        if replicas is not None and others.data.get("autoscaling") is not None:
            raise ValueError("give replicas or autoscaling, not both")
        return replicas

    @field_validator("limits")
    @classmethod
    def _check_limits(cls, limits: tuple[Window, ...]) -> tuple[Window, ...]:
        faults: list[str] = []
        if len({window.name for window in limits}) < len(limits):
            faults.append("each of the limits needs a name of its own")
        minutes = [(window.counts, window.per) for window in limits if window.window == "minute"]
        if len(set(minutes)) < len(minutes):
            faults.append("only one of the limits that count the same may be for a minute")
        if faults:
            raise ValueError("; ".join(faults))
        return limits

    @field_validator("groups")
    @classmethod
    def _check_groups(cls, groups: Groups | None, others: ValidationInfo) -> Groups | None:
        limits: tuple[Window, ...] = others.data.get("limits", ())
        if groups is None and any(window.per == "group" for window in limits):
            raise ValueError("has to be given, be it as {}, where one of the limits is per group")
        return groups


def faults_of(errors: list[tuple[tuple[int | str, ...], str]]) -> tuple[str, ...]:
    """Write validation errors (place, message) as one line each: `job.maxAttempts: must be …`.

    Beyond 50 they are only counted: what is kept of a job in Redis must not outgrow the job.
    """
    faults = [_fault(place, message.removeprefix("Value error, ")) for place, message in errors[:_MOST_FAULTS]]
    if len(errors) > _MOST_FAULTS:
        faults.append(f"and {len(errors) - _MOST_FAULTS} more faults")
    return tuple(faults)


def _fault(place: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join(in_short(str(part)) for part in place)}: {message}" if place else message


def in_short(name: str) -> str:
    """Show a stranger's name for a field: cut where it is long, escaped where it would play tricks on a terminal."""
    shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
    return shown if shown.isprintable() else ascii(shown)
