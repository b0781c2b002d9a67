"""The Redis of `edworkers dev`: the one that is configured, or one of dev's own whose jobs survive a restart."""

import fcntl
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from edworkers.core.errors import SettingsError
from edworkers.standins import redis as redis_standin
from edworkers.standins.redis import RedisServer

FOLDER = Path(".edworkers")


@asynccontextmanager
async def own_redis(port: int) -> AsyncGenerator[RedisServer]:
    """Serve a Redis that writes every job to `.edworkers/redis`. Port 0 takes any free port. Raises SettingsError."""
    with _own_folder(FOLDER) as folder:
        data = folder / "redis"
        data.mkdir(exist_ok=True)
        async with redis_standin.serve(port, folder=data.resolve(), options={"appendonly": "yes"}) as server:
            yield server


@contextmanager
def _own_folder(folder: Path) -> Generator[Path]:
    """Make a folder that git ignores, and keep it from a second dev: two servers would spoil each other's files."""
    try:
        folder.mkdir(exist_ok=True)
        (folder / ".gitignore").write_text("*\n", encoding="ascii")
        lock = (folder / "lock").open("w", encoding="ascii")
    except OSError as error:
        fault = f"{folder.resolve()}: can't be written: {error.strerror}; start dev in a folder of yours"
        raise SettingsError("Redis can't keep its jobs:", [fault]) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            fault = "stop the one that runs, start this one in another folder, or share its Redis by REDIS_URL"
            raise SettingsError("another `edworkers dev` runs in this folder:", [fault]) from error
        yield folder
