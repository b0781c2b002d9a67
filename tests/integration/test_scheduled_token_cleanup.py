"""`token-cleanup` on a real PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from tests.integration.processes import eventually

from edworkers.core.errors import SettingsError
from edworkers.core.outcome import Deferred, Done, Failed, Outcome, Rejected
from edworkers.core.settings import JobPolicy
from edworkers.handlers.scheduled import MODULE
from edworkers.testing import run_job

Connection = psycopg.AsyncConnection[Any]


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as connection:
        yield connection


async def make_tokens(database: Connection, table: str = "refresh_tokens", *, expired: int, valid: int = 0) -> None:
    await database.execute(
        f"CREATE TABLE {table} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, expires_at timestamptz NOT NULL)"
    )
    await database.execute(f"CREATE INDEX ON {table} (expires_at)")
    for count, when in ((expired, "- interval '2 hours'"), (valid, "+ interval '1 hour'")):
        await database.execute(f"INSERT INTO {table} (expires_at) SELECT now() {when} FROM generate_series(1, {count})")


async def count(database: Connection, table: str = "refresh_tokens") -> int:
    [found] = await (await database.execute(f"SELECT count(*) FROM {table}")).fetchone() or [0]
    return int(found)


async def clean(url: str, data: dict[str, Any] | None = None, **more: Any) -> Outcome:
    env = {"NEON_DATABASE_URL": url, **more.pop("env", {})}
    job = {"pauseSeconds": 0, **(data or {})}
    return await run_job(MODULE, job, env=env, type="token-cleanup", real_time=True, **more)


async def done(url: str, data: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    outcome = await clean(url, data, **more)
    assert isinstance(outcome, Done), outcome
    assert isinstance(outcome.result, dict)
    return outcome.result


async def refusal(url: str, data: dict[str, Any] | None = None, **more: Any) -> str:
    outcome = await clean(url, data, **more)
    assert isinstance(outcome, Failed), outcome
    assert not outcome.retryable
    return outcome.message


async def test_expired_tokens_go_in_batches_and_valid_ones_stay(postgres_url: str, database: Connection) -> None:
    await make_tokens(database, expired=25, valid=7)
    await database.execute("CREATE TABLE batches (rows bigint)")
    await database.execute(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO batches SELECT count(*) FROM old; RETURN NULL; END $$"
    )
    await database.execute(
        "CREATE TRIGGER note AFTER DELETE ON refresh_tokens REFERENCING OLD TABLE AS old EXECUTE FUNCTION note()"
    )
    told: list[tuple[float, str]] = []
    result = await done(postgres_url, {"batchSize": 10}, progress=told)
    assert result == {"deleted": 25, "tables": [{"table": "public.refresh_tokens", "deleted": 25, "left": 0}]}
    assert await count(database) == 7
    rows = await (await database.execute("SELECT rows FROM batches WHERE rows > 0")).fetchall()
    assert [size for (size,) in rows] == [10, 10, 5]
    assert told == [(0.0, "public.refresh_tokens; 0 rows deleted so far")]


async def test_a_token_in_its_time_of_grace_stays(postgres_url: str, database: Connection) -> None:
    await make_tokens(database, expired=3)
    assert (await done(postgres_url, {"graceSeconds": 3 * 3600}))["deleted"] == 0
    assert (await done(postgres_url, {"graceSeconds": 3600}))["deleted"] == 3


async def test_the_usual_tables_are_cleaned_as_far_as_they_exist(postgres_url: str, database: Connection) -> None:
    await make_tokens(database, "sessions", expired=2)
    await make_tokens(database, "password_reset_tokens", expired=1)
    result = await done(postgres_url)
    assert [(table["table"], table["deleted"]) for table in result["tables"]] == [
        ("public.password_reset_tokens", 1),
        ("public.sessions", 2),
    ]


async def test_the_setting_names_tables_and_the_job_chooses_among_them(postgres_url: str, database: Connection) -> None:
    await database.execute('CREATE SCHEMA "Auth Data"')
    await database.execute(
        'CREATE TABLE "Auth Data"."Odd;Name" ("the key" uuid PRIMARY KEY DEFAULT gen_random_uuid(), "Ends" timestamp)'
    )
    await database.execute(
        """INSERT INTO "Auth Data"."Odd;Name" ("Ends") VALUES (now() AT TIME ZONE 'UTC' - interval '1 day'),"""
        """ (now() AT TIME ZONE 'UTC' + interval '1 hour')"""
    )
    await make_tokens(database, "invites", expired=1)
    odd = '{"table": "Auth Data.Odd;Name", "expiresColumn": "Ends", "idColumn": "the key"}'
    setting = f'[{odd}, {{"table": "invites"}}]'
    result = await done(postgres_url, env={"TOKEN_TABLES": f"[{odd}]"})
    [told] = result["tables"]
    assert (told["table"], told["deleted"]) == ("Auth Data.Odd;Name", 1)
    assert told["advice"].endswith('CREATE INDEX CONCURRENTLY ON "Auth Data"."Odd;Name" ("Ends")')
    for tables in ([{"table": "invites"}], ["invites"], [{"table": "invites", "expiresColumn": "expires_at"}]):
        named = await done(postgres_url, {"tables": tables}, env={"TOKEN_TABLES": setting})
        assert [table["table"] for table in named["tables"]] == ["public.invites"]


@pytest.mark.parametrize(
    "table",
    [
        {"table": "users", "expiresColumn": "created_at"},
        {"table": "users"},
        {"table": "refresh_tokens", "expiresColumn": "created_at"},
        {"table": "public.refresh_tokens"},
        {"table": "refresh_tokens", "idColumn": "id"},
    ],
)
async def test_a_job_can_clean_no_table_and_by_no_column_that_is_not_allowed(
    postgres_url: str, database: Connection, table: dict[str, str]
) -> None:
    await make_tokens(database, expired=3)
    await database.execute("ALTER TABLE refresh_tokens ADD created_at timestamptz DEFAULT now() - interval '1 day'")
    await database.execute("CREATE TABLE users (created_at timestamptz, expires_at timestamptz)")
    await database.execute("INSERT INTO users SELECT now() - interval '1 day', now() - interval '1 day'")
    message = await refusal(postgres_url, {"tables": ["sessions", table]})
    assert "allowed are refresh_tokens (by expires_at), password_reset_tokens (by expires_at), sessions" in message
    assert f'To allow it, put {{"table": "{table["table"]}", ' in message
    assert (await count(database, "users"), await count(database)) == (1, 3)


async def test_a_table_of_edworkers_that_the_search_path_finds_is_never_cleaned(
    postgres_url: str, database: Connection
) -> None:
    await database.execute("CREATE SCHEMA edworkers")
    await make_tokens(database, "edworkers.sessions", expired=2)
    [name] = await (await database.execute("SELECT current_database()")).fetchone() or [""]
    await database.execute(f'ALTER DATABASE "{name}" SET search_path = edworkers, public')
    assert "edworkers.sessions is a table of edworkers" in await refusal(postgres_url, {"tables": ["sessions"]})
    assert await count(database, "edworkers.sessions") == 2


async def test_a_column_that_is_not_unique_as_key_deletes_no_token_that_is_valid(
    postgres_url: str, database: Connection
) -> None:
    await database.execute("CREATE TABLE sessions (user_id int, expires_at timestamptz)")
    await database.execute(
        "INSERT INTO sessions VALUES (1, now() - interval '1 day'), (1, now() + interval '1 day'), (2, 'infinity')"
    )
    env = {"TOKEN_TABLES": '[{"table": "sessions", "idColumn": "user_id"}]'}
    result = await done(postgres_url, env=env)
    assert (result["deleted"], await count(database, "sessions")) == (1, 2)


async def test_rows_that_others_hold_are_left_and_taken_later(postgres_url: str, database: Connection) -> None:
    await make_tokens(database, expired=10)
    async with await psycopg.AsyncConnection.connect(postgres_url) as other:
        await other.execute("SELECT FROM refresh_tokens WHERE id IN (3, 4) FOR UPDATE")
        first = await done(postgres_url, {"batchSize": 4})
        assert first["tables"] == [{"table": "public.refresh_tokens", "deleted": 8, "left": 2}]
        await other.rollback()
    second = await done(postgres_url)
    assert (second["deleted"], await count(database)) == (2, 0)


async def test_others_read_and_write_other_rows_while_a_batch_is_being_deleted(
    postgres_url: str, database: Connection
) -> None:
    await make_tokens(database, expired=10, valid=2)
    # The batch waits in its trigger, with its rows deleted and the transaction open, for as long as the lock is held.
    await database.execute(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$"
    )
    await database.execute("CREATE TRIGGER wait AFTER DELETE ON refresh_tokens EXECUTE FUNCTION wait()")
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as other:
        await database.execute("SELECT pg_advisory_lock(7)")
        cleaning = asyncio.create_task(done(postgres_url))
        await eventually(lambda: waiting_for_lock(other))
        await other.execute("SET lock_timeout = '1s'")
        assert await count(other) == 12
        await other.execute(
            "UPDATE refresh_tokens SET expires_at = now() + interval '2 hours' WHERE expires_at > now()"
        )
        await other.execute("INSERT INTO refresh_tokens (expires_at) VALUES (now() + interval '1 hour')")
        assert not cleaning.done()
        await database.execute("SELECT pg_advisory_unlock(7)")
        assert (await cleaning)["deleted"] == 10
    assert await count(database) == 3


async def waiting_for_lock(connection: Connection) -> bool:
    cursor = await connection.execute("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    return await cursor.fetchone() is not None


async def test_what_time_does_not_allow_is_put_off_at_no_cost_and_nothing_is_undone(
    postgres_url: str, database: Connection
) -> None:
    await make_tokens(database, expired=10)
    pool = MODULE.pool.model_copy(update={"job": JobPolicy(timeout_seconds=29)})
    outcome = await clean(postgres_url, {"batchSize": 4}, pool=pool)
    assert outcome == Deferred(1, "4 rows were deleted, and there are more: it goes on")
    assert await count(database) == 6
    assert (await done(postgres_url))["deleted"] == 6


async def test_a_partitioned_table_needs_its_key(postgres_url: str, database: Connection) -> None:
    await database.execute("CREATE TABLE sessions (id int, expires_at timestamptz) PARTITION BY HASH (id)")
    for part in (0, 1):
        await database.execute(
            f"CREATE TABLE sessions_{part} PARTITION OF sessions FOR VALUES WITH (MODULUS 2, REMAINDER {part})"
        )
    await database.execute("INSERT INTO sessions SELECT n, now() - interval '1 day' FROM generate_series(1, 9) n")
    assert "public.sessions is partitioned: give its key as idColumn" in await refusal(postgres_url)
    env = {"TOKEN_TABLES": '[{"table": "sessions", "idColumn": "id"}]'}
    assert (await done(postgres_url, env=env))["deleted"] == 9


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"table": "nowhere"}, "there is no table nowhere in the database: name the right ones"),
        ({"table": "auth.nowhere"}, "there is no table auth.nowhere in the database"),
        (
            {"table": "refresh_tokens", "expiresColumn": "ends"},
            "has no column 'ends'; it has expires_at, id: correct it",
        ),
        ({"table": "refresh_tokens", "idColumn": "key"}, "has no column 'key'"),
        ({"table": "refresh_tokens", "expiresColumn": "id"}, "has the type bigint, and must be a timestamp"),
        ({"table": "valid_tokens"}, "public.valid_tokens is no table of this database"),
    ],
)
async def test_a_table_that_cannot_be_cleaned_is_buried_with_what_to_do_and_none_is_touched(
    postgres_url: str, database: Connection, table: dict[str, str], why: str
) -> None:
    await make_tokens(database, expired=1)
    await make_tokens(database, "sessions", expired=1)
    await database.execute("CREATE VIEW valid_tokens AS SELECT * FROM refresh_tokens")
    env = {"TOKEN_TABLES": json.dumps([{"table": "sessions"}, table])}
    assert why in await refusal(postgres_url, env=env)
    assert await count(database, "sessions") == 1


async def test_without_any_of_the_usual_tables_the_job_says_what_to_set(postgres_url: str) -> None:
    message = await refusal(postgres_url)
    assert message.startswith("none of refresh_tokens, password_reset_tokens, sessions exists in the database")
    assert "name your tables in TOKEN_TABLES" in message


async def test_a_user_without_the_right_to_delete_is_told_so(postgres_url: str, database: Connection) -> None:
    await make_tokens(database, expired=1)
    await database.execute("DROP ROLE IF EXISTS token_reader")
    await database.execute("CREATE ROLE token_reader LOGIN")
    await database.execute("GRANT SELECT ON refresh_tokens TO token_reader")
    message = await refusal(postgres_url.replace("postgres@", "token_reader@"))
    await database.execute("DROP OWNED BY token_reader")
    await database.execute("DROP ROLE token_reader")
    assert message.startswith("permission denied for table refresh_tokens: grant the right to the user")


async def test_rows_that_other_tables_need_are_told_with_what_to_do(postgres_url: str, database: Connection) -> None:
    await make_tokens(database, expired=1)
    await database.execute("CREATE TABLE uses (token bigint REFERENCES refresh_tokens)")
    await database.execute("INSERT INTO uses VALUES (1)")
    assert "ON DELETE CASCADE" in await refusal(postgres_url)


async def test_a_table_that_is_locked_is_tried_again(postgres_url: str, database: Connection) -> None:
    await make_tokens(database, expired=1)
    async with await psycopg.AsyncConnection.connect(postgres_url) as other:
        await other.execute("LOCK TABLE refresh_tokens IN ACCESS EXCLUSIVE MODE")
        outcome = await clean(postgres_url)
    assert isinstance(outcome, Failed)
    assert outcome.retryable
    assert "lock timeout" in outcome.message


async def test_a_database_that_is_away_is_tried_again() -> None:
    outcome = await clean("postgresql://postgres@127.0.0.1:1/app")
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("database", True)
    assert "the database app at 127.0.0.1:1" in outcome.message


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({"table": "x"}, "data.table: Extra inputs are not permitted"),
        ({"tables": []}, "data.tables: List should have at least 1 item"),
        ({"tables": [{"table": 'a"b'}]}, "data.tables.0.table: must be a table's name, or schema.table"),
        ({"tables": [{"table": "a.b.c"}]}, "data.tables.0.table: must be a table's name, or schema.table"),
        ({"tables": [{"table": "a"}, {"table": "a"}]}, "data.tables: the same table is there twice"),
        ({"tables": ["edworkers.jobs"]}, "data.tables.0.table: must be no table of edworkers"),
        ({"tables": ["pg_class"]}, "data.tables.0.table: must be no table of edworkers"),
        ({"tables": ["information_schema.x"]}, "data.tables.0.table: must be no table of edworkers"),
        ({"batchSize": 0}, "data.batchSize: Input should be greater than or equal to 1"),
        ({"graceSeconds": -1}, "data.graceSeconds: Input should be greater than or equal to 0"),
    ],
)
async def test_data_that_is_wrong_is_buried_with_its_fault(data: dict[str, Any], fault: str) -> None:
    outcome = await clean("postgresql://postgres@127.0.0.1:1/app", data)
    assert isinstance(outcome, Rejected)
    [told] = outcome.faults
    assert told.startswith(fault)


@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        ("refresh_tokens", "TOKEN_TABLES: Invalid JSON"),
        ('[{"table": "a", "column": "b"}]', "TOKEN_TABLES: 0.column: Extra inputs are not permitted"),
        ('[{"table": "Edworkers.jobs"}]', "TOKEN_TABLES: 0.table: must be no table of edworkers"),
        ("[]", "TOKEN_TABLES: List should have at least 1 item"),
    ],
)
async def test_a_setting_that_is_wrong_is_told_at_the_start(setting: str, fault: str) -> None:
    with pytest.raises(SettingsError) as refused:
        await clean("postgresql://postgres@127.0.0.1:1/app", env={"TOKEN_TABLES": setting})
    [told] = refused.value.faults
    assert told.startswith(fault)


async def test_no_database_at_all_is_told_at_the_start() -> None:
    with pytest.raises(SettingsError) as refused:
        await clean("")
    assert refused.value.faults[0].startswith("NEON_DATABASE_URL: not set; give the address of the database")
