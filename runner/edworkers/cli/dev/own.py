"""The servers of `edworkers dev` itself, where none are configured; what they keep survives a restart."""

import fcntl
import os
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from edworkers.core.errors import SettingsError
from edworkers.standins import postgres as postgres_standin
from edworkers.standins import redis as redis_standin
from edworkers.standins.postgres import PostgresServer
from edworkers.standins.redis import RedisServer

FOLDER = Path(".edworkers")
MAILS = FOLDER / "mails"
STORAGE = FOLDER / "storage"
POOLS = FOLDER / "pools.yaml"
SAMPLE_TABLES = ("refresh_tokens", "password_reset_tokens", "sessions")
_SAMPLES = b"""
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['refresh_tokens', 'password_reset_tokens', 'sessions'] LOOP
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (id bigint GENERATED ALWAYS AS IDENTITY, expires_at timestamptz)', name);
        EXECUTE format('CREATE INDEX ON %I (expires_at)', name);
        EXECUTE format('INSERT INTO %I (expires_at)'
            ' SELECT now() + (n - 5) * interval ''1 day'' FROM generate_series(1, 9) n', name);
    END LOOP;
END $$
"""
"""Tables that hold tokens by custom, each with nine of them, of which four have expired."""
_POSTGRES = FOLDER / "postgres"


@contextmanager
def own_folder(*, alone: bool) -> Generator[None]:
    """Make a folder that git ignores; `alone` keeps it from a second dev, whose servers would spoil its files.

    Raises SettingsError.
    """
    try:
        STORAGE.mkdir(parents=True, exist_ok=True)
        (FOLDER / ".gitignore").write_text("*\n", encoding="ascii")
        lock = (FOLDER / "lock").open("w", encoding="ascii")
    except OSError as error:
        fault = f"{FOLDER.resolve()}: can't be written: {error.strerror}; start dev in a folder of yours"
        raise SettingsError("there is no place for jobs and files:", [fault]) from error
    with lock:
        try:
            if alone:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            fault = (
                "stop the one that runs, start this one in another folder, or share its servers"
                " by REDIS_URL and NEON_DATABASE_URL"
            )
            raise SettingsError("another `edworkers dev` runs in this folder:", [fault]) from error
        yield


@asynccontextmanager
async def own_redis(port: int) -> AsyncGenerator[RedisServer]:
    """Serve a Redis that writes every job to its folder. Port 0 takes any free port. Raises SettingsError."""
    data = FOLDER / "redis"
    data.mkdir(exist_ok=True)
    async with redis_standin.serve(port, folder=data.resolve(), options={"appendonly": "yes"}) as server:
        yield server


@asynccontextmanager
async def own_postgres() -> AsyncGenerator[PostgresServer]:
    """Serve a PostgreSQL, with edworkers' own tables in it, and tables to try tasks on. Raises SettingsError."""
    from edworkers.adapters.postgres.connection import connect
    from edworkers.adapters.postgres.migrate import migrate

    if not keeps_database():
        place = None
    else:
        _POSTGRES.mkdir(mode=0o700, exist_ok=True)
        place = _POSTGRES.resolve()
    async with postgres_standin.serve(folder=place) as server:
        env = {"NEON_DATABASE_URL": server.url}
        await migrate(env)
        async with connect(env, application="edworkers dev") as connection:
            await connection.execute(_SAMPLES)
        yield server


def keeps_database() -> bool:
    """Whether its database is there again at the next start: root's runs as another user, who has no folder here."""
    return os.geteuid() != 0
