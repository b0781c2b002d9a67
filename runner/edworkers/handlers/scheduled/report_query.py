"""A report's query on its way: read-only, limited in time, and never held in memory as a whole."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, cast

from edworkers.adapters.postgres.connection import connect, transaction
from edworkers.handlers.scheduled.failures import passes, said_by
from edworkers.handlers.scheduled.report_cells import csv_rows
from edworkers.handlers.scheduled.report_file import FOLDER, Report
from edworkers.handlers.scheduled.work import refused

_ROWS_AT_ONCE = 2000
_LOCK_SECONDS = 10


@asynccontextmanager
async def reading(env: Mapping[str, str], report: Report) -> AsyncGenerator[Any]:
    """Open a transaction that can't write, and in which every query sees the same; all of it ends with the block."""
    import psycopg

    async with connect(env, application="edworkers report") as connection:
        await connection.set_read_only(True)
        await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        async with transaction(connection, statement_seconds=report.seconds, lock_seconds=_LOCK_SECONDS):
            yield connection


@dataclass(slots=True)
class Rows:
    """The rows of a report. `count` is how many were given so far."""

    connection: Any
    report: Report
    values: Mapping[str, Any]
    count: int = 0

    async def batches(self) -> AsyncIterator[Sequence[Sequence[Any]]]:
        """Give the headings, and after them the rows, some at a time. Raises TaskError where the headings don't fit."""
        async with self.connection.cursor(name="report") as cursor:
            with self._named():
                await cursor.execute(self.report.query, self.values)
            yield [self._headings([column.name for column in cursor.description])]
            while rows := await self._some(cursor):
                self.count += len(rows)
                yield rows

    async def _some(self, cursor: Any) -> Sequence[Sequence[Any]]:
        with self._named():
            return cast("Sequence[Sequence[Any]]", await cursor.fetchmany(_ROWS_AT_ONCE))

    @contextmanager
    def _named(self) -> Generator[None]:
        """Say of an error that stays, which report it is that has to be corrected."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            if passes(error):
                raise
            what = f"{said_by(error)}: correct {self.report.name}.sql in {FOLDER}, which has to be only one SELECT"
            raise refused(
                "report", f"the report {self.report.name} can't be made: {what}; then replay the job"
            ) from None

    def _headings(self, names: list[str]) -> Sequence[str]:
        wanted = self.report.columns
        if wanted and len(wanted) != len(names):
            has = f"has {len(names)} columns, and its line `-- columns:` names {len(wanted)}"
            raise refused("report", f"the report {self.report.name} {has}: correct it, and replay the job")
        return wanted or names

    async def as_csv(self) -> AsyncIterator[bytes]:
        """Give the rows as a CSV file."""
        async for rows in self.batches():
            yield csv_rows(rows)

    async def table(self, most: int) -> list[Sequence[Any]]:
        """Give headings and rows as a whole. Raises TaskError where there are more than `most`."""
        found: list[Sequence[Any]] = []
        async for rows in self.batches():
            found += rows
            if self.count > most:
                raise refused("report", f"the report has more than {most} rows, too many for a PDF: take csv")
        return found
