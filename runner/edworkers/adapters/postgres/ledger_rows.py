"""The ledger's rows: what is written of a job and of an error, without secrets, and in a form that PostgreSQL takes.

Each statement takes a list a column, so that a batch of any length is one statement.
"""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic_core import from_json, to_json

from edworkers.core.redact import Redactor
from edworkers.ports import DeadLetter, Finished

_LONGEST_MESSAGE = 4_000
_LONGEST_TRACEBACK = 16_000
_LONGEST_TEXT_IN_DATA = 1_000
_MOST_DATA = 32_000
"""Characters of a job's data, as JSON; more is left out."""

JOBS = b"""
INSERT INTO edworkers.jobs (queue, id, outcome, finished_at, type, attempts, queued_at, started_at, seconds, job_group,
                            error_kind, error_message)
SELECT queue, id, outcome, to_timestamp(finished_at / 1000.0), type, attempts, to_timestamp(queued_at / 1000.0),
       to_timestamp(started_at / 1000.0), seconds, job_group, error_kind, error_message
FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::integer[], %s::bigint[], %s::bigint[],
            %s::double precision[], %s::text[], %s::text[], %s::text[])
     AS row (queue, id, outcome, finished_at, type, attempts, queued_at, started_at, seconds, job_group, error_kind,
             error_message)
ON CONFLICT DO NOTHING
"""
ERRORS = b"""
INSERT INTO edworkers.errors (queue, id, occurred_at, type, kind, message, traceback, attempts, data)
SELECT queue, id, to_timestamp(occurred_at / 1000.0), type, kind, message, traceback, attempts, data::jsonb
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::integer[],
            %s::text[]) AS row (queue, id, occurred_at, type, kind, message, traceback, attempts, data)
ON CONFLICT DO NOTHING
"""

_JOB_COLUMNS = 12
_ERROR_COLUMNS = 9


def job_rows(finished: Sequence[Finished], letters: Sequence[DeadLetter], redactor: Redactor) -> list[list[Any]]:
    """Write the columns of `JOBS`."""
    rows = [(*_job(job, redactor), None, None) for job in finished]
    rows += [(*_job(letter.job, redactor), *_kind_and_message(letter, redactor)) for letter in letters]
    return _columns(rows, _JOB_COLUMNS)


def error_rows(letters: Sequence[DeadLetter], redactor: Redactor) -> list[list[Any]]:
    """Write the columns of `ERRORS`."""
    return _columns([_error(letter, redactor) for letter in letters], _ERROR_COLUMNS)


def _columns(rows: Sequence[tuple[Any, ...]], count: int) -> list[list[Any]]:
    return [[row[index] for row in rows] for index in range(count)]


def _job(job: Finished, redactor: Redactor) -> tuple[Any, ...]:
    group = None if job.group is None else redactor.group(job.group)
    times = (_time(job.queued_at), _time(job.started_at))
    return (
        *(_storable(job.queue), _storable(job.id), job.outcome, job.finished_at, _text(job.type)),
        *(job.attempts, *times, job.seconds, _text(group)),
    )


def _error(letter: DeadLetter, redactor: Redactor) -> tuple[Any, ...]:
    job, trace = letter.job, letter.error.get("traceback")
    kept = None if trace is None else _storable(redactor.redact(str(trace)[-_LONGEST_TRACEBACK:], _LONGEST_TRACEBACK))
    kind, message = _kind_and_message(letter, redactor)
    data = _data(letter.payload, redactor)
    return (
        *(_storable(job.queue), _storable(job.id), job.finished_at, _text(job.type)),
        *(kind, message, kept, job.attempts, data),
    )


def _kind_and_message(letter: DeadLetter, redactor: Redactor) -> tuple[str, str]:
    message = redactor.redact(str(letter.error["message"]), _LONGEST_MESSAGE)
    return _storable(str(letter.error["kind"])[:100]), _storable(message)


def _data(payload: bytes, redactor: Redactor) -> str | None:
    """Write what a job was given, without secrets; of what is no JSON, and of what is too large, only its length."""
    try:
        read: Any = from_json(payload)
    except ValueError:
        return to_json({"bytes": len(payload), "is": "no JSON"}).decode()
    kept = _every_text(redactor.redact(read, _LONGEST_TEXT_IN_DATA), _storable)
    written = to_json(kept, inf_nan_mode="null").decode()
    return written if len(written) <= _MOST_DATA else to_json({"bytes": len(payload), "is": "too large"}).decode()


def _every_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_every_text(part, change) for part in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {change(str(name)): _every_text(part, change) for name, part in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return value


def _text(value: str | None) -> str | None:
    return None if value is None else _storable(value)[:200]


def _storable(text: str) -> str:
    """Write what PostgreSQL has no place for another way: a NUL, and half of a surrogate pair."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="backslashreplace").decode()


def _time(milliseconds: int | None) -> int | None:
    """Leave out a time that no calendar of PostgreSQL has: producers may say any."""
    return milliseconds if milliseconds is not None and abs(milliseconds) < 10**14 else None
