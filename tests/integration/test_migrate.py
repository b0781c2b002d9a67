"""`edworkers migrate` on a real PostgreSQL."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from tests.integration.command_line import CommandLine

from edworkers.adapters.postgres.migrate import migrate, read_status
from edworkers.adapters.postgres.migration import Migration, in_order, read_migrations
from edworkers.core.errors import DatabaseUnavailableError, MigrationError
from edworkers.standins.postgres import PostgresServer

ONE = Migration(1, "one", "CREATE TABLE edworkers.one (id int);")
TWO = Migration(2, "two", "CREATE TABLE edworkers.two (id int); INSERT INTO edworkers.two VALUES (1);")
BROKEN = Migration(3, "broken", "CREATE TABLE edworkers.three (id int); SELECT 1 / 0;")


@pytest.fixture
def env(postgres_url: str) -> dict[str, str]:
    return {"DATABASE_URL": postgres_url}


@pytest.fixture
def command_line(tmp_path: Path, redis_url: str, postgres_url: str) -> CommandLine:
    made = CommandLine(tmp_path, redis_url)
    made.env["NEON_DATABASE_URL"] = postgres_url
    return made


def ask(env: Mapping[str, str], query: str) -> Any:
    with psycopg.connect(env["DATABASE_URL"]) as connection:
        return connection.execute(query.encode()).fetchall()


def tables(env: Mapping[str, str]) -> list[str]:
    return [row[0] for row in ask(env, "SELECT tablename FROM pg_tables WHERE schemaname = 'edworkers' ORDER BY 1")]


async def test_migrations_are_applied_once_in_their_order(env: dict[str, str]) -> None:
    assert await migrate(env, migrations=[ONE, TWO]) == [ONE, TWO]
    assert await migrate(env, migrations=[ONE, TWO]) == []
    assert ask(env, "SELECT version, name, checksum FROM edworkers.schema_version ORDER BY version") == [
        (1, "one", ONE.checksum),
        (2, "two", TWO.checksum),
    ]


async def test_those_of_the_wheel_fit_an_empty_database(env: dict[str, str]) -> None:
    done = await migrate(env)
    assert done == read_migrations()
    assert {"jobs", "errors", "schema_version"} <= set(tables(env))


async def test_many_processes_at_once_apply_each_migration_once(command_line: CommandLine, postgres_url: str) -> None:
    ran = await asyncio.gather(*(command_line.run("migrate", "--json") for _ in range(8)))
    assert {each.code for each in ran} == {0}, [each.err for each in ran]
    applied = [step["version"] for each in ran for step in each.document["applied"]]
    assert sorted(applied) == [each.version for each in read_migrations()]


async def test_only_so_far_as_asked(env: dict[str, str]) -> None:
    assert await migrate(env, to=1, migrations=[ONE, TWO]) == [ONE]
    assert [state.applied_at is None for state in await read_status(env, migrations=[ONE, TWO])] == [False, True]
    assert await migrate(env, migrations=[ONE, TWO]) == [TWO]


async def test_one_that_fails_changes_nothing_and_those_before_it_stay(env: dict[str, str]) -> None:
    with pytest.raises(MigrationError, match=r"migration 0003 broken failed, and changed nothing: division by zero"):
        await migrate(env, migrations=[ONE, BROKEN])
    assert tables(env) == ["one", "schema_version"]
    fixed = Migration(3, "broken", "CREATE TABLE edworkers.three (id int);")
    assert await migrate(env, migrations=[ONE, fixed]) == [fixed]


async def test_one_that_was_changed_afterwards_is_refused_and_nothing_else_is_done(env: dict[str, str]) -> None:
    await migrate(env, migrations=[ONE])
    changed = Migration(1, "one", "CREATE TABLE edworkers.other (id int);")
    with pytest.raises(MigrationError, match="changed after the database got it: 0001 one"):
        await migrate(env, migrations=[changed, TWO])
    with pytest.raises(MigrationError, match="0001 one"):
        await read_status(env, migrations=[changed])
    assert tables(env) == ["one", "schema_version"]


async def test_one_that_came_later_with_a_lower_number_is_applied_too(env: dict[str, str]) -> None:
    await migrate(env, migrations=[TWO])
    assert await migrate(env, migrations=[ONE, TWO]) == [ONE]


async def test_a_database_of_a_newer_version_is_left_alone(env: dict[str, str]) -> None:
    await migrate(env, migrations=[ONE, TWO])
    assert await migrate(env, migrations=[ONE]) == []
    newer = (await read_status(env, migrations=[ONE]))[-1]
    assert (newer.version, newer.name, newer.migration) == (2, "two", None)


async def test_a_schema_that_is_there_already_is_used_without_a_right_on_the_database(
    env: dict[str, str], shared_postgres: PostgresServer
) -> None:
    small = {"DATABASE_URL": env["DATABASE_URL"].replace("postgres@", "small@")}
    with psycopg.connect(env["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS small")
        connection.execute("CREATE ROLE small LOGIN")
        with pytest.raises(MigrationError) as refused:
            await migrate(small, migrations=[ONE])
        assert tables(env) == []
        # What it says helps.
        _, _, advice = str(refused.value).partition("run: ")
        for statement in advice.partition(" (or")[0].split("; "):
            connection.execute(sql.SQL(statement))
        assert await migrate(small, migrations=[ONE, TWO]) == [ONE, TWO]
        connection.execute("DROP OWNED BY small CASCADE")
        connection.execute("DROP ROLE small")


async def test_a_replica_is_told_from_a_primary(env: dict[str, str]) -> None:
    with psycopg.connect(env["DATABASE_URL"], autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
    with pytest.raises(MigrationError, match="read-only replica"):
        await migrate(env, migrations=[ONE])


async def test_a_table_that_is_in_use_is_not_waited_for_for_ever(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(env, migrations=[ONE])
    monkeypatch.setattr("edworkers.adapters.postgres.migrate._TABLE_LOCK_SECONDS", 0.1)
    more = Migration(2, "more", "ALTER TABLE edworkers.one ADD COLUMN more int;")
    with psycopg.connect(env["DATABASE_URL"]) as connection:
        connection.execute("SELECT * FROM edworkers.one")
        with pytest.raises(MigrationError, match="lock timeout"):
            await migrate(env, migrations=[ONE, more])
    assert await migrate(env, migrations=[ONE, more]) == [more]


async def test_no_server_is_told_as_such(env: dict[str, str]) -> None:
    with pytest.raises(DatabaseUnavailableError, match=r"the database app at 127\.0\.0\.1:1: "):
        await migrate({"DATABASE_URL": "postgresql://app:hunter2@127.0.0.1:1/app"})


@pytest.mark.parametrize(
    ("names", "fault"),
    [(["0001_a.sql", "0001_b.sql"], "two migrations have the number 0001"), (["1_a.sql"], "is not named as 0001_")],
)
def test_files_that_could_be_mistaken_are_refused(names: list[str], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        in_order(dict.fromkeys(names, "SELECT 1"))


def test_line_ends_do_not_change_a_migration() -> None:
    assert in_order({"0001_a.sql": "a\r\nb"}) == in_order({"0001_a.sql": "a\nb"})


async def test_the_command_says_what_it_does(command_line: CommandLine) -> None:
    status = await command_line.run("migrate", "--status")
    assert status.out.splitlines()[1] == "0001\tledger\tnot yet"
    dry = await command_line.run("migrate", "--dry-run", "--to", "1")
    assert "-- 0001 ledger\n" in dry.out
    assert "CREATE TABLE edworkers.jobs" in dry.out
    assert (await command_line.run("migrate", "--status", "--json")).document["migrations"][0]["appliedAt"] is None
    assert (await command_line.run("migrate", "--to", "1")).out == "applied 0001 ledger\n"
    await command_line.run("migrate")
    assert (await command_line.run("migrate")).out == "nothing to do: the database has every migration\n"
    assert (await command_line.run("migrate", "--status")).out.count("not yet") == 0


async def test_the_command_says_what_is_wrong(command_line: CommandLine) -> None:
    none = await command_line.run("migrate", NEON_DATABASE_URL="")
    assert (none.code, none.out) == (2, "")
    assert "NEON_DATABASE_URL: is not set" in none.err
    away = await command_line.run("migrate", NEON_DATABASE_URL="postgresql://app:hunter2@127.0.0.1:1/app")
    assert away.code == 3
    assert "hunter2" not in away.err
