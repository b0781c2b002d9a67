"""Clients of many connections, for a process that asks much at once and is to know soon that Redis is away."""

from typing import Any

import redis.asyncio

from edworkers.adapters.redis.address import RedisAddress
from edworkers.adapters.redis.connection import connection_pool

MOST_CONNECTIONS = 32
"""Of one process to one server; who comes when all are in use waits for one."""


def shared_client(address: RedisAddress, key: str, timeout_seconds: float) -> "redis.asyncio.Redis":
    """Make a client of the server that has a key; it connects as it is asked.

    `timeout_seconds` is how long Redis may be silent, and how long to wait for a connection.
    """
    one = connection_pool(address, key)
    options: dict[str, Any] = {
        **one.connection_kwargs,
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
    }
    pool = redis.asyncio.BlockingConnectionPool(
        MOST_CONNECTIONS, timeout_seconds, connection_class=one.connection_class, **options
    )
    return redis.asyncio.Redis.from_pool(pool)
