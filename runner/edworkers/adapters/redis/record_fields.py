"""What a job's record keeps of its past, read from its fields: attempts, logs, relatives and why it is dead.

`past:<n>` is the n-th attempt that ended without the job being done, as JSON, and `past` how many there were; of a dead
job the last one isn't written, for its other fields tell it. `logs` and `followUps` are JSON arrays, `parent` is the
queue and the id of the job that this one follows, with a space between, and `fingerprint` tells the cause of a burial.
What somebody else wrote in their place, or cut off, is left out: a page about a job has to come up all the same.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from pydantic_core import from_json

from edworkers.core.lifecycle import State
from edworkers.ports.browse import FailureGroup, JobHistory, LogLine, PastAttempt, Related

_PAST = b"past:"


def read_history(fields: Mapping[bytes, bytes]) -> JobHistory:
    """Read a record's fields, as HGETALL gives them."""
    fingerprint = fields.get(b"fingerprint")
    return JobHistory(
        past=tuple(_past(fields)),
        logs=tuple(_logs(fields)),
        related=tuple(_related(fields)),
        fingerprint=fingerprint.decode(errors="replace") if fingerprint else None,
    )


def read_group(fingerprint: bytes, value: bytes) -> FailureGroup | None:
    """Read a field of the hash `failures`: `<count> <first> <last> <kind and message as JSON>`; None for any other."""
    parts = value.split(b" ", 3)
    cause = _object(parts[-1])
    if len(parts) < 4 or cause is None or not all(part.isdigit() for part in parts[:3]):
        return None
    count, first, last = map(int, parts[:3])
    name = fingerprint.decode(errors="replace")
    return FailureGroup(name, str(cause.get("kind", "")), str(cause.get("message", "")), count, first, last)


def _past(fields: Mapping[bytes, bytes]) -> Iterator[PastAttempt]:
    noted = [attempt for name, text in fields.items() if name.startswith(_PAST) if (attempt := _attempt(text))]
    yield from sorted(noted, key=lambda attempt: attempt.number)
    ended = _number(fields, b"finishedAt")
    if fields.get(b"state") == State.DEAD.encode() and ended is not None:
        number = (_number(fields, b"past") or 0) + 1
        error = _object(fields.get(b"error", b""))
        yield PastAttempt(number, "bury", _number(fields, b"startedAt"), ended, error)


def _attempt(text: bytes) -> PastAttempt | None:
    match _object(text):
        case {"number": int(number), "outcome": str(outcome), "endedAt": int(ended_at), **more}:
            started_at, error = more.get("startedAt"), more.get("error")
            return PastAttempt(
                number,
                outcome,
                started_at if isinstance(started_at, int) else None,
                ended_at,
                cast("dict[str, Any]", error) if isinstance(error, dict) else None,
            )
        case _:
            return None


def _logs(fields: Mapping[bytes, bytes]) -> Iterator[LogLine]:
    for line in _list(fields.get(b"logs", b"")):
        match line:
            case {"at": int(at), "level": str(level), "message": str(message)}:
                yield LogLine(at, level, message)
            case _:
                pass


def _related(fields: Mapping[bytes, bytes]) -> Iterator[Related]:
    queue, space, job_id = fields.get(b"parent", b"").decode(errors="replace").partition(" ")
    if space:
        yield Related(queue, job_id, "parent")
    for child in _list(fields.get(b"followUps", b"")):
        match child:
            case {"queue": str(of), "id": str(child_id)}:
                yield Related(of, child_id, "child")
            case _:
                pass


def _json(text: bytes) -> Any:
    try:
        return from_json(text) if text else None
    except ValueError:
        return None


def _object(text: bytes) -> dict[str, Any] | None:
    read = _json(text)
    return cast("dict[str, Any]", read) if isinstance(read, dict) else None


def _list(text: bytes) -> list[object]:
    read = _json(text)
    return cast("list[object]", read) if isinstance(read, list) else []


def _number(fields: Mapping[bytes, bytes], name: bytes) -> int | None:
    value = fields.get(name, b"")
    return int(value) if value.isdigit() else None
