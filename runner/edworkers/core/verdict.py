"""The whole retry story: from an outcome to what becomes of the job."""

from dataclasses import dataclass
from typing import Any, assert_never

from edworkers.core.outcome import Cancelled, Deferred, Done, Failed, FollowUp, Outcome, Rejected, Released
from edworkers.core.retry import backoff_seconds
from edworkers.core.settings import JobPolicy

LONGEST_WAIT_SECONDS = 366 * 86400
"""No service may ask for more: a job put off for ever would be lost."""


@dataclass(frozen=True, slots=True)
class Ack:
    """The job is done."""

    result: Any
    follow_ups: tuple[FollowUp, ...] = ()


@dataclass(frozen=True, slots=True)
class Retry:
    """The job waits `delay_seconds` and is tried again."""

    delay_seconds: float
    error: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Defer:
    """The job waits `delay_seconds` at no cost; with `close_gate` the whole queue does."""

    delay_seconds: float
    reason: str
    close_gate: bool = False


@dataclass(frozen=True, slots=True)
class Bury:
    """The job goes to the dead letters."""

    error: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cancel:
    """The job ends as cancelled."""


@dataclass(frozen=True, slots=True)
class Release:
    """The job goes back to the front of its queue, or of its group's line."""

    shut_ms: int = 0
    """How long no job of its group is to be claimed."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The job is dropped: the same one was queued, is running or was done before."""


Verdict = Ack | Retry | Defer | Bury | Cancel | Release | Duplicate


_ACK = Ack(None)


def judge(outcome: Outcome, *, attempt: int, policy: JobPolicy, roll: float) -> Verdict:
    """Say what becomes of a job after attempt number `attempt` (from 1); `roll` (0 to 1) spreads retries."""
    match outcome:
        case Done(None, ()):
            return _ACK
        case Done(result, follow_ups):
            return Ack(result, follow_ups)
        case Failed():
            return _judge_failure(outcome, attempt=attempt, policy=policy, roll=roll)
        case Deferred(seconds, reason, close_gate):
            return Defer(_bounded(seconds), reason, close_gate)
        case Rejected(faults):
            return Bury({"kind": "rejected", "message": "; ".join(faults), "faults": list(faults)})
        case Cancelled():
            return Cancel()
        case Released():
            return Release()
        case _:
            assert_never(outcome)


def _judge_failure(failure: Failed, *, attempt: int, policy: JobPolicy, roll: float) -> Verdict:
    error: dict[str, Any] = {"kind": failure.kind, "message": failure.message, "attempt": attempt}
    if failure.traceback is not None:
        error["traceback"] = failure.traceback
    if failure.answer:
        error["answer"] = failure.answer
    if not failure.retryable or attempt >= policy.max_attempts:
        return Bury(error)
    backoff = policy.backoff
    wait = backoff_seconds(
        attempt,
        initial=backoff.initial_seconds,
        factor=backoff.factor,
        maximum=backoff.max_seconds,
        jitter=backoff.jitter,
        roll=roll,
    )
    return Retry(max(wait, _bounded(failure.after_seconds or 0)), error)


def _bounded(seconds: float) -> float:
    """Make a wait of what a service asked for; 0 where that is less or not a number."""
    return min(max(0.0, seconds), LONGEST_WAIT_SECONDS)
