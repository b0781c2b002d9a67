"""Expired rows of one table: whether they can be deleted, and how a batch of them is."""

from dataclasses import dataclass
from typing import Any, LiteralString

from edworkers.handlers.scheduled.token_tables import TokenTable, is_protected
from edworkers.handlers.scheduled.work import refused

_TIMES: dict[str, LiteralString] = {
    "timestamp with time zone": "now()",
    "timestamp without time zone": "now() AT TIME ZONE 'UTC'",
}

_FIND = """
SELECT c.oid, c.relkind::text, n.nspname, c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass(%s)
"""
_COLUMNS = """
SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped
"""
_INDEXED = """
SELECT EXISTS (
    SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = %s AND a.attname = %s AND i.indisvalid AND i.indpred IS NULL
)
"""


@dataclass(frozen=True, slots=True)
class ExpiredRows:
    """What is known of a table whose expired rows are to be deleted."""

    table: TokenTable
    name: str
    """Schema and table, for people."""
    parts: tuple[str, str]
    now: LiteralString
    """What the moment now is, in the type of the column."""
    indexed: bool

    @property
    def advice(self) -> str | None:
        """What would make it faster; None where nothing would."""
        if self.indexed:
            return None
        schema, table = (_quoted(part) for part in self.parts)
        column = _quoted(self.table.expires_column)
        return (
            f"{self.name} has no index that begins with {self.table.expires_column}, so each batch reads all of it: "
            f"CREATE INDEX CONCURRENTLY ON {schema}.{table} ({column})"
        )

    def deletion(self) -> Any:
        """Write the statement that deletes a batch; it takes `grace` in seconds, and `most`, a number of rows.

        It waits for nobody: a row that another transaction holds is left for a later batch.
        """
        return self._statement(
            "DELETE FROM {table} WHERE {key} = ANY(ARRAY(SELECT {key} FROM {table} WHERE {expired} ORDER BY {expires} "
            "LIMIT %(most)s FOR UPDATE SKIP LOCKED)) AND {expired}"
        )

    def count_of_those_left(self) -> Any:
        """Write the statement that counts expired rows, up to 10,000; it takes `grace` in seconds."""
        return self._statement("SELECT count(*) FROM (SELECT FROM {table} WHERE {expired} LIMIT 10000) r")

    def _statement(self, text: LiteralString) -> Any:
        from psycopg import sql

        expires = sql.Identifier(self.table.expires_column)
        before = sql.SQL(f"{{}} < {self.now} - make_interval(secs => %(grace)s)")
        return sql.SQL(text).format(
            table=sql.Identifier(*self.parts),
            key=sql.Identifier(self.table.id_column or "ctid"),
            expires=expires,
            expired=before.format(expires),
        )


def _quoted(name: str) -> str:
    return name if name.isidentifier() and name.islower() and name.isascii() else f'"{name}"'


async def find_rows(connection: Any, table: TokenTable) -> ExpiredRows | None:
    """Look a table up; None where there is none of this name.

    Raises TaskError where its rows can't be deleted by what the job says of it.
    """
    found = await (await connection.execute(_FIND, [".".join(f'"{part}"' for part in table.parts)])).fetchone()
    if found is None:
        return None
    oid, kind, schema, relation = found
    name = f"{schema}.{relation}"
    if is_protected(schema):  # found by the search path of the database's user
        raise refused("table", f"{name} is a table of edworkers or of PostgreSQL itself, and is never cleaned")
    columns: dict[str, str] = dict(await (await connection.execute(_COLUMNS, [oid])).fetchall())
    _check(table, name, kind, columns)
    [indexed] = await (await connection.execute(_INDEXED, [oid, table.expires_column])).fetchone()
    return ExpiredRows(table, name, (schema, relation), _TIMES[columns[table.expires_column]], indexed)


def _check(table: TokenTable, name: str, kind: str, columns: dict[str, str]) -> None:
    if kind not in {"r", "p"}:
        raise refused("table", f"{name} is no table of this database: rows are deleted from tables only")
    for column in (table.expires_column, table.id_column):
        if column is not None and column not in columns:
            there = ", ".join(sorted(columns)[:30])
            raise refused("column", f"{name} has no column {column!r}; it has {there}: correct it, and replay the job")
    if columns[table.expires_column] not in _TIMES:
        has = columns[table.expires_column]
        raise refused("column", f"{name}.{table.expires_column} has the type {has}, and must be a timestamp")
    if kind == "p" and table.id_column is None:
        raise refused("table", f"{name} is partitioned: give its key as idColumn, and replay the job")
