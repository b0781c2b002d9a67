"""A connection on asyncio's own transports, which cost less than anyio's streams."""

import asyncio
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import httpcore2

from edworkers.adapters.guarded_http.wire import Wire

_END_SECONDS = 1.0


@contextmanager
def _translated(failed: type[httpcore2.NetworkError], late: type[httpcore2.TimeoutException]) -> Generator[None]:
    try:
        yield
    except TimeoutError as error:  # which is an OSError
        raise late(str(error)) from error
    except OSError as error:
        raise failed(error.strerror or str(error) or type(error).__name__) from error


class Stream(httpcore2.AsyncNetworkStream):
    """A connection as httpcore2 wants it."""

    def __init__(self, transport: asyncio.Transport, wire: Wire) -> None:
        self._transport = transport
        self._wire = wire
        self._written: list[bytes] = []

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore2's own
        """Give what arrived; nothing at the end. Raises ReadError, ReadTimeout."""
        self._send()
        with _translated(httpcore2.ReadError, httpcore2.ReadTimeout):
            if self._wire.arrived:
                return self._wire.take(max_bytes)
            async with asyncio.timeout(timeout):
                await self._wire.news()
            return self._wire.take(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Send, together with what is written in the same turn. Raises WriteError, WriteTimeout."""
        if not buffer:
            return
        with _translated(httpcore2.WriteError, httpcore2.WriteTimeout):
            self._wire.check()
            if not self._written:
                asyncio.get_running_loop().call_soon(self._send)
            self._written.append(buffer)
            if self._wire.is_full:
                async with asyncio.timeout(timeout):
                    await self._wire.room()

    def _send(self) -> None:
        """Send head and body of a request as one."""
        written, self._written = self._written, []
        if written and not self._transport.is_closing():
            self._transport.write(b"".join(written))

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        """Go on with TLS. Raises ConnectError, ConnectTimeout; then the connection is closed."""
        loop = asyncio.get_running_loop()
        transport: asyncio.Transport | None = None
        try:
            with _translated(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                async with asyncio.timeout(timeout):
                    transport = await loop.start_tls(
                        self._transport, self._wire, ssl_context, server_hostname=server_hostname
                    )
        finally:
            if transport is None:
                self._transport.abort()
        if transport is None:
            raise httpcore2.ConnectError("the connection ended during the TLS handshake")
        self._wire.transport = transport
        return Stream(transport, self._wire)

    async def aclose(self) -> None:
        """End it at once: whoever closes it has read what it wanted, or has given up."""
        self._transport.abort()
        await asyncio.wait([self._wire.lost], timeout=_END_SECONDS)

    def get_extra_info(self, info: str) -> Any:
        """Tell what httpcore2 may ask."""
        if info == "is_readable":  # of an idle connection: whether it was closed, or something came unasked
            return self._wire.ended or bool(self._wire.arrived)
        names = {"ssl_object": "ssl_object", "client_addr": "sockname", "server_addr": "peername", "socket": "socket"}
        return self._transport.get_extra_info(names[info]) if info in names else None
