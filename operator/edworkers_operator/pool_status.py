"""What the operator says of a pool in its `status`.

Every number may be absent: a reading that failed is never zero. The operator writes plain objects of this shape.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from edworkers.core.settings import Settings

CONDITIONS = {
    "Ready": "The pool does what its spec says. An idle pool with no pods is ready.",
    "Progressing": "Pods are being replaced or started.",
    "ScalerReady": "KEDA has taken the pool's ScaledObject; without KEDA a fixed number of pods runs.",
    "SchedulesReady": "Every schedule has its CronJob.",
    "Throttled": "A limit is used up or the queue is paused: jobs wait, and no pods are kept for them.",
    "Degraded": "Something that should run does not; the reason and the message say what.",
    "Stalled": "The operator can't go on until the spec is changed.",
}
"""Each type of condition, and what it means when it is True."""

Count = Annotated[int, Field(ge=0)]


class Condition(Settings):
    """One aspect of how the pool is, as every Kubernetes resource tells it."""

    type: Annotated[str, Field(max_length=316)]
    """Ready, Progressing, ScalerReady, SchedulesReady, Throttled, Degraded or Stalled."""
    status: Literal["True", "False", "Unknown"]
    """Whether it is so."""
    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    """Why, in one word for programs."""
    message: Annotated[str, Field(max_length=32768)]
    """Why, in words for people, and what to do."""
    last_transition_time: AwareDatetime
    """When status changed last."""
    observed_generation: Count | None = None
    """The generation of the spec that this was said of."""


class QueueStatus(Settings):
    """What is in the queue; absent what could not be read."""

    pending: Count | None = None
    """Jobs that wait."""
    inflight: Count | None = None
    """Jobs that a runner holds."""
    delayed: Count | None = None
    """Jobs that wait for their time or for their next attempt."""
    dead: Count | None = None
    """Dead letters."""
    oldest_seconds: Count | None = None
    """For how many seconds the oldest pending job has waited."""


class LimitStatus(Settings):
    """How much of a limit is used."""

    name: Annotated[str, Field(max_length=63)]
    """Which of the spec's limits."""
    used: Count | None = None
    """How many jobs have started in the window."""
    limit: Count | None = None
    """How many may."""
    resets_at: AwareDatetime | None = None
    """When the window ends."""


class ScheduleStatus(Settings):
    """What became of a schedule."""

    name: Annotated[str, Field(max_length=63)]
    """Which of the spec's schedules."""
    cron_job: Annotated[str, Field(max_length=63)] | None = None
    """Its CronJob."""
    last_schedule_time: AwareDatetime | None = None
    """When it fired last."""
    last_successful_time: AwareDatetime | None = None
    """When it enqueued its job last."""


class WorkerPoolStatus(Settings):
    """How the pool is, as the operator last saw it."""

    observed_generation: Count | None = None
    """The generation of the spec that the operator has acted on."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()
    """How the pool is, by aspect; wait for it with: kubectl wait --for=condition=Ready wp/<name>."""
    replicas: Count | None = None
    """How many pods there are."""
    ready_replicas: Count | None = None
    """How many of them take jobs."""
    selector: Annotated[str, Field(max_length=1024)] | None = None
    """The labels of the pool's pods, as kubectl get pods -l takes them."""
    queue: QueueStatus | None = None
    """What is in the queue."""
    limits: Annotated[tuple[LimitStatus, ...], Field(max_length=8)] = ()
    """How much of each limit is used."""
    schedules: Annotated[tuple[ScheduleStatus, ...], Field(max_length=32)] = ()
    """What became of each schedule."""
    image: Annotated[str, Field(max_length=512)] | None = None
    """The image that the pods run."""
