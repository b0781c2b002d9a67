"""Brings a database up to date. Any number of processes may do it at once: one does each step, the others wait.

Every step is a transaction of its own that begins with the same advisory lock, which works through a pooler, too.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from edworkers.adapters.postgres.connection import connect, limit, transaction
from edworkers.adapters.postgres.migration import Migration, read_migrations
from edworkers.core.errors import MigrationError

if TYPE_CHECKING:
    import psycopg
    from psycopg import AsyncConnection

_LOCK = 0x6564776F726B  # "edwork": one number for all processes
_TURN_SECONDS = 300
"""How long to wait for others that migrate."""
_STATEMENT_SECONDS = 300
_TABLE_LOCK_SECONDS = 10
"""How long to wait for a table that others use: those who come after it would wait, too."""

_TABLE = """
CREATE TABLE edworkers.schema_version (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True, slots=True)
class State:
    """One migration, and whether the database has it."""

    version: int
    name: str
    applied_at: datetime | None
    migration: Migration | None
    """None for one that a newer edworkers has applied."""


async def migrate(
    env: Mapping[str, str],
    *,
    to: int | None = None,
    migrations: Sequence[Migration] | None = None,
    tell: Callable[[Migration], None] = lambda _: None,
) -> list[Migration]:
    """Apply what is missing, up to the version `to`; returns what this call applied, told one by one.

    Raises SettingsError, DatabaseUnavailableError, and MigrationError: one that was applied has been changed since,
    the database refuses, or a step fails, and then that step has changed nothing.
    """
    wanted = [each for each in migrations or read_migrations() if to is None or each.version <= to]
    done: list[Migration] = []
    async with _connected(env) as connection:
        _refuse_changed(wanted, await _read_applied(connection))
        await _make_table(connection)
        for each in wanted:
            if await _apply(connection, each, wanted):
                done.append(each)
                tell(each)
    return done


async def read_status(env: Mapping[str, str], *, migrations: Sequence[Migration] | None = None) -> list[State]:
    """Tell of every migration whether the database has it; changes nothing. Raises as `migrate` does."""
    known = {each.version: each for each in migrations or read_migrations()}
    async with _connected(env) as connection:
        applied = await _read_applied(connection)
    _refuse_changed(list(known.values()), applied)
    states = [State(each.version, each.name, applied.get(each.version, _NOT)[2], each) for each in known.values()]
    newer = [State(version, row[0], row[2], None) for version, row in applied.items() if version not in known]
    return sorted([*states, *newer], key=lambda state: state.version)


_Row = tuple[str, str, datetime | None]
_NOT: _Row = ("", "", None)


@asynccontextmanager
async def _connected(env: Mapping[str, str]) -> "AsyncGenerator[AsyncConnection]":
    import psycopg

    async with connect(env, application="edworkers migrate") as connection:
        try:
            yield connection
        except psycopg.errors.InsufficientPrivilege as error:
            raise MigrationError(_what_to_grant(connection, error)) from error
        except psycopg.errors.ReadOnlySqlTransaction as error:
            raise MigrationError("this is a read-only replica: migrate at the address of the primary") from error


def _what_to_grant(connection: "AsyncConnection", error: "psycopg.Error") -> str:
    user, database = (f'"{name}"' for name in (connection.info.user, connection.info.dbname))
    return (
        f"the user {user} may not make what edworkers keeps ({error.diag.message_primary}); as the owner, run:"
        f" CREATE SCHEMA IF NOT EXISTS edworkers; ALTER SCHEMA edworkers OWNER TO {user}"
        f" (or: GRANT CREATE ON DATABASE {database} TO {user})"
    )


async def _read_applied(connection: "AsyncConnection") -> dict[int, _Row]:
    # Asked first: to select from a table that isn't there is an error.
    [found] = await _one(connection, "SELECT to_regclass('edworkers.schema_version') IS NOT NULL")
    if not found:
        return {}
    cursor = await connection.execute("SELECT version, name, checksum, applied_at FROM edworkers.schema_version")
    return {version: (name, checksum, at) for version, name, checksum, at in await cursor.fetchall()}


async def _one(connection: "AsyncConnection", query: str) -> tuple[object, ...]:
    cursor = await connection.execute(query.encode())
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - each of these queries gives one
    return row


def _refuse_changed(migrations: Sequence[Migration], applied: Mapping[int, _Row]) -> None:
    changed = [each for each in migrations if each.version in applied and applied[each.version][1] != each.checksum]
    if changed:
        names = ", ".join(map(str, changed))
        raise MigrationError(
            f"changed after the database got it: {names}; install an edworkers that was not modified, and make"
            " changes in a new migration"
        )


async def _make_table(connection: "AsyncConnection") -> None:
    async with _turn(connection):
        schema, table = await _one(
            connection, "SELECT to_regnamespace('edworkers'), to_regclass('edworkers.schema_version')"
        )
        if schema is None:  # asked first: IF NOT EXISTS needs the right to make one even where there is one
            await connection.execute("CREATE SCHEMA edworkers")
        if table is None:
            await connection.execute(_TABLE)


@asynccontextmanager
async def _turn(connection: "AsyncConnection") -> AsyncGenerator[None]:
    """Run the block in a transaction while no other process is in one of these."""
    async with transaction(connection, statement_seconds=_TURN_SECONDS, lock_seconds=0):
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        await limit(connection, statement_seconds=_STATEMENT_SECONDS, lock_seconds=_TABLE_LOCK_SECONDS)
        yield


async def _apply(connection: "AsyncConnection", migration: Migration, wanted: Sequence[Migration]) -> bool:
    """Apply one, unless another process has meanwhile; returns whether this one did."""
    import psycopg

    async with _turn(connection):
        applied = await _read_applied(connection)
        _refuse_changed(wanted, applied)
        if migration.version in applied:
            return False
        try:
            await connection.execute(migration.sql.encode())
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction):
            raise
        except psycopg.Error as error:
            raise MigrationError(f"migration {migration} failed, and changed nothing: {error}") from error
        await connection.execute(
            "INSERT INTO edworkers.schema_version (version, name, checksum) VALUES (%s, %s, %s)",
            (migration.version, migration.name, migration.checksum),
        )
    return True
