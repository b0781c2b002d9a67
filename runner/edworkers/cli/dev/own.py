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
    """Serve a PostgreSQL, with edworkers' own tables in it. Raises SettingsError."""
    from edworkers.adapters.postgres.migrate import migrate

    if not keeps_database():
        place = None
    else:
        _POSTGRES.mkdir(mode=0o700, exist_ok=True)
        place = _POSTGRES.resolve()
    async with postgres_standin.serve(folder=place) as server:
        await migrate({"NEON_DATABASE_URL": server.url})
        yield server


def keeps_database() -> bool:
    """Whether its database is there again at the next start: root's runs as another user, who has no folder here."""
    return os.geteuid() != 0
