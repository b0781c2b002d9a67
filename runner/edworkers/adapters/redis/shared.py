"""Clients of many connections, for a process that asks much at once and is to know soon that Redis is away."""

import time
from typing import Any, cast

import redis
import redis.asyncio
from redis.asyncio.connection import AbstractConnection

from edworkers.adapters.redis.address import RedisAddress
from edworkers.adapters.redis.connection import connection_pool
from edworkers.core.errors import ServerBusyError

MOST_CONNECTIONS = 32
"""Of one process to one server; who comes when all are in use waits for one."""
_NONE_FREE = "No connection available."
"""What redis-py says of a pool in which none became free in time."""


class _Pool(redis.asyncio.BlockingConnectionPool):
    """A pool that knows whether Redis is silent, or only asked much."""

    _answered_at = float("-inf")

    async def get_connection(self, *_args: object, **_options: object) -> AbstractConnection:
        """Wait for a connection. Raises ServerBusyError where none became free, though Redis answers others."""
        began = time.monotonic()
        try:
            return cast("AbstractConnection", await super().get_connection())  # type: ignore[no-untyped-call]
        except redis.ConnectionError as error:
            if str(error) != _NONE_FREE:
                raise
            if self._answered_at < began:
                silent = f"none of {self.max_connections} connections has had an answer for {self.timeout:g} s"
                raise redis.ConnectionError(silent) from error
            raise ServerBusyError(
                f"all {self.max_connections} connections of this server to Redis are in use, so this wasn't asked: "
                "ask again; where it happens often, run more servers"
            ) from error

    async def release(self, connection: AbstractConnection) -> None:
        """Give a connection back; one that has failed is closed by then."""
        if connection.is_connected:
            self._answered_at = time.monotonic()
        await super().release(connection)


def shared_client(address: RedisAddress, key: str, timeout_seconds: float) -> "redis.asyncio.Redis":
    """Make a client of the server that has a key; it connects as it is asked.

    `timeout_seconds` is how long Redis may be silent, and how long to wait for a connection. Where Redis answers, and
    all connections are in use for so long, its calls raise ServerBusyError.
    """
    one = connection_pool(address, key)
    options: dict[str, Any] = {
        **one.connection_kwargs,
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
    }
    pool = _Pool(MOST_CONNECTIONS, timeout_seconds, connection_class=one.connection_class, **options)
    return redis.asyncio.Redis.from_pool(pool)
