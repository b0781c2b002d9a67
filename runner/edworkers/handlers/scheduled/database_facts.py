"""What a backup's manifest says of the database."""

from dataclasses import dataclass
from typing import Any

from edworkers.adapters.postgres.connection import transaction

_SECONDS = 60
_MOST_TABLES = 10_000

_SERVER = """
SELECT current_setting('server_version_num')::int / 10000, current_setting('server_version'), current_database()
"""
_TABLES = """
SELECT c.oid::bigint, n.nspname, c.relname, nullif(c.reltuples, -1)::bigint
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
    AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname, c.relname
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the database, and about how many rows it has."""

    oid: int
    schema: str
    name: str
    rows_estimate: int | None
    """None for one that the server has never analysed."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the server said of itself."""

    major: int
    server_version: str
    database: str
    tables: tuple[Table, ...]

    def listed(self) -> list[dict[str, Any]]:
        """Give the tables as JSON, as many as a manifest names."""
        return [
            {"schema": table.schema, "name": table.name, "rowsEstimate": table.rows_estimate}
            for table in self.tables[:_MOST_TABLES]
        ]


async def read_facts(connection: Any) -> Facts:
    """Ask the server for its version and its tables; those of extensions are not dumped, and not named."""
    async with transaction(connection, statement_seconds=_SECONDS, lock_seconds=_SECONDS):
        major, version, database = await (await connection.execute(_SERVER)).fetchone()
        rows = await (await connection.execute(_TABLES)).fetchall()
    return Facts(major, version, database, tuple(Table(*row) for row in rows))
