"""Connections to PostgreSQL, made so that they work through a pooler, and let a serverless database sleep.

A pooler in transaction mode gives every transaction another connection to the server. So nothing is kept there between
two transactions: no prepared statements, no `SET`, no advisory locks of a session, no LISTEN. Time limits of the server
are set in each transaction (`transaction`), and no connection is kept open that nobody uses.
"""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from edworkers.core.errors import DatabaseUnavailableError, SettingsError

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

VARIABLES = ("NEON_DATABASE_URL", "DATABASE_URL")
CONNECT_SECONDS = 10
IDLE_SECONDS = 5
_ALIVE = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}


def database_url(env: Mapping[str, str]) -> str | None:
    """Give the address of the database: NEON_DATABASE_URL, or else DATABASE_URL; None where there is neither."""
    return next((url for name in VARIABLES if (url := env.get(name, "").strip())), None)


def is_installed() -> bool:
    """Whether psycopg is there, without importing it."""
    from importlib.util import find_spec

    return find_spec("psycopg") is not None


def find_faults(env: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the address, a line each; nothing where there is none. No line shows the password."""
    url = database_url(env)
    if url is None:
        return []
    name = next(name for name in VARIABLES if env.get(name, "").strip())
    if not url.startswith(("postgresql://", "postgres://")):
        return [f"{name}: must begin with postgresql://, as in postgresql://user:password@host:5432/database"]
    if not is_installed():
        return [f"{name}: the Python package psycopg is not installed: pip install 'edworkers[database]'"]
    return _faults_of(name, url)


def _faults_of(name: str, url: str) -> list[str]:
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(url)
    except ProgrammingError:  # its text quotes the address, and the password with it
        hint = "signs such as @, : and / in a password are written as %40, %3A and %2F"
        return [f"{name}: is not an address as postgresql://user:password@host:5432/database; {hint}"]
    ports = str(parts.get("port") or "5432").split(",")
    if not all(port.isdigit() and 0 < int(port) < 65536 for port in ports if port):
        return [f"{name}: its port must be a number from 1 to 65535"]
    return [] if parts.get("dbname") else [f"{name}: names no database; write it after the host, as in …:5432/app"]


def where(url: str) -> str:
    """Say which database an address means, without the password."""
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(url)
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"the database {parts.get('dbname')} at {parts.get('host') or 'this machine'}{port}"


def _checked_url(env: Mapping[str, str]) -> str:
    faults = find_faults(env)
    url = database_url(env)
    if url is None:
        faults = ["NEON_DATABASE_URL: is not set; it is an address as postgresql://user:password@host:5432/database"]
    if faults or url is None:
        raise SettingsError("The database can't be used:", faults)
    return url


def _arguments(application: str) -> dict[str, Any]:
    return {
        "autocommit": True,
        "prepare_threshold": None,
        "application_name": application,
        "connect_timeout": CONNECT_SECONDS,
        **_ALIVE,
    }


@asynccontextmanager
async def connect(env: Mapping[str, str], *, application: str = "edworkers") -> "AsyncGenerator[AsyncConnection]":
    """Connect until the block ends, in autocommit.

    Raises SettingsError where the environment has no usable address, and DatabaseUnavailableError where the server
    can't be reached, or hangs up inside the block.
    """
    import psycopg

    url = _checked_url(env)
    with translated(url):
        connection = await psycopg.AsyncConnection.connect(url, **_arguments(application))
        try:
            yield connection
        finally:
            await connection.close()


@asynccontextmanager
async def open_pool(
    env: Mapping[str, str], *, at_most: int, application: str = "edworkers"
) -> "AsyncGenerator[AsyncConnectionPool[AsyncConnection]]":
    """Open a pool of up to `at_most` connections, which has none while nobody asks for one.

    Raises what `connect` does; that the server can't be reached is told by who asks for a connection.
    """
    import psycopg_pool

    url = _checked_url(env)
    with translated(url):
        pool: AsyncConnectionPool[AsyncConnection] = psycopg_pool.AsyncConnectionPool(
            url,
            kwargs=_arguments(application),
            min_size=0,
            max_size=at_most,
            max_idle=IDLE_SECONDS,
            timeout=CONNECT_SECONDS,
            open=False,
        )
        async with pool:
            yield pool


@contextmanager
def translated(url: str) -> Generator[None]:
    """Turn psycopg's errors of connections into DatabaseUnavailableError; what is wrong with a query stays as it is."""
    import psycopg

    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatabaseUnavailableError(f"{where(url)}: {reason}") from error


@asynccontextmanager
async def transaction(
    connection: "AsyncConnection", *, statement_seconds: float, lock_seconds: float
) -> AsyncGenerator[None]:
    """Run the block in a transaction in which no statement and no wait for a lock takes longer than this."""
    async with connection.transaction():
        await limit(connection, statement_seconds=statement_seconds, lock_seconds=lock_seconds)
        yield


async def limit(connection: "AsyncConnection", *, statement_seconds: float, lock_seconds: float) -> None:
    """Limit what follows in the same transaction; 0 is no limit."""
    times = f"{statement_seconds * 1000:.0f}", f"{lock_seconds * 1000:.0f}"
    await connection.execute(
        "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)", times
    )


@asynccontextmanager
async def hanging_up_after(seconds: float, connection: "AsyncConnection") -> AsyncGenerator[None]:
    """Hang up if the block takes longer, so that a server that is frozen holds nobody up: then queries fail.

    To cancel a query isn't enough: the server would have to answer that.
    """
    timer = asyncio.get_running_loop().call_later(seconds, hang_up, connection)
    try:
        yield
    finally:
        timer.cancel()


def hang_up(connection: "AsyncConnection") -> None:
    """Close the line, so that whoever waits for an answer has an error at once."""
    with suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
