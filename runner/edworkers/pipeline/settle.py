"""From a verdict to the settlement that is written to the queue."""

import hashlib
import re
from datetime import UTC, datetime
from typing import Any, cast

from pydantic_core import to_json

from edworkers.core.fingerprint import cause, fingerprint
from edworkers.core.follow_up import source_of
from edworkers.core.outcome import FollowUp
from edworkers.core.verdict import Ack, Bury, Cancel, Defer, Duplicate, Release, Retry, Verdict
from edworkers.pipeline.claim import Claimed
from edworkers.ports import Settlement

_ID = re.compile(r"[!-~]{1,128}")
_LONGEST_TEXT = 16_384
_TEXTS = ("message", "answer")


def settlement(
    claimed: Claimed,
    verdict: Verdict,
    *,
    queue: str,
    now: int,
    started: bool = True,
    ran: float | None = None,
    service_down: bool | None = None,
    logs: bytes = b"",
) -> Settlement:
    """Write a verdict on a claimed job as a settlement.

    `now` is in Unix ms; `ran` is for how many seconds the handler did, None where it was not asked; `service_down` is
    what the attempt tells of the service of the job's group, and `logs` what its handler logged.
    """
    failed = claimed.entry.attempts
    more: dict[str, Any] = {}
    match verdict:
        case Ack(result, follow_ups):
            if result is not None:
                more["body"] = to_json(result)
            if follow_ups:
                jobs = enumerate(follow_ups)
                more["follow_ups"] = tuple(_follow_up(claimed, i, follow, queue, now) for i, follow in jobs)
        case Retry(delay, error):
            more = {"body": _error(error), "delay_ms": round(delay * 1000), "attempts": failed + 1}
        case Defer():
            more = _put_off(claimed, verdict)
        case Bury(error):
            more = {"body": _error(error), "fingerprint": fingerprint(error), "cause": _error(cause(error))}
        case Release(shut_ms):
            more["shut_ms"] = shut_ms
        case _:
            pass
    return Settlement(
        claimed.receipt,
        claimed.id,
        claimed.origin,
        VERBS[type(verdict)],
        more.pop("attempts", failed),
        failed if ran is None else failed + 1,
        unique_key=claimed.unique_key,
        seconds=ran or 0,
        started=started,
        service_down=service_down,
        logs=logs,
        traceparent=claimed.traceparent,
        **more,
    )


def _put_off(claimed: Claimed, verdict: Defer) -> dict[str, Any]:
    delay_ms = round(verdict.delay_seconds * 1000)
    return {
        "body": _error({"kind": "deferred", "message": verdict.reason}) if verdict.reason else b"",
        "delay_ms": delay_ms,
        "gate_ms": delay_ms if verdict.close_gate else 0,
        "due": claimed.put_off_until,
    }


VERBS: dict[type[Any], str] = {
    Ack: "ack",
    Retry: "retry",
    Defer: "defer",
    Bury: "bury",
    Cancel: "cancel",
    Release: "release",
    Duplicate: "duplicate",
}


def _error(error: dict[str, Any]) -> bytes:
    """Write an error so that it can always be kept: of a long text the beginning, of a traceback the end."""
    short = {name: value[:_LONGEST_TEXT] if name in _TEXTS else value for name, value in error.items()}
    if "traceback" in error:
        short["traceback"] = error["traceback"][-_LONGEST_TEXT:]
    try:
        return to_json(short)
    except ValueError:
        # Half of a surrogate pair, as in the name of a file that isn't UTF-8, would else keep the job from ending.
        return to_json({name: _encodable(value) for name, value in short.items()})


def _encodable(value: object) -> object:
    if isinstance(value, list):
        return [_encodable(part) for part in cast("list[object]", value)]
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def _follow_up(parent: Claimed, index: int, follow: FollowUp, queue: str, now: int) -> bytes:
    """Write a follow-up job; its id is made from its parent's, so that a second one is known as a duplicate.

    The parent's queue is in it, too: jobs of two queues may have one id.
    """
    part = str(index or "") if follow.key is None else f"-{follow.key}"
    job_id = f"{parent.id}.{queue}.{follow.queue}" + (f".{part}" if part else "")
    if not _ID.fullmatch(job_id):
        job_id = hashlib.sha256(job_id.encode()).hexdigest()
    envelope: dict[str, Any] = {
        "id": job_id,
        **({} if follow.type is None else {"type": follow.type}),
        "source": source_of(queue),
        "parentid": parent.id,
        "time": datetime.fromtimestamp(now / 1000, UTC).isoformat(),
        "data": follow.data,
    }
    if parent.traceparent is not None:
        envelope["traceparent"] = parent.traceparent
    return f"{follow.queue} {job_id}\n".encode() + to_json(envelope)
