"""A runner's own HTTP endpoints: `/livez`, `/readyz` and `/metrics`, from a thread that always answers."""

import asyncio
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from edworkers.core.errors import SettingsError

_PATIENCE_SECONDS = 10
"""For how long a client may keep a thread waiting for its request."""

Check = Callable[[], str | None]
"""Says what is wrong, or nothing."""

Metrics = Callable[[str | None], tuple[bytes, str]]
"""Gives the metrics as an `Accept` header has it, with their content type."""


class Pulse:
    """Tells from another thread whether an event loop still turns."""

    LONGEST_SECONDS = 30

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._beat()

    def _beat(self) -> None:
        self._last = time.monotonic()
        self._loop.call_later(1, self._beat)

    def fault(self) -> str | None:
        """Say for how long it has stood still, if that is too long."""
        still = time.monotonic() - self._last
        return f"the event loop has been blocked for {still:.0f} s" if still > self.LONGEST_SECONDS else None


class HealthServer:
    """Serves one process; `port` 0 takes a free one. Raises SettingsError where it can't listen there."""

    def __init__(self, host: str, port: int, *, alive: Check, ready: Check, metrics: Metrics) -> None:
        self._host = host

        class Handler(BaseHTTPRequestHandler):
            timeout = _PATIENCE_SECONDS

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/metrics":
                    self._answer(200, *metrics(self.headers.get("Accept")))
                elif path in {"/livez", "/readyz"}:
                    fault = (alive if path == "/livez" else ready)()
                    self._answer(503 if fault else 200, f"{fault or 'ok'}\n".encode(), "text/plain; charset=utf-8")
                else:
                    self._answer(404, b"only /livez, /readyz and /metrics are here\n", "text/plain; charset=utf-8")

            def _answer(self, status: int, body: bytes, content_type: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = _listen(host, port, Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it listens, as `host:port`."""
        return f"{self._host}:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


def _listen(host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    try:
        return ThreadingHTTPServer((host, port), handler)
    except OSError as error:
        why = error.strerror or str(error)
        fault = f"EDWORKERS_HEALTH_HOST, EDWORKERS_HEALTH_PORT: can't listen on {host}:{port}: {why}"
        raise SettingsError("nothing was started, for these settings can't be used:", [fault]) from error
