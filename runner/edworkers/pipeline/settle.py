"""From a verdict to the settlement that is written to the queue."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from edworkers.core.outcome import Done, Failed, FollowUp, Outcome
from edworkers.core.settings import MAX_PAYLOAD_BYTES
from edworkers.core.verdict import Ack, Bury, Cancel, Defer, Duplicate, Release, Retry, Verdict
from edworkers.pipeline.claim import Claimed
from edworkers.ports import Settlement

_LONGEST_ID = 128
_LONGEST_TRACEBACK = 16_384


def fits(outcome: Outcome) -> Outcome:
    """Turn a result that can't be kept (no JSON, or too large) into the failure that says so."""
    if not isinstance(outcome, Done) or outcome.result is None:
        return outcome
    try:
        size = len(to_json(outcome.result))
    except (PydanticSerializationError, ValueError) as error:
        return Failed("result", f"the handler's result can't be written as JSON: {error}", retryable=False)
    if size > MAX_PAYLOAD_BYTES:
        message = f"the result has {size} bytes as JSON, and {MAX_PAYLOAD_BYTES} are allowed: keep it elsewhere"
        return Failed("result", message, retryable=False)
    return outcome


def settlement(
    claimed: Claimed, verdict: Verdict, *, queue: str, now: int, started: bool = True, seconds: float = 0
) -> Settlement:
    """Write a verdict on a claimed job as a settlement; `now` is in Unix ms."""
    begun = claimed.entry.attempts + (1 if started and claimed.data is not None else 0)
    plain = Settlement(
        claimed.receipt,
        claimed.id,
        claimed.origin,
        verb=verb_of(verdict),
        attempts=claimed.entry.attempts,
        begun=begun,
        unique_key=claimed.unique_key,
        seconds=seconds,
        started=started,
    )
    match verdict:
        case Ack(result, follow_ups):
            jobs = tuple(_follow_up(claimed, i, follow, queue, now) for i, follow in enumerate(follow_ups))
            return plain._replace(body=b"" if result is None else to_json(result), follow_ups=jobs)
        case Retry(delay, error):
            return plain._replace(body=_error(error), delay_ms=round(delay * 1000), attempts=plain.attempts + 1)
        case Defer(delay, reason, close_gate):
            gate_ms = round(delay * 1000) if close_gate else 0
            body = to_json({"kind": "deferred", "message": reason}) if reason else b""
            return plain._replace(body=body, delay_ms=round(delay * 1000), gate_ms=gate_ms, due=claimed.put_off_until)
        case Bury(error):
            return plain._replace(body=_error(error))
        case _:
            return plain


def verb_of(verdict: Verdict) -> str:
    """Name what the queue does for a verdict."""
    return _VERBS[type(verdict)]


_VERBS: dict[type[Any], str] = {
    Ack: "ack",
    Retry: "retry",
    Defer: "defer",
    Bury: "bury",
    Cancel: "cancel",
    Release: "release",
    Duplicate: "duplicate",
}


def _error(error: dict[str, Any]) -> bytes:
    if "traceback" in error:
        error = {**error, "traceback": error["traceback"][-_LONGEST_TRACEBACK:]}
    return to_json(error)


def _follow_up(parent: Claimed, index: int, follow: FollowUp, queue: str, now: int) -> bytes:
    """Write a follow-up job; its id is made from its parent's, so that a second one is known as a duplicate."""
    job_id = f"{parent.id}.{follow.queue}" + (f".{index}" if index else "")
    if len(job_id) > _LONGEST_ID:
        job_id = hashlib.sha256(job_id.encode()).hexdigest()
    envelope: dict[str, Any] = {
        "id": job_id,
        "source": f"edworkers/{queue}",
        "time": datetime.fromtimestamp(now / 1000, UTC).isoformat(),
        "data": follow.data,
    }
    if parent.job is not None and parent.job.traceparent is not None:
        envelope["traceparent"] = parent.job.traceparent
    return f"{follow.queue} {job_id}\n".encode() + to_json(envelope)
