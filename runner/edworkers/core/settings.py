"""What a pool of runners is told: the part of a WorkerPool's spec on which the runner itself acts.

Field names in manifests are camelCase (`maxAttempts`), here snake_case.
"""

import re
from functools import cache
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

from edworkers.core.keys import QUEUE_NAME

MAX_PAYLOAD_BYTES = 1024 * 1024
_MOST_FAULTS = 50
_LONGEST_NAME = 60
_QUANTITY = re.compile(r"([0-9]{1,15})(Ki|Mi|Gi)?")
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


TimeZone = Annotated[str, AfterValidator(_check_zone)]


class Settings(BaseModel):
    """Frozen settings with camelCase names outside, unknown names refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, allow_inf_nan=False
    )


class Backoff(Settings):
    """How the wait between attempts grows."""

    initial_seconds: float = Field(default=2, ge=0, le=86400)
    factor: float = Field(default=2, ge=1, le=10)
    max_seconds: float = Field(default=600, ge=0, le=86400)
    jitter: float = Field(default=0.2, ge=0, le=1)


class JobPolicy(Settings):
    """What every job of a pool may take; a job may ask for less, never for more."""

    timeout_seconds: float = Field(default=60, gt=0, le=86400)
    max_attempts: int = Field(default=3, ge=1, le=100)
    max_deliveries: int = Field(default=3, ge=1, le=100)
    """How often a job may lose its runner before it counts as a poison pill."""
    backoff: Backoff = Backoff()


class Window(Settings):
    """At most `limit` jobs in a rolling minute, or in a calendar day or month of a time zone."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")
    limit: int = Field(ge=1)
    window: Literal["minute", "day", "month"]
    time_zone: TimeZone = "Etc/UTC"

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which days and months begin."""
        return ZoneInfo(self.time_zone)


class Retention(Settings):
    """How long and how large the records of finished jobs may grow."""

    result_seconds: int = Field(default=86400, ge=0)
    dead_seconds: int = Field(default=604800, ge=1)
    max_bytes: Annotated[int, BeforeValidator(parse_bytes)] = Field(default=256 * 1024**2, ge=0)


class Autoscaling(Settings):
    """How many pods the cluster may run."""

    max_replicas: int = Field(default=10, ge=1)
    min_replicas: int = Field(default=0, ge=0)
    target_per_replica: int | None = Field(default=None, ge=1)
    polling_interval_seconds: int = Field(default=5, ge=1)
    cooldown_seconds: int = Field(default=60, ge=0)
    behavior: dict[str, Any] = Field(default_factory=dict[str, Any])
    """How the HorizontalPodAutoscaler is to scale, as Kubernetes has it."""

    @field_validator("min_replicas")
    @classmethod
    def _check_least(cls, least: int, others: ValidationInfo) -> int:
        most = others.data.get("max_replicas", least)
        if least > most:
            raise ValueError(f"{least} is above maxReplicas {most}")
        return least


class PoolSpec(Settings):
    """The spec of a WorkerPool."""

    queue: str = Field(pattern=f"^{QUEUE_NAME.pattern}$")
    handlers: str = Field(pattern=r"^[A-Za-z_][\w.]*$")
    concurrency: int = Field(default=1, ge=1, le=10000)
    autoscaling: Autoscaling | None = None
    replicas: int | None = Field(default=None, ge=0)
    limits: tuple[Window, ...] = Field(default=(), max_length=8)
    job: JobPolicy = JobPolicy()
    retention: Retention = Retention()
    lease_seconds: float = Field(default=15, ge=0.2, le=3600)
    """How long a silent runner keeps its jobs before they are given to another."""
    suspend: bool = False

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
        if [window.window for window in limits].count("minute") > 1:
            faults.append("only one of the limits may be for a minute")
        if faults:
            raise ValueError("; ".join(faults))
        return limits


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
