"""The ledger in PostgreSQL: one connection, opened when there is something to write, and closed soon after."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from edworkers.adapters.postgres.connection import (
    IDLE_SECONDS,
    connect,
    database_url,
    hang_up,
    hanging_up_after,
    transaction,
    translated,
)
from edworkers.adapters.postgres.ledger_rows import ERRORS, JOBS, error_rows, job_rows
from edworkers.core.errors import LedgerError
from edworkers.core.redact import Redactor
from edworkers.ports import DeadLetter, Finished
from edworkers.telemetry import log

if TYPE_CHECKING:
    from psycopg import AsyncConnection

WRITE_SECONDS = 30
_LOCK_SECONDS = 10


class PostgresLedger:
    """The `LedgerBook` port on PostgreSQL. One task writes at a time."""

    def __init__(self, env: Mapping[str, str], redactor: Redactor, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._env = env
        self._redactor = redactor
        self._idle_seconds = idle_seconds
        self._stack = AsyncExitStack()
        self._connection: AsyncConnection | None = None
        self._writing = asyncio.Lock()
        self._idle: asyncio.Task[None] | None = None

    async def write(self, finished: Sequence[Finished], letters: Sequence[DeadLetter]) -> None:
        """Write all, or nothing; what is there already is left as it is."""
        async with self._writing:
            if self._idle is not None:
                self._idle.cancel()
            try:
                with translated(database_url(self._env) or ""):
                    await self._write(finished, letters)
            except BaseException:
                await self._hang_up()
                raise
            self._idle = asyncio.get_running_loop().create_task(self._close_when_idle())

    async def _write(self, finished: Sequence[Finished], letters: Sequence[DeadLetter]) -> None:
        import psycopg

        connection = await self._connected()
        try:
            await self._insert(connection, finished, letters)
        except (psycopg.DataError, psycopg.IntegrityError):
            await self._insert_each(connection, finished, letters)
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            raise LedgerError(f"the ledger can't be written: {_what_to_do(error)}") from error

    async def _insert(
        self, connection: "AsyncConnection", finished: Sequence[Finished], letters: Sequence[DeadLetter]
    ) -> None:
        async with (
            hanging_up_after(WRITE_SECONDS, connection),
            transaction(connection, statement_seconds=WRITE_SECONDS, lock_seconds=_LOCK_SECONDS),
        ):
            if finished or letters:
                await connection.execute(JOBS, job_rows(finished, letters, self._redactor))
            if letters:
                await connection.execute(ERRORS, error_rows(letters, self._redactor))

    async def _insert_each(
        self, connection: "AsyncConnection", finished: Sequence[Finished], letters: Sequence[DeadLetter]
    ) -> None:
        """Write one by one, for one of them can't be written at all, and mustn't hold up the others for ever."""
        import psycopg

        jobs_alone: list[tuple[Sequence[Finished], Sequence[DeadLetter]]] = [((job,), ()) for job in finished]
        letters_alone: list[tuple[Sequence[Finished], Sequence[DeadLetter]]] = [((), (each,)) for each in letters]
        for jobs, dead in jobs_alone + letters_alone:
            try:
                await self._insert(connection, jobs, dead)
            except (psycopg.DataError, psycopg.IntegrityError) as fault:
                [job] = jobs or [each.job for each in dead]
                log.error("ledger.refused", queue=job.queue, job=job.id, reason=str(fault), then="it is left out")

    async def _connected(self) -> "AsyncConnection":
        if self._connection is None or self._connection.closed:
            await self._hang_up()
            self._connection = await self._stack.enter_async_context(connect(self._env, application="edworkers ledger"))
        return self._connection

    async def _close_when_idle(self) -> None:
        await asyncio.sleep(self._idle_seconds)
        async with self._writing:
            self._idle = None
            await self._hang_up()

    async def _hang_up(self) -> None:
        stack, self._stack, self._connection = self._stack, AsyncExitStack(), None
        await stack.aclose()

    async def close(self) -> None:
        """Close its connection; a write that is under way fails."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self._connection is not None:
            hang_up(self._connection)
        if not self._writing.locked():
            await self._hang_up()


def _what_to_do(error: Exception) -> str:
    from psycopg import errors

    said = " ".join(str(error).split())
    if isinstance(error, errors.UndefinedTable | errors.InvalidSchemaName | errors.UndefinedColumn):
        return f"its tables are missing or old; run: edworkers migrate ({said})"
    if isinstance(error, errors.InsufficientPrivilege):
        rights = "GRANT USAGE ON SCHEMA edworkers; GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA edworkers"
        return f"its user may not; as the owner, run for that user: {rights} ({said})"
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return f"this is a read-only replica; give the address of the primary ({said})"
    return said
