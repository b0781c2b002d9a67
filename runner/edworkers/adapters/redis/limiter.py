"""Several windows at once on Redis, counted exactly for every runner that shares them."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import redis

from edworkers.adapters.redis.calls import Client, run_script
from edworkers.adapters.redis.connection import until_answered
from edworkers.core.keys import LimiterKeys
from edworkers.core.limits import MINUTE_MS, period_at, periods
from edworkers.core.settings import Window
from edworkers.ports import Grant, Usage


class RedisLimiter:
    """The `Limiter` port on Redis. A crash between `reserve` and `refund` wastes quota, and never exceeds it."""

    def __init__(
        self,
        client: Client,
        name: str,
        windows: Sequence[Window],
        *,
        runner: str,
        now: Callable[[], int],
        calls: Iterator[int] | None = None,
    ) -> None:
        self._client = client
        self._keys = LimiterKeys(name)
        self._rolling = next((window for window in windows if window.window == "minute"), None)
        self._calendar = [window for window in windows if window.window != "minute"]
        self._runner = runner
        self._now = now
        self._calls = calls or itertools.count(1)
        self._reservations: dict[str, tuple[int, list[bytes]]] = {}

    async def reserve(self, count: int, *, whole: bool = False) -> Grant:
        """Take up to `count` from every window, or as many as the tightest allows; with `whole`, all or nothing."""
        rolling = self._rolling.limit if self._rolling else 0
        args: list[Any] = ["", count, int(whole), rolling, len(self._calendar)]
        now = self._now()
        for window in self._calendar:
            bounds = [edge for period in periods(window, now) for edge in period]
            args += (window.name, window.limit, *bounds)

        # A repeat after a lost reply may take twice: quota is wasted then, never exceeded. Each has a name of its own,
        # so that what is wasted of a minute comes back with the minute.
        async def call(_repeated: bool) -> Any:  # noqa: FBT001
            args[0] = f"{self._runner}.{next(self._calls):x}"
            return await run_script(self._client, "reserve", (self._keys.used, self._keys.rolling), args)

        granted, retry_ms, blocker, fields = await until_answered("reserve quota", call)
        token: str = args[0]
        if granted > 0:
            self._reservations[token] = (granted, fields)
            return Grant(token, granted, 0)
        name = self._rolling.name if self._rolling and blocker == b"rolling" else blocker.decode()
        return Grant(token, 0, int(retry_ms), name)

    async def refund(self, reservation: str, count: int) -> None:
        """Give back `count` of a reservation that were not used; each reservation can be given back from once."""
        granted, fields = self._reservations.pop(reservation, (0, []))
        await self._give_back(reservation, granted, max(min(count, granted), 0), fields)

    async def adjust(self, reservation: str, used: int) -> None:
        """Count what a reservation really used, be it less or more than was reserved; once for each."""
        granted, fields = self._reservations.pop(reservation, (0, []))
        await self._give_back(reservation, granted, granted - used if granted else 0, fields)

    async def _give_back(self, reservation: str, granted: int, unused: int, fields: Sequence[bytes]) -> None:
        if unused == 0:
            return
        keys = (self._keys.used, self._keys.rolling)
        args: list[Any] = [reservation, granted, unused, *fields]
        # Not repeated: if the reply is lost, to give back nothing is safe and to give back twice is not.
        try:
            await run_script(self._client, "refund", keys, args)
        except (redis.RedisError, OSError):
            return

    async def usage(self) -> list[Usage]:
        """Tell how much of each window is used."""
        now = self._now()
        used: dict[bytes, bytes] = await self._client.execute_command("HGETALL", self._keys.used)
        out: list[Usage] = []
        if self._rolling is not None:
            out.append(await self._rolling_usage(self._rolling, now))
        for window in self._calendar:
            period = period_at(window, now, now)
            if period is not None:
                count = int(used.get(f"{window.name}@{period.start}".encode(), 0))
                out.append(Usage(window.name, count, window.limit, period.end))
        return out

    async def _rolling_usage(self, window: Window, now: int) -> Usage:
        key = self._keys.rolling
        fresh: list[bytes] = await self._client.execute_command("ZRANGEBYSCORE", key, f"({now - MINUTE_MS}", "+inf")
        oldest = await self._client.execute_command("ZSCORE", key, fresh[0]) if fresh else None
        resets_at = int(oldest) + MINUTE_MS if oldest is not None else now
        return Usage(window.name, sum(int(member.rpartition(b":")[2]) for member in fresh), window.limit, resets_at)
