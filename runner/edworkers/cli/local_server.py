"""The server of this machine alone: the HTTP API and the dashboard, as `edworkers dev` and `demo` start it."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from edworkers.cli.local import HOST, is_free
from edworkers.cli.supervise import edworkers_command
from edworkers.core.errors import SettingsError
from edworkers.standins.free_port import free_port
from edworkers.standins.leash import leashed

USUAL_PORT = 8080
_LOOK_SECONDS = 0.1
_STOP_SECONDS = 15
_AUTH = ("EDWORKERS_SERVER_AUTH", "EDWORKERS_API_KEYS_FILE")


def server_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Make its environment: where nothing says who may use it, everybody on this machine may.

    Of every request it tells only where a level for logs is set.
    """
    known = {} if any(env.get(name) for name in _AUTH) else {"EDWORKERS_SERVER_AUTH": "none"}
    return {"EDWORKERS_LOG_LEVEL": "warning", **env, **known}


def find_faults(env: Mapping[str, str]) -> list[str]:
    """Say what is wrong with its settings."""
    from edworkers.server.settings import read_settings

    try:
        read_settings(server_environment(env), HOST)
    except SettingsError as error:
        return list(error.faults)
    return []


def choose_port(env: Mapping[str, str]) -> int:
    """Choose the port: the one that is set, or 8080, or a free one if that is taken."""
    wanted = env.get("EDWORKERS_SERVER_PORT", "")
    usual = int(wanted) if wanted.isascii() and wanted.isdigit() and 0 < int(wanted) <= 65535 else USUAL_PORT
    return usual if is_free(usual) else free_port()


def server_command(port: int, pools: Path | None) -> tuple[str, ...]:
    """Give the command line of a server that ends when this process does; without a file it serves all built in."""
    which = () if pools is None else ("--pools", str(pools))
    return leashed(*edworkers_command("server", "--host", HOST, "--port", str(port), *which))


def write_pools(manifests: Iterable[Path], file: Path) -> None:
    """Put manifests together into one file, with their schedules. Raises OSError."""
    texts = [manifest.read_text(encoding="utf-8") for manifest in manifests]
    file.write_text("\n---\n".join(texts), encoding="utf-8")


@asynccontextmanager
async def serve_here(env: Mapping[str, str], pools: Path) -> AsyncGenerator[str]:
    """Serve the queues of a file in a process of its own; gives the address once it answers, or can't.

    What is wrong with it, it says on stderr.
    """
    port = choose_port(env)
    process = await asyncio.create_subprocess_exec(*server_command(port, pools), env=server_environment(env))
    try:
        while process.returncode is None and not await _listens(port):  # noqa: ASYNC110 - nobody tells when it is
            await asyncio.sleep(_LOOK_SECONDS)
        yield f"http://{HOST}:{port}"
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True
