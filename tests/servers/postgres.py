"""A PostgreSQL of the test run's own: Debian's, or whichever is installed."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import suppress
from itertools import count

import psutil
import psycopg
import pytest
from psycopg import sql

from edworkers.adapters.postgres.migrate import migrate
from edworkers.standins import postgres as postgres_standin
from edworkers.standins.postgres import PostgresServer

_numbers = count(1)


@pytest.fixture(scope="session")
def shared_postgres() -> Generator[PostgresServer]:
    """One server for all tests of this process."""
    with asyncio.Runner() as runner:
        serving = postgres_standin.serve()
        server = runner.run(serving.__aenter__())
        yield server
        runner.run(serving.__aexit__(None, None, None))


@pytest.fixture
def postgres_url(shared_postgres: PostgresServer) -> Generator[str]:
    """The address of an empty database of the test's own."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(shared_postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        yield shared_postgres.url_of(name)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
async def migrated_url(postgres_url: str) -> str:
    """The address of a database of the test's own that has edworkers' tables."""
    await migrate({"DATABASE_URL": postgres_url})
    return postgres_url


@pytest.fixture
async def postgres_server() -> AsyncGenerator[PostgresServer]:
    """A server of the test's own, to be stopped, killed, frozen and started."""
    async with postgres_standin.serve() as server:
        yield server


def freeze(server: PostgresServer) -> None:
    """Stop the server and all of its processes where they are: connections stay open, and nobody answers."""
    _to_all(server, signal.SIGSTOP)


def thaw(server: PostgresServer) -> None:
    """Let a server that was frozen go on."""
    _to_all(server, signal.SIGCONT)


def _to_all(server: PostgresServer, number: signal.Signals) -> None:
    postmaster = psutil.Process(server.pid)
    postmaster.send_signal(number)  # first, so that it starts no more
    for process in postmaster.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
