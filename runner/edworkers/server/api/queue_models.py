"""What the API answers of queues and schedules."""

from typing import Literal

from edworkers.server.api.models import Answer, Object, Time


class Limit(Answer):
    """One limit, and how much of it is used."""

    name: str
    counts: Literal["jobs", "tokens"]
    window: Literal["minute", "day", "month"]
    used: int
    limit: int
    resets_at: Time
    """When the window ends; of a rolling minute, when the first of it comes back."""


class Throttled(Answer):
    """Why no runner can claim jobs now, though the queue isn't paused."""

    reason: Literal["limit", "service"]
    detail: str
    until: Time = None


class Jobs(Answer):
    """How many jobs are where."""

    pending: int
    inflight: int
    delayed: int
    dead: int


class Rates(Answer):
    """How the queue got on in the last five minutes, as far as servers have sampled it."""

    done_per_minute: float | None = None
    failed_per_minute: float | None = None
    """Attempts that failed."""
    arrived_per_minute: float | None = None
    """Jobs that left the list for a runner."""
    latency_seconds: float | None = None
    """Median time from enqueue to start."""
    slow_latency_seconds: float | None = None
    """The 95th percentile of it."""


class Queue(Answer):
    """How a queue stands."""

    name: str
    handlers: str
    checked: bool
    """Whether the data of jobs is checked here; where their handlers aren't installed, only runners check it."""
    jobs: Jobs
    oldest_seconds: float | None = None
    """How long the oldest waiting job has waited."""
    runners: int
    paused: bool
    throttled: Throttled | None = None
    groups_shut: int = 0
    limits: list[Limit]
    rates: Rates
    totals: dict[str, int]
    """Moves of jobs since the queue began, by verb."""


class Queues(Answer):
    """All queues that the key may see."""

    queues: list[Queue]


class PauseChange(Answer):
    """What became of a request to pause or resume a queue."""

    queue: str
    paused: bool
    changed: bool
    """False where it was so already."""


class ScheduledJob(Answer):
    """A job that the clock begins."""

    queue: str
    name: str
    cron: str
    time_zone: str
    job: Object
    last_at: Time = None
    """When a cluster last began it; null where that isn't known."""
    next_at: Time = None


class Schedules(Answer):
    """All schedules of queues that the key may see."""

    schedules: list[ScheduledJob]
