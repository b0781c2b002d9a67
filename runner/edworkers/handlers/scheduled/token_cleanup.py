"""`token-cleanup`: deletes expired tokens, a batch a transaction, so that nobody waits for it.

Environment: NEON_DATABASE_URL or DATABASE_URL, and TOKEN_TABLES, further tables that may be cleaned, as JSON.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from edworkers.adapters.postgres.connection import connect, transaction
from edworkers.core.outcome import Deferred, Done, Outcome
from edworkers.handlers.data import JobData
from edworkers.handlers.scheduled import token_tables, work
from edworkers.handlers.scheduled.token_rows import ExpiredRows, find_rows
from edworkers.handlers.scheduled.token_tables import ChosenTables, TokenTable
from edworkers.handlers.scheduled.work import opens, refused
from edworkers.ports import Handler, JobContext

_LOCK_SECONDS = 5
_BATCH_SECONDS = 60
_RESERVED_SECONDS = 30
"""So long before the job's time is up no batch is begun."""


class TokenCleanupData(JobData):
    """Which expired tokens to delete, and how fast."""

    tables: ChosenTables | None = None
    """Names of some that may be cleaned: refresh_tokens, password_reset_tokens, sessions, and those of the setting
    TOKEN_TABLES. Without it: those of the setting, or else the three."""
    grace_seconds: int = Field(default=3600, ge=0, le=10 * 366 * 86400)
    """How long ago a token must have expired."""
    batch_size: int = Field(default=1000, ge=1, le=50_000)
    """Rows that one transaction deletes."""
    pause_seconds: float = Field(default=0.1, ge=0, le=60)
    """Seconds between two batches, for others to catch up."""


def find_faults(env: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the environment."""
    return [*work.find_faults(env), *token_tables.find_faults(env)]


@dataclass(slots=True)
class _Cleanup:
    connection: Any
    data: TokenCleanupData
    job: JobContext
    deleted: int = 0
    out_of_time: bool = False

    async def clean(self, rows: ExpiredRows) -> dict[str, Any]:
        """Delete batch after batch, until there is none, or no time."""
        before = self.deleted
        while (count := await self._delete(rows)) > 0:
            self.deleted += count
            if self.job.seconds_left < _RESERVED_SECONDS:
                self.out_of_time = True
                break
            await asyncio.sleep(self.data.pause_seconds)
        left = await self._count(rows)
        counts = {"table": rows.name, "deleted": self.deleted - before, "left": left}
        return counts if rows.advice is None else {**counts, "advice": rows.advice}

    async def _delete(self, rows: ExpiredRows) -> int:
        async with transaction(self.connection, statement_seconds=_BATCH_SECONDS, lock_seconds=_LOCK_SECONDS):
            values = {"grace": self.data.grace_seconds, "most": self.data.batch_size}
            cursor = await self.connection.execute(rows.deletion(), values)
            return int(cursor.rowcount)

    async def _count(self, rows: ExpiredRows) -> int:
        """Count what is left: rows that others hold, or for which there was no time."""
        async with transaction(self.connection, statement_seconds=_BATCH_SECONDS, lock_seconds=_LOCK_SECONDS):
            cursor = await self.connection.execute(rows.count_of_those_left(), {"grace": self.data.grace_seconds})
            [count] = await cursor.fetchone()
            return int(count)


async def _clean_up(env: Mapping[str, str], data: TokenCleanupData, job: JobContext) -> Outcome:
    named = token_tables.choose(data.tables, env) if data.tables else token_tables.read_setting(env)
    async with connect(env, application="edworkers token-cleanup") as connection:
        found = await _look_up(connection, named)
        cleanup = _Cleanup(connection, data, job)
        told: list[dict[str, Any]] = []
        for number, rows in enumerate(found):
            await job.progress(number / len(found), f"{rows.name}; {cleanup.deleted} rows deleted so far")
            told.append(await cleanup.clean(rows))
            if cleanup.out_of_time:
                return Deferred(1, f"{cleanup.deleted} rows were deleted, and there are more: it goes on")
    return Done({"deleted": cleanup.deleted, "tables": told})


async def _look_up(connection: Any, named: list[TokenTable] | None) -> list[ExpiredRows]:
    """Look all tables up before the first is touched. Raises TaskError."""
    wanted = named or token_tables.USUAL
    found = [(table.table, await find_rows(connection, table)) for table in wanted]
    missing = [name for name, rows in found if rows is None]
    if missing and (named is not None or len(missing) == len(found)):
        raise refused("table", _missing(missing, is_usual=named is None))
    return [rows for _, rows in found if rows is not None]


def _missing(names: list[str], *, is_usual: bool) -> str:
    variable = token_tables.VARIABLE
    if is_usual:
        example = '[{"table": "auth.logins", "expiresColumn": "ends"}]'
        return f"none of {', '.join(names)} exists in the database: name your tables in {variable}, as {example}"
    return f"there is no table {', '.join(names)} in the database: name the right ones in {variable}, or make them"


HANDLER = Handler(type="token-cleanup", data=TokenCleanupData, open=opens(_clean_up), faults=find_faults)
