"""A Redis of one's own on loopback: `redis-server` (or `valkey-server`) from the PATH, as a process that ends with us.

EDWORKERS_REDIS_SERVER names another program.

Run by itself: `python -m edworkers.standins.redis --port 6390`.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from edworkers.core.errors import SettingsError
from edworkers.standins.free_port import free_port
from edworkers.standins.leash import leashed
from edworkers.standins.serving import announce_and_stay

PROGRAMS = ("redis-server", "valkey-server")
_READY = "Ready to accept connections"


class RedisServer:
    """A running server. `url` is its address; what it keeps lies in `folder` for as long as that exists."""

    def __init__(self, port: int, folder: Path, options: Mapping[str, str]) -> None:
        self.port = port
        self.folder = folder
        self._options = options
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The address, with the password where there is one."""
        password = self._options.get("requirepass")
        return f"redis://{f':{password}@' if password else ''}127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The process id of the running server. Raises RuntimeError when none runs."""
        if self._process is None:
            raise RuntimeError("this Redis is not running")
        return self._process.pid

    async def start(self) -> None:
        """Start, and return when it takes connections.

        Raises SettingsError when there is no program to start, or it ends at once.
        """
        said: list[str] = []
        command = _command(self.port, self.folder, self._options)
        self._process = await asyncio.create_subprocess_exec(
            # In a session of its own: Ctrl-C is for its host, which still needs it for a while.
            *leashed(*command),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            start_new_session=True,
        )
        try:
            if await self._is_ready(said):
                return
        except BaseException:
            await self.stop()
            raise
        await self._process.wait()
        self._process = None
        raise SettingsError("Redis can't be started:", said[-3:] or ["it said nothing"])

    async def _is_ready(self, said: list[str]) -> bool:
        assert self._process is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        async for line in self._process.stdout:
            said.append(line.decode(errors="replace").strip())
            if _READY in said[-1]:
                self._reading = asyncio.create_task(_read_away(self._process.stdout))
                return True
        return False

    async def ended(self) -> int:
        """Wait until it has ended, by itself or not; returns its exit code."""
        return 0 if self._process is None else await self._process.wait()

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, and wait until it has ended; SIGKILL is how it would crash."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.send_signal(number)
        await process.wait()
        if self._reading is not None:
            await self._reading
            self._reading = None


async def _read_away(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass


def find_program() -> str:
    """Find the server's program. Raises SettingsError where there is none."""
    wanted = os.environ.get("EDWORKERS_REDIS_SERVER")
    program = next((found for name in ((wanted,) if wanted else PROGRAMS) if (found := shutil.which(name))), None)
    if program is None:
        fault = f"neither {' nor '.join(PROGRAMS)} is on the PATH; install one: apt-get install redis-server"
        if wanted:
            fault = f"EDWORKERS_REDIS_SERVER: there is no program {wanted!r}"
        raise SettingsError("Redis can't be started:", [fault])
    return program


def _command(port: int, folder: Path, options: Mapping[str, str]) -> list[str]:
    program = find_program()
    # One call a save: with `--save` and nothing after it, older servers take the next option for its value.
    usual = {"port": str(port), "bind": "127.0.0.1", "dir": str(folder), "save": "", "loglevel": "notice"}
    given = {**usual, "maxmemory-policy": "noeviction", "daemonize": "no", **options}
    return [program, *(word for name, value in given.items() for word in (f"--{name}", value))]


@asynccontextmanager
async def serve(
    port: int = 0, *, folder: Path | None = None, options: Mapping[str, str] | None = None
) -> AsyncGenerator[RedisServer]:
    """Serve until the block ends. Port 0 takes any free port.

    `folder` keeps what the server writes (nothing, unless `options` such as `appendonly` ask for it); without one it
    has a temporary folder that goes with it. Raises SettingsError when it can't be started.
    """
    with contextlib.ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edworkers-redis-")))
        server = RedisServer(port or free_port(), place, options or {})
        await server.start()
        try:
            yield server
        finally:
            await server.stop()


async def _run(port: int) -> None:
    async with serve(port) as server:
        await announce_and_stay(f"Redis at {server.url}")


def main() -> None:
    """Serve until the process is told to stop; print the URL when it listens."""
    parser = argparse.ArgumentParser(description="A Redis of one's own on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes any free port")
    try:
        asyncio.run(_run(parser.parse_args().port))
    except SettingsError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
