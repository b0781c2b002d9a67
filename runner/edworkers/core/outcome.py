"""What one attempt at a job came to, as values."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A job for another queue, written together with the end of the job that it follows."""

    queue: str
    data: dict[str, Any]
    type: str | None = None
    """Its type, where the queue has several."""
    key: str | None = None
    """Tells it from the others of the same job, and goes into its id: by it a second one is known as a duplicate.
    Without it: its place among them."""


@dataclass(frozen=True, slots=True)
class Done:
    """The work is done; `result` is any JSON value and is kept with the job's record."""

    result: Any = None
    follow_ups: tuple[FollowUp, ...] = ()
    tokens: int | None = None
    """How many tokens the work really used, for limits that count them."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed; it costs an attempt and is retried unless `retryable` is False."""

    kind: str
    message: str
    retryable: bool = True
    traceback: str | None = None
    after_seconds: float | None = None
    """Not before this many seconds from now, where the service said so."""
    answer: str | None = None
    """What the service answered, kept with the error for whoever looks into it; of a long one the beginning."""
    service_down: bool | None = None
    """Whether the service that the job's group stands for failed, which counts towards opening the group's circuit; or
    worked, though this job failed, which closes it. None where nothing is known of it: then nothing changes."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now: try again in `seconds`, at no cost of an attempt."""

    seconds: float
    reason: str
    close_gate: bool = False
    """Whether every runner of the queue is to wait as long."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Not a job that this queue can ever do; every fault is named."""

    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Someone asked for the job to be cancelled, and it was."""


@dataclass(frozen=True, slots=True)
class Released:
    """The runner gives the job back unfinished, at no cost of an attempt."""


Outcome = Done | Failed | Deferred | Rejected | Cancelled | Released


def service_down(outcome: Outcome | None) -> bool | None:
    """Say what an attempt tells of the service that its job's group stands for; None where it tells nothing."""
    match outcome:
        case Done():
            return False
        case Failed():
            return None if outcome.service_down is None else bool(outcome.service_down)
        case _:
            return None
