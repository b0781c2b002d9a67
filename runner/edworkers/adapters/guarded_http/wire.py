"""What arrives on a connection, kept until it is read."""

import asyncio
from typing import cast

_MOST_BUFFERED = 256 * 1024
"""Bytes that may wait here to be read; then the other side has to wait."""


class Wire(asyncio.Protocol):
    """Belongs to one connection, which is read and written by one task at a time each."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.arrived = bytearray()
        self.ended = False
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the connection is closed for good."""
        self._error: Exception | None = None
        self._news: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._held = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Keep it, and hold the other side up when there is much of it."""
        self.arrived += data
        if len(self.arrived) > _MOST_BUFFERED and not self._held and self.transport is not None:
            self._held = True
            self.transport.pause_reading()
        _finish(self._news)

    def eof_received(self) -> None:
        """Note that no more will come."""
        self.ended = True
        _finish(self._news)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note why it ended, and let go whoever waits."""
        self.ended, self._error = True, exc
        for waited_for in (self._news, self._room, self.lost):
            _finish(waited_for)

    def pause_writing(self) -> None:
        """Let who writes wait."""
        self._room = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Let it go on."""
        _finish(self._room)
        self._room = None

    @property
    def is_full(self) -> bool:
        """Whether who writes has to wait."""
        return self._room is not None

    async def room(self) -> None:
        """Wait until what was written is on its way. Raises OSError."""
        if self._room is not None:
            await self._room
        self.check()

    def check(self) -> None:
        """Raise OSError if the connection is gone."""
        if self.lost.done():
            raise self._error or ConnectionResetError("the connection was closed")

    async def news(self) -> None:
        """Wait until something arrives, or nothing will."""
        while not self.arrived and not self.ended:
            self._news = asyncio.get_running_loop().create_future()
            await self._news

    def take(self, most: int) -> bytes:
        """Give what arrived; nothing at the end. Raises OSError where the end was an error."""
        if not self.arrived and self._error is not None:
            raise self._error
        data = bytes(self.arrived[:most])
        del self.arrived[:most]
        if self._held and not self.arrived and self.transport is not None and not self.ended:
            self._held = False
            self.transport.resume_reading()
        return data


def _finish(waited_for: "asyncio.Future[None] | None") -> None:
    if waited_for is not None and not waited_for.done():
        waited_for.set_result(None)
