"""Counts queues in Redis, a pipeline a queue; payloads are never read."""

import time
from collections.abc import Sequence
from typing import Any

import redis.asyncio
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from edworkers.core.keys import LimiterKeys, QueueKeys
from edworkers.core.limits import MINUTE_MS, Limited, limiters, period_at
from edworkers.core.queue_age import QueueAge, left_the_list
from edworkers.core.settings import Window
from edworkers_operator.queue_reading import LimitReading, QueueReading, Unreadable, pods_of
from edworkers_operator.settings import RedisAddress

_TIMEOUT_SECONDS = 5.0


def connect(address: RedisAddress, password: str) -> Any:
    """Make a client, which connects at its first call."""
    retry = Retry(NoBackoff(), 0)
    usual: dict[str, Any] = {
        "username": address.username or None,
        "password": password or None,
        "ssl": address.tls,
        "socket_timeout": _TIMEOUT_SECONDS,
        "socket_connect_timeout": _TIMEOUT_SECONDS,
    }
    nodes = [(host.strip("[]"), int(port)) for host, _, port in (at.rpartition(":") for at in address.addresses)]
    if address.mode == "cluster":
        return RedisCluster(startup_nodes=[ClusterNode(host, port) for host, port in nodes], **usual)
    if address.mode == "sentinel":
        quick = {"socket_timeout": _TIMEOUT_SECONDS, "ssl": address.tls}
        sentinel = Sentinel(nodes, sentinel_kwargs=quick, **usual)  # type: ignore[no-untyped-call]
        return sentinel.master_for(address.master, db=address.database)
    ((host, port),) = nodes
    return redis.asyncio.Redis(host=host, port=port, db=address.database, retry=retry, **usual)


class Queues:
    """The queues of one Redis."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._ages: dict[str, QueueAge] = {}

    async def read(self, queue: str, limits: Sequence[Window]) -> QueueReading | Unreadable:
        """Count a queue, and what is used of its limits."""
        try:
            return await self._read(queue, limits)
        except (redis.RedisError, OSError, TimeoutError) as error:
            return Unreadable(f"Redis can't be used: {str(error) or type(error).__name__}")
        except ValueError as error:
            return Unreadable(f"the queue's keys hold what edworkers didn't write: {error}")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _read(self, queue: str, limits: Sequence[Window]) -> QueueReading:
        keys = QueueKeys(queue)
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.llen(keys.pending).llen(keys.arrived).zcard(keys.fair).hkeys(keys.inflight).zcard(keys.delayed).zcard(
                keys.dead
            )
            pipe.exists(keys.paused).pttl(keys.throttled).hgetall(keys.totals)
            (
                pending,
                arrived,
                sorted_by_group,
                receipts,
                delayed,
                dead,
                paused,
                throttled_ms,
                totals,
            ) = await pipe.execute()
        waiting = pending + arrived + sorted_by_group
        left = left_the_list(len(receipts), {verb.decode(): int(count) for verb, count in totals.items()})
        now = time.time_ns() // 1_000_000
        return QueueReading(
            pending=waiting,
            inflight=len(receipts),
            delayed=delayed,
            dead=dead,
            paused=bool(paused),
            throttled=throttled_ms != -2,
            # To the second: asked again, it is to be the same.
            opens_at=round((now + throttled_ms) / 1000) * 1000 if throttled_ms > 0 else 0,
            oldest_seconds=int(self._age(queue).oldest_seconds(time.monotonic(), left=left, waiting=waiting)),
            busy=pods_of(receipts),
            limits=await self._limits(queue, limits, now) if limits else (),
        )

    def _age(self, queue: str) -> QueueAge:
        return self._ages.setdefault(queue, QueueAge())

    async def _limits(self, queue: str, limits: Sequence[Window], now: int) -> tuple[LimitReading, ...]:
        """Read the limits of the whole queue; those of groups are as many as there are groups."""
        found: dict[str, LimitReading] = {}
        for limited in limiters(queue, limits):
            if limited.per == "queue":
                found |= await self._limiter(limited, now)
        return tuple(found[window.name] for window in limits if window.name in found)

    async def _limiter(self, limited: Limited, now: int) -> dict[str, LimitReading]:
        keys = LimiterKeys(limited.name)
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.hgetall(keys.used)
            pipe.zrangebyscore(keys.rolling, f"({now - MINUTE_MS}", "+inf", withscores=True)
            used, rolling = await pipe.execute()
        return {window.name: _of_window(window, now, used, rolling) for window in limited.windows}


def _of_window(window: Window, now: int, used: dict[bytes, bytes], rolling: list[tuple[bytes, float]]) -> LimitReading:
    if window.window == "minute":
        count = sum(int(member.rpartition(b":")[2]) for member, _ in rolling)
        resets_at = round(rolling[0][1]) + MINUTE_MS if rolling else 0
        return LimitReading(window.name, count, window.limit, resets_at)
    period = period_at(window, now, now)
    start, end = (period.start, period.end) if period is not None else (0, 0)
    return LimitReading(window.name, int(used.get(f"{window.name}@{start}".encode(), 0)), window.limit, end)
