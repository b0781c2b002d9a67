"""What is known of a job, written for programs and for people."""

import base64
from typing import Any

from edworkers.cli.exits import ExitCode
from edworkers.cli.show import local_time, rfc3339
from edworkers.core.lifecycle import State
from edworkers.ports import JobRecord

_ENDED = {State.DONE: ExitCode.OK, State.DEAD: ExitCode.DEAD, State.CANCELLED: ExitCode.CANCELLED}
_SHOWN_PAYLOAD_BYTES = 4096


def exit_code(record: JobRecord) -> ExitCode:
    """Give the exit code that tells how a job stands."""
    return _ENDED.get(record.state, ExitCode.UNFINISHED)


def as_document(record: JobRecord) -> dict[str, Any]:
    """Write a record as a JSON object; times are RFC 3339 in UTC, what isn't known is null."""
    return {
        "id": record.id,
        "queue": record.queue,
        "state": record.state.value,
        "type": record.type,
        "attempts": record.attempts,
        "queuedAt": rfc3339(record.queued_at),
        "dueAt": rfc3339(record.due_at),
        "startedAt": rfc3339(record.started_at),
        "finishedAt": rfc3339(record.finished_at),
        "seconds": record.seconds,
        "progress": record.progress,
        "result": record.result,
        "error": record.error,
    }


def with_payload(record: JobRecord) -> dict[str, Any]:
    """Write a dead job as a JSON object: its bytes in base64, and as text (null where they aren't UTF-8)."""
    payload = record.payload or b""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = None
    encoded = base64.b64encode(payload).decode("ascii")
    return {**as_document(record), "payload": text, "payloadBase64": encoded}


def as_fields(record: JobRecord, now: int) -> dict[str, str | None]:
    """Write a record as names and values for people; `now` is in Unix ms."""
    return {
        "id": record.id,
        "queue": record.queue,
        "type": record.type,
        "state": record.state.value,
        "attempts": str(record.attempts),
        "queued": local_time(record.queued_at, now),
        "due": local_time(record.due_at, now),
        "started": local_time(record.started_at, now),
        "finished": local_time(record.finished_at, now),
        "ran": None if record.seconds is None else f"{record.seconds:.3f} s",
        "progress": _progress(record),
        "error": _error(record),
    }


def with_error_and_payload(record: JobRecord, now: int) -> dict[str, str | None]:
    """Write all of a dead job as names and values for people; `now` is in Unix ms."""
    error = record.error or {}
    faults = "\n".join(f"- {fault}" for fault in error.get("faults", ()))
    return {
        **as_fields(record, now),
        "faults": faults or None,
        "answer": str(error.get("answer", "")).rstrip() or None,
        "traceback": str(error.get("traceback", "")).rstrip() or None,
        "payload": _payload(record.payload or b""),
    }


def _payload(payload: bytes) -> str:
    shown = payload[:_SHOWN_PAYLOAD_BYTES].decode("utf-8", "backslashreplace")
    more = len(payload) - _SHOWN_PAYLOAD_BYTES
    return f"{shown}\n… and {more} bytes more: --payload writes them all" if more > 0 else shown


def _progress(record: JobRecord) -> str | None:
    if record.progress is None:
        return None
    fraction, told = record.progress.get("fraction"), str(record.progress.get("note", ""))
    done = f"{fraction:.0%}" if isinstance(fraction, int | float) else ""
    return f"{done} {told}".strip()


def _error(record: JobRecord) -> str | None:
    """Name the kind and the message of the last error."""
    return None if record.error is None else in_words(record.error)


def in_words(error: dict[str, Any]) -> str:
    """Write an error in one line."""
    return f"{error.get('kind', 'error')}: {error.get('message', '')}"
