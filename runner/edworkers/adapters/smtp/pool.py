"""Connections to a mail server: at most so many, kept for a while, used again, and replaced when they are gone."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from edworkers.adapters.smtp.connection import SmtpConnection
from edworkers.adapters.smtp.delivery import Delivery, Outgoing
from edworkers.adapters.smtp.settings import SmtpSettings, make_context
from edworkers.core.errors import MailUnavailableError

CONNECT_SECONDS = 15.0
IDLE_SECONDS = 30.0
"""How long a connection waits for its next message: less than any server's patience."""
MOST_SECONDS = 600.0
"""How old a connection may get, so that a change of address or certificate is seen in time."""
MOST_MESSAGES = 100


class SmtpPool:
    """Sends messages; each has a connection of its own for as long as that takes."""

    def __init__(self, settings: SmtpSettings, context: ssl.SSLContext) -> None:
        self._settings = settings
        self._context = context
        self._slots = asyncio.Semaphore(settings.connections)
        self._idle: dict[SmtpConnection, asyncio.TimerHandle] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def server(self) -> str:
        """Host and port of the server, for people."""
        return self._settings.name

    async def send(self, mail: Outgoing, seconds: float) -> Delivery:
        """Send a message within about so many seconds.

        A connection that the server has closed meanwhile is replaced, as long as nothing of the message was sent.
        Raises MailUnavailableError where nothing was sent, MailUnknownError where it isn't known.
        """
        end = asyncio.get_running_loop().time() + seconds
        async with self._slots:
            while (connection := self._take()) is not None:
                try:
                    return await self._send(connection, mail, end, reset=True)
                except MailUnavailableError:
                    continue
            connection = await SmtpConnection.open(self._settings, self._context, min(CONNECT_SECONDS, _until(end)))
            return await self._send(connection, mail, end, reset=False)

    async def _send(self, connection: SmtpConnection, mail: Outgoing, end: float, *, reset: bool) -> Delivery:
        try:
            if reset:
                await connection.reset()
            delivery = await connection.send(mail, _until(end))
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        return delivery

    def _take(self) -> SmtpConnection | None:
        """Take the connection that was used last, so that the others may get old."""
        while self._idle:
            connection, timer = self._idle.popitem()
            timer.cancel()
            if connection.is_open:
                return connection
        return None

    def _give_back(self, connection: SmtpConnection) -> None:
        loop = asyncio.get_running_loop()
        if not connection.is_open:
            return
        if connection.sent >= MOST_MESSAGES or loop.time() - connection.opened_at >= MOST_SECONDS:
            self._leave(connection)
        else:
            self._idle[connection] = loop.call_later(IDLE_SECONDS, self._expire, connection)

    def _expire(self, connection: SmtpConnection) -> None:
        if self._idle.pop(connection, None) is not None:
            self._leave(connection)

    def _leave(self, connection: SmtpConnection) -> None:
        task = asyncio.create_task(connection.quit())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        """Take leave on every connection."""
        for connection, timer in self._idle.items():
            timer.cancel()
            self._leave(connection)
        self._idle.clear()
        if self._leaving:
            await asyncio.wait(self._leaving)


def _until(end: float) -> float:
    return max(end - asyncio.get_running_loop().time(), 0.1)


@asynccontextmanager
async def open_pool(settings: SmtpSettings) -> AsyncGenerator[SmtpPool]:
    """Give connections to a server; none is opened before the first message."""
    pool = SmtpPool(settings, await asyncio.to_thread(make_context, settings))
    try:
        yield pool
    finally:
        await pool.close()
