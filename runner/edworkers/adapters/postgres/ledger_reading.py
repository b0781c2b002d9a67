"""The ledger, as people look at it, and as it is kept small."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from edworkers.adapters.postgres.connection import connect, transaction
from edworkers.core.errors import LedgerError

if TYPE_CHECKING:
    from psycopg import AsyncConnection

PRUNE_BATCH = 5_000
_SECONDS = 30

_ERRORS = b"""
SELECT queue, id, occurred_at, type, kind, message, traceback, attempts, data
FROM edworkers.errors
WHERE (%(queues)s::text[] IS NULL OR queue = ANY (%(queues)s))
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (%(matching)s::text IS NULL OR strpos(lower(message), lower(%(matching)s)) > 0)
  AND (%(seconds)s::double precision IS NULL OR occurred_at >= now() - make_interval(secs => %(seconds)s))
ORDER BY occurred_at DESC, queue, id
LIMIT %(limit)s
"""
_PRUNE = {
    "jobs": b"""
DELETE FROM edworkers.jobs WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM edworkers.jobs WHERE finished_at < now() - make_interval(secs => %s)
    ORDER BY finished_at LIMIT %s
))
""",
    "errors": b"""
DELETE FROM edworkers.errors WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM edworkers.errors WHERE occurred_at < now() - make_interval(secs => %s)
    ORDER BY occurred_at LIMIT %s
))
""",
}


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One error in the ledger."""

    queue: str
    id: str
    occurred_at: datetime
    type: str | None
    kind: str
    message: str
    traceback: str | None
    attempts: int
    data: Any


async def find_errors(
    env: Mapping[str, str],
    *,
    queues: Sequence[str] = (),
    kind: str | None = None,
    matching: str | None = None,
    seconds: float | None = None,
    limit: int = 50,
) -> list[LedgerRow]:
    """Find errors, the latest first; `seconds` is how old they may be.

    Raises SettingsError, DatabaseUnavailableError, and LedgerError where there are no tables.
    """
    wanted = {"queues": list(queues) or None, "kind": kind, "matching": matching, "seconds": seconds, "limit": limit}
    async with connect(env, application="edworkers ledger") as connection, _limited(connection):
        cursor = await connection.execute(_ERRORS, wanted)
        return [LedgerRow(*row) for row in await cursor.fetchall()]


async def prune(env: Mapping[str, str], *, seconds: float, batch: int = PRUNE_BATCH) -> dict[str, int]:
    """Delete what is older than this, a batch a transaction; returns how many rows of each table.

    Raises as `find_errors` does.
    """
    deleted = dict.fromkeys(_PRUNE, 0)
    async with connect(env, application="edworkers ledger prune") as connection:
        for table, query in _PRUNE.items():
            while (count := await _delete(connection, query, seconds, batch)) > 0:
                deleted[table] += count
    return deleted


async def _delete(connection: "AsyncConnection", query: bytes, seconds: float, batch: int) -> int:
    async with _limited(connection):
        return (await connection.execute(query, (seconds, batch))).rowcount


@asynccontextmanager
async def _limited(connection: "AsyncConnection") -> AsyncGenerator[None]:
    import psycopg

    try:
        async with transaction(connection, statement_seconds=_SECONDS, lock_seconds=_SECONDS):
            yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise LedgerError("the database has no ledger yet; run: edworkers migrate") from error
