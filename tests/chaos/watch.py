"""Looks at the queues of a chaos run from outside: what hasn't ended, where it lies, and what is left over."""

from typing import Any

from redis.exceptions import RedisError

from edworkers.adapters.redis.connection import connect
from edworkers.adapters.redis.control import RedisControl
from edworkers.core.errors import QueueUnavailableError
from edworkers.core.keys import QueueKeys
from edworkers.core.settings import Retention
from edworkers.ports import Depths

WORK, NEXT = "work", "next"
_LONGEST = 2000


class Watch:
    """Sees the queues of one Redis, not through the proxy."""

    def __init__(self, url: str) -> None:
        self._client: Any = connect(url)

    async def left(self) -> tuple[int, list[int]]:
        """Count what hasn't ended, and what has, by how it did; 1 and nothing while Redis is away.

        Follow-up jobs go from the first queue by its outbox to the second: in that order, none is passed over.
        """
        try:
            work = await self._depths(WORK)
            outbox = int(await self._client.execute_command("LLEN", QueueKeys(WORK).outbox))
            following = await self._depths(NEXT)
        except (QueueUnavailableError, RedisError, OSError):
            return 1, []
        left = outbox + sum(depths.pending + depths.inflight + depths.delayed for depths in (work, following))
        ended = [depths.totals.get(verb, 0) for depths in (work, following) for verb in ("ack", "bury", "cancel")]
        return left, ended

    async def _depths(self, queue: str) -> Depths:
        return await RedisControl(self._client, queue, Retention()).depths()

    async def leftovers(self) -> list[str]:
        """Name the keys that are only there while a job waits or runs."""
        names = [
            name
            for keys in (QueueKeys(WORK), QueueKeys(NEXT))
            for name in (
                *(keys.pending, keys.arrived, keys.inflight, keys.lease, keys.delayed, keys.entries, keys.outbox),
                *(keys.unique, keys.fair, keys.turns, keys.grouped, keys.running),
            )
        ]
        return [name for name in names if await self._client.execute_command("EXISTS", name)]

    async def where(self) -> str:
        """Say what lies where."""
        commands = [command for queue in (WORK, NEXT) for command in _looks(QueueKeys(queue))]
        return "\n".join(["", *[f"  {command[1]}: {await self._show(*command)}" for command in commands]])

    async def _show(self, *command: Any) -> str:
        try:
            return str(await self._client.execute_command(*command))[:_LONGEST]
        except (RedisError, OSError) as error:
            return f"Redis is away ({error})"

    async def close(self) -> None:
        await self._client.aclose()


def _looks(keys: QueueKeys) -> list[tuple[str | int, ...]]:
    return [
        *[("LRANGE", key, 0, 9) for key in (keys.pending, keys.arrived, keys.outbox)],
        *[("ZRANGE", key, 0, 9) for key in (keys.lease, keys.delayed, keys.fair, keys.turns, keys.shut)],
        *[("HGETALL", key) for key in (keys.inflight, keys.entries, keys.running, keys.totals)],
    ]
