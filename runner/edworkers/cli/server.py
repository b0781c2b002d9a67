"""`edworkers server`: the HTTP API and the dashboard, until it is stopped."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import uvicorn
import uvloop
from fastapi import FastAPI

from edworkers import compose, pools
from edworkers.adapters.metrics.exposition import Exposition
from edworkers.adapters.metrics.of_server import HttpCollector
from edworkers.cli.loading import end_loading
from edworkers.cli.server_platform import open_platform
from edworkers.cli.server_queues import Plan, PlanFile, PlannedQueue, read_plan
from edworkers.cli.show import print_json, say
from edworkers.core.errors import SettingsError
from edworkers.core.http_stats import HttpStats
from edworkers.server.access.identity import Scope
from edworkers.server.access.keys import new_key
from edworkers.server.app import create_app
from edworkers.server.settings import ServerSettings, read_settings
from edworkers.telemetry import log

_GRACE_SECONDS = 10
"""For requests that are under way when it is told to stop."""
_KEEP_ALIVE_SECONDS = 75
"""Longer than proxies keep idle connections: they, not we, choose when to close."""


def find_plan(env: Mapping[str, str], pools_file: Path | None, manifest: Path | None) -> Plan:
    """Find which queues to serve: those of a file that may change, of a manifest, or all that are known here.

    Raises SettingsError.
    """
    if pools_file is not None:
        return PlanFile(pools_file)
    if manifest is not None:
        planned = read_plan(_read(manifest), str(manifest))
    else:
        planned = [PlannedQueue(spec) for spec in pools.known_specs(env)]
    return lambda: planned


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} can't be read:", [str(error)]) from error


def run_server(plan: Plan, env: Mapping[str, str], host: str, port: int) -> int:
    """Serve until told to stop; returns the exit code.

    Raises SettingsError with every fault of its settings, and where it can't listen there.
    """
    settings = read_settings(env, host)
    return uvloop.run(_serve(plan, env, settings, _listen(host, port)))


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        fault = f"--host, --port: can't listen on {host}:{port}: {error.strerror or error}"
        raise SettingsError("nothing was started, for these settings can't be used:", [fault]) from error
    # Connections inherit it; without it an answer's body waits for the acknowledgement of its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def _serve(plan: Plan, env: Mapping[str, str], settings: ServerSettings, listener: socket.socket) -> int:
    stats = HttpStats()
    with contextlib.closing(listener):
        async with open_platform(plan, env) as platform:
            platform.queues()  # what can't be opened is told at once
            app = create_app(platform, settings, stats=stats, scrape=Exposition([HttpCollector(stats)]).text)
            address = _address(listener)
            log.info("server.started", address=address, people_by=settings.auth)
            tracing = compose.open_tracing(env, compose.new_name(), {})
            end_loading()
            await Server(app).serve([listener])
            if tracing is not None:
                await tracing.close()
            log.info("server.ended", address=address)
    return 0


def _address(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """Serves an app until SIGTERM or SIGINT: then its streams end, and what is under way is answered."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        self._app = app

    def stop(self) -> None:
        """Stop gracefully; a second call cuts off what is under way."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._app.state.stopping.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Stop on signals; unlike uvicorn's own way, the process then ends with 0."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        yield


def make_key(name: str, scopes: Sequence[str], queues: Sequence[str] | None, *, as_json: bool) -> None:
    """Make an API key, and print it with its entry in the file of keys. Raises SettingsError."""
    made = new_key(name, [Scope(scope) for scope in scopes], queues)
    if as_json:
        print_json({"key": made.key, "entry": made.entry})
        return
    say(f"The key, which can't be shown again:\n\n  {made.key}\n")
    say("Its entry below `keys:` in the file that EDWORKERS_API_KEYS_FILE names:\n")
    say(made.entry)
