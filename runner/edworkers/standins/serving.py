"""How every stand-in is served: in the running event loop, on loopback, gone without a trace when it stops."""

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Generator
from typing import Any, Final, TypeVar

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_CONNECTION: Final = "connection"  # the key in a request's ASGI state under which its transport is found

Arrival = TypeVar("Arrival")


class Arrivals(list[Arrival]):
    """What arrived, oldest first: a list of the newest `limit` items, which can be awaited.

    `total` counts every arrival, also those that the list has let go.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.total = 0
        self._limit = limit
        self._news = asyncio.Event()

    def record(self, arrival: Arrival) -> None:
        """Add one arrival, drop the oldest when there are too many, and wake whoever waits for it."""
        self.append(arrival)
        del self[: -self._limit]
        self.total += 1
        self._news.set()
        self._news = asyncio.Event()

    async def reached(self, total: int) -> None:
        """Return as soon as so many have arrived since the start. Has no time-out of its own."""
        while self.total < total:
            await self._news.wait()


class DroppedConnection(Response):
    """Closes the connection without an answer. Works only for applications that `serving` serves."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - nothing is sent
        """Answer, as Starlette asks of a response: by not answering."""
        hang_up(scope)
        await _until_disconnected(receive)


def hang_up(scope: Scope) -> None:
    """Close the connection of a request. Works only for applications that `serving` serves."""
    scope["state"][_CONNECTION].close()


def parsed(body: bytes) -> Any:
    """Give the JSON value of a body, or None when it is no JSON (NaN and Infinity are none)."""
    try:
        return json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> None:
    raise ValueError(constant)


async def pause(request: Request, seconds: float) -> None:
    """Wait so many seconds, or less when the client hangs up or the stand-in stops. The body must have been read."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await _until_disconnected(request.receive)


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Connection(H11Protocol):
    """HTTP/1.1 that shows its transport to the application, so that the application can drop the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn declares it
        super().connection_made(transport)
        self.app_state = {**self.app_state, _CONNECTION: transport}


class _Server(uvicorn.Server):
    """A uvicorn that is a guest in the event loop: signals are its host's, and it stops without waiting for clients."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A client in the middle of a request would hold up the stop for as long as it likes.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int) -> AsyncGenerator[str]:
    """Serve `app` over HTTP/1.1 until the block ends; gives the URL, without a slash at its end.

    `host` is an IPv4 address or a name that has one; port 0 takes any free port. Raises OSError when the address
    cannot be had. Requests that are under way when the block ends are cut off.
    """
    listener = socket.create_server((host, port))
    # Connections inherit it. asyncio sets it only for sockets made with an explicit protocol number, which this one is
    # not; without it an answer's body waits 40 ms for the acknowledgement of its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        app,
        http=_Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        proxy_headers=False,
        timeout_keep_alive=60,  # longer than clients keep idle connections: they, not we, choose when to close
    )
    server = _Server(config)
    # The kernel queues connections from here on, so there is no start to wait for.
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def announce_and_stay(line: str) -> None:
    """Print one line on standard output and return when the process is told to stop (SIGINT or SIGTERM)."""
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    say(line)
    await told.wait()


def say(line: str) -> None:
    """Print one line on standard output at once, also when that is a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
