"""Outcomes as JSON, from a job's process to its runner; and what the end of a process comes to that told none."""

import json
import signal
from dataclasses import fields
from typing import Any

from pydantic_core import to_json

from edworkers.core.outcome import Cancelled, Deferred, Done, Failed, FollowUp, Outcome, Rejected, Released

_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Done, Failed, Deferred, Rejected, Cancelled, Released)}
_LONGEST_TEXT = 16_384
"""Of a message or an answer the beginning, of a traceback the end: no more is kept of them."""


def write_outcome(outcome: Outcome) -> bytes:
    """Write an outcome. Raises TypeError or ValueError where its values have wrong types."""
    parts = {field.name: getattr(outcome, field.name) for field in fields(outcome)}
    if isinstance(outcome, Done):
        # What a handler may return is any value that pydantic knows how to write.
        return to_json({"is": "Done", **parts})
    if isinstance(outcome, Failed):
        parts["message"] = outcome.message[:_LONGEST_TEXT]
        parts["answer"] = outcome.answer and outcome.answer[:_LONGEST_TEXT]
        parts["traceback"] = outcome.traceback and outcome.traceback[-_LONGEST_TEXT:]
    # Escapes halves of surrogate pairs, as in the name of a file that isn't UTF-8.
    return json.dumps({"is": type(outcome).__name__, **parts}).encode()


def read_outcome(text: bytes) -> Outcome:
    """Read what `write_outcome` wrote."""
    parts: dict[str, Any] = json.loads(text)
    kind = _KINDS[parts.pop("is")]
    if kind is Done:
        parts["follow_ups"] = tuple(FollowUp(**follow) for follow in parts["follow_ups"])
    if kind is Rejected:
        parts["faults"] = tuple(parts["faults"])
    outcome: Outcome = kind(**parts)
    return outcome


def outcome_of_end(end: dict[str, Any], told: bytes, memory_bytes: int | None) -> Outcome:
    """Say what the end of a job's process comes to: what it told, or else what its end tells."""
    if told:
        return read_outcome(told)
    match end["why"]:
        case "lease":
            return Released()
        case "time":
            return Failed("timeout", "not done within its time", service_down=True)
        case "memory":
            return Failed("memory", f"its processes used {mebibytes(end['used'])}, and {_allowed(memory_bytes)}")
        case "fork":
            return Failed("isolation", f"no process could be started for it: {end['reason']}")
        case "zygote":
            was = "was " if end["code"] < 0 else ""
            return Failed(
                "isolation", f"its process ended with the one from which it was forked, which {was}{_code(end)}"
            )
        case _:
            return _died(end)


def out_of_memory(memory_bytes: int | None, traceback: str | None) -> Failed:
    """Say that Python itself was refused memory."""
    return Failed("memory", f"MemoryError: it needed more, and {_allowed(memory_bytes)}", traceback=traceback)


def mebibytes(size: int) -> str:
    """Write a size so that people can compare it: `612 MiB`."""
    return f"{size / 1024**2:.0f} MiB"


def _allowed(memory_bytes: int | None) -> str:
    return f"{mebibytes(memory_bytes or 0)} are allowed (job.memory)"


def _died(end: dict[str, Any]) -> Failed:
    perhaps = "; perhaps the machine or its container ran out of memory" if end["code"] == -signal.SIGKILL else ""
    if end["code"] < 0:
        return Failed("killed", f"its process was {_code(end)}{perhaps}")
    return Failed("exit", f"its process {_code(end)} and told no outcome")


def _code(end: dict[str, Any]) -> str:
    code: int = end["code"]
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
