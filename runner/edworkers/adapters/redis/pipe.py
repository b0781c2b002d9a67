"""One connection on which several calls may be under way at once."""

import asyncio
from typing import Any

import redis

from edworkers.adapters.redis.connection import connection_pool


class Pipe:
    """Sends a call without waiting for the replies to those before it: Redis answers in order.

    So Redis works on one call while this process makes the next. When the connection breaks, every call under way
    raises; whether it happened isn't known then.
    """

    def __init__(self, url: str) -> None:
        self._pool: Any = connection_pool(url)
        self._connection: Any = None
        self._connecting = asyncio.Lock()
        self._last: asyncio.Future[None] | None = None

    async def execute_command(self, *words: Any) -> Any:
        """Send a command and wait for its reply."""
        connection = await self._connected()
        before, mine = self._last, asyncio.get_running_loop().create_future()
        self._last = mine
        try:
            await connection.send_packed_command(connection.pack_command(*words))
            if before is not None and not before.done():
                await asyncio.shield(before)
            return await self._read(connection)
        except redis.ResponseError:
            raise
        except BaseException:
            # Replies can't be told apart any more once one is given up.
            await self._drop(connection)
            raise
        finally:
            mine.set_result(None)

    async def _read(self, connection: Any) -> Any:
        if connection is not self._connection:
            raise redis.ConnectionError("the connection broke while a call before this one was under way")
        return await connection.read_response()

    async def _connected(self) -> Any:
        if self._connection is None:
            async with self._connecting:
                if self._connection is None:
                    connection = self._pool.make_connection()
                    await connection.connect()
                    self._connection = connection
        return self._connection

    async def _drop(self, connection: Any) -> None:
        if connection is self._connection:
            self._connection = None
            await connection.disconnect(nowait=True)

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._drop(self._connection)
