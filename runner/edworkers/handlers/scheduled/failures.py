"""What errors of the database and of the storage come to, for the job that met them."""

from typing import Any

from edworkers.core.errors import DatabaseUnavailableError, NotStoredError, StorageError, StorageUnavailableError
from edworkers.core.outcome import Failed
from edworkers.handlers.away import until_back
from edworkers.ports import JobContext

_LONGEST_MESSAGE = 500
_PASSING = ("40001", "40P01", "55P03", "57014")
"""SQLSTATEs of what passes: serialization failure, deadlock, lock not available, query cancelled."""
_AWAY_CLASSES = ("08", "53", "57", "58", "XX")
"""Classes of SQLSTATE for lost connections, lack of resources, a server that stops, and faults of its own."""
_ADVICE = {
    "3F000": "make the schema, or run edworkers migrate where it is edworkers' own; then replay the job",
    "42P01": "make the table, or run edworkers migrate where it is edworkers' own; then replay the job",
    "42703": "correct the name of the column, or run edworkers migrate; then replay the job",
    "42501": "grant the right to the user of the database's address; then replay the job",
    "23503": "other tables refer to these rows: give their foreign keys ON DELETE CASCADE or SET NULL",
}


def failure_of(error: Exception, job: JobContext) -> Failed | None:
    """Say what an error comes to; None where it is neither the database's nor the storage's."""
    if isinstance(error, DatabaseUnavailableError):
        return Failed("database", str(error), after_seconds=until_back(job))
    if isinstance(error, StorageError):
        kind = "not-stored" if isinstance(error, NotStoredError) else "storage"
        is_away = isinstance(error, StorageUnavailableError)
        return Failed(kind, str(error), retryable=is_away, after_seconds=until_back(job) if is_away else None)
    return _failure_of_sql(error, job)


def _failure_of_sql(error: Exception, job: JobContext) -> Failed | None:
    import psycopg

    if not isinstance(error, psycopg.Error):
        return None
    state = error.sqlstate
    said = said_by(error)
    if state in _PASSING:
        return Failed("database", said)
    if passes(error) or state is None:
        return Failed("database", said, after_seconds=until_back(job))
    advice = _ADVICE.get(state)
    return Failed("database", f"{said}: {advice}" if advice else said, retryable=False)


def passes(error: Any) -> bool:
    """Whether an error of psycopg's is one that another attempt may not meet."""
    state = error.sqlstate
    return state is None or state in _PASSING or state.startswith(_AWAY_CLASSES)


def said_by(error: Any) -> str:
    """Give what the server said: its first line, for the others quote the statement and may quote data."""
    message = error.diag.message_primary or str(error).strip() or type(error).__name__
    return str(message).splitlines()[0][:_LONGEST_MESSAGE]
