"""From what a handler returned or raised to an outcome."""

import traceback
from typing import Any

from pydantic import BaseModel
from pydantic_core import from_json, to_json

from edworkers.core.keys import QUEUE_NAME
from edworkers.core.outcome import Cancelled, Deferred, Done, Failed, Outcome, Rejected, Released
from edworkers.core.settings import MAX_PAYLOAD_BYTES

_DONE = Done()
_OUTCOMES = (Done, Failed, Deferred, Rejected, Cancelled, Released)


def outcome_of(returned: Any) -> Outcome:
    """Take an outcome as it is, and anything else as the result of `Done`."""
    if returned is None:
        return _DONE
    if isinstance(returned, _OUTCOMES):
        return fits(returned)
    if isinstance(returned, BaseModel):
        returned = returned.model_dump(mode="json", by_alias=True)
    return fits(Done(returned))


def failure_of(error: BaseException) -> Failed:
    """Make a failure of what a handler raised."""
    text = "".join(traceback.format_exception(error))
    return Failed(type(error).__name__, in_words(error), traceback=text)


def in_words(error: BaseException) -> str:
    """Give what an error says of itself, or else its name."""
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 - an error may fail to tell itself, and is a failure nonetheless
        return type(error).__name__


def unusable(outcome: object, error: BaseException) -> Failed:
    """Make a failure of an outcome whose values have wrong types."""
    return Failed(
        "outcome",
        f"the handler's outcome {type(outcome).__name__} can't be used: {in_words(error)}",
        retryable=False,
    )


def fits(outcome: Outcome) -> Outcome:
    """Turn what can't be kept or sent on (no JSON, or too large) into the failure that says so."""
    if not isinstance(outcome, Done) or (outcome.result is None and not outcome.follow_ups):
        return outcome
    faults = [_unfit("the handler's result", outcome.result)]
    for follow in outcome.follow_ups:
        what = f"the follow-up job for the queue {follow.queue!r}"
        faults.append(
            _unfit(what, {"data": follow.data}) if QUEUE_NAME.fullmatch(follow.queue) else f"{what} names no queue"
        )
    found = [fault for fault in faults if fault is not None]
    return Failed("result", "; ".join(found), retryable=False) if found else outcome


def _unfit(what: str, value: Any) -> str | None:
    try:
        text = to_json(value)
        if len(text) > MAX_PAYLOAD_BYTES:
            return f"{what} has {len(text)} bytes as JSON, and {MAX_PAYLOAD_BYTES} are allowed: keep it elsewhere"
        # What is written may be no JSON even so (NaN), or nested more deeply than it is ever read.
        from_json(text, allow_inf_nan=False)
    except ValueError as error:
        return f"{what} can't be written as JSON: {error}"
    return None
