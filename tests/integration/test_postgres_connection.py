"""Connections to a real PostgreSQL: nothing is left on the server, and one that is frozen or lost is an error."""

import psycopg
import pytest
from tests.integration.processes import eventually
from tests.servers.postgres import freeze, thaw

from edworkers.adapters.postgres.connection import connect, hanging_up_after, open_pool, transaction
from edworkers.core.errors import DatabaseUnavailableError
from edworkers.standins.postgres import PostgresServer

pytestmark = pytest.mark.timeout(60)


async def test_nothing_of_a_transaction_is_left_for_the_next_one(postgres_url: str) -> None:
    async with connect({"DATABASE_URL": postgres_url}) as connection:
        for _ in range(10):  # more often than it takes to prepare a statement
            async with transaction(connection, statement_seconds=7, lock_seconds=3):
                cursor = await connection.execute(
                    "SELECT current_setting('statement_timeout'), current_setting('lock_timeout') WHERE %s", (True,)
                )
                assert await cursor.fetchone() == ("7s", "3s")
        cursor = await connection.execute("SELECT current_setting('statement_timeout')")
        assert await cursor.fetchone() == ("0",)
        cursor = await connection.execute("SELECT count(*) FROM pg_prepared_statements")
        assert await cursor.fetchone() == (0,)


async def test_a_server_that_is_lost_is_told_without_the_password(postgres_server: PostgresServer) -> None:
    env = {"DATABASE_URL": postgres_server.url.replace("postgres@", "postgres:hunter2@")}

    async def lose() -> None:
        async with connect(env) as connection:
            await postgres_server.stop()
            await connection.execute("SELECT 1")

    for _ in range(2):  # the second time it isn't there from the start
        with pytest.raises(DatabaseUnavailableError, match=r"the database postgres at 127\.0\.0\.1:") as lost:
            await lose()
        assert "hunter2" not in str(lost.value)


async def test_a_fault_in_a_query_stays_what_it_is(postgres_url: str) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        async with connect({"DATABASE_URL": postgres_url}) as connection:
            await connection.execute("SELECT * FROM nothing")


async def test_a_frozen_server_is_hung_up_on(postgres_server: PostgresServer) -> None:
    async def ask() -> None:
        async with connect({"DATABASE_URL": postgres_server.url}) as connection:
            freeze(postgres_server)
            async with hanging_up_after(0.1, connection):
                await connection.execute("SELECT 1")

    with pytest.raises(DatabaseUnavailableError):
        await ask()
    thaw(postgres_server)


async def test_a_pool_has_no_connections_while_nobody_asks(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edworkers.adapters.postgres.connection.IDLE_SECONDS", 0.1)
    async with open_pool({"DATABASE_URL": postgres_url}, at_most=2) as pool:

        async def is_empty() -> bool:
            return pool.get_stats()["pool_size"] == 0

        assert await is_empty()
        async with pool.connection() as connection:
            await connection.execute("SELECT 1")
        assert not await is_empty()
        await eventually(is_empty)
