"""What errors of the database and of the storage come to, for the job that met them."""

from typing import Any

from edworkers.core.errors import DatabaseUnavailableError, NotStoredError, StorageError, StorageUnavailableError
from edworkers.core.outcome import Failed

_LONGEST_MESSAGE = 500
_PASSING = ("40001", "40P01", "55P03", "57014")
"""SQLSTATEs of what passes: serialization failure, deadlock, lock not available, query cancelled."""
_PASSING_CLASSES = ("08", "53", "57", "58", "XX")
"""Classes of SQLSTATE for lost connections, lack of resources, a server that stops, and faults of its own."""
_ADVICE = {
    "3F000": "make the schema, or run edworkers migrate where it is edworkers' own; then replay the job",
    "42P01": "make the table, or run edworkers migrate where it is edworkers' own; then replay the job",
    "42703": "correct the name of the column, or run edworkers migrate; then replay the job",
    "42501": "grant the right to the user of the database's address; then replay the job",
    "23503": "other tables refer to these rows: give their foreign keys ON DELETE CASCADE or SET NULL",
}


def failure_of(error: Exception) -> Failed | None:
    """Say what an error comes to; None where it is neither the database's nor the storage's."""
    if isinstance(error, DatabaseUnavailableError):
        return Failed("database", str(error))
    if isinstance(error, StorageError):
        kind = "not-stored" if isinstance(error, NotStoredError) else "storage"
        return Failed(kind, str(error), retryable=isinstance(error, StorageUnavailableError))
    return _failure_of_sql(error)


def _failure_of_sql(error: Exception) -> Failed | None:
    import psycopg

    if not isinstance(error, psycopg.Error):
        return None
    state = error.sqlstate
    said = _said(error)
    if state is None or state in _PASSING or state.startswith(_PASSING_CLASSES):
        return Failed("database", said)
    advice = _ADVICE.get(state)
    return Failed("database", f"{said}: {advice}" if advice else said, retryable=False)


def _said(error: Any) -> str:
    """Give what the server said: its first line, for the others quote the statement and may quote data."""
    message = error.diag.message_primary or str(error).strip() or type(error).__name__
    return str(message).splitlines()[0][:_LONGEST_MESSAGE]
