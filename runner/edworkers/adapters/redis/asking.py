"""Questions to Redis that end at once where it can't be used, as people who watch a queue want them to."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import redis
from redis.exceptions import AskError, ReadOnlyError

from edworkers.adapters.redis.connection import CONNECTION_ERRORS, explain
from edworkers.core.errors import QueueUnavailableError

Result = TypeVar("Result")


async def ask(client: Any, call: Callable[[], Awaitable[Result]]) -> Result:
    """Call Redis. Raises QueueUnavailableError at once where it is away, full or refuses us."""
    try:
        return await _where_it_is(client, call)
    except (*CONNECTION_ERRORS, redis.RedisError) as error:
        raise QueueUnavailableError(f"Redis can't be used: {explain(error)}") from error


async def _where_it_is(client: Any, call: Callable[[], Awaitable[Result]]) -> Result:
    """Call again, once, at the server that has the key now: the one that says it hasn't did nothing."""
    try:
        return await call()
    except (AskError, ReadOnlyError):
        await client.connection_pool.disconnect()
        return await call()
