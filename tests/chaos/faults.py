"""Who is hurt how: faults in an order drawn from a seed, one after the other, on two tracks.

One track is for processes and connections, the other for Redis itself, so that they meet in every way. Pauses between
faults only spread them over the work; nothing is judged by them.
"""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from redis.exceptions import RedisError
from tests.chaos.crew import Crew, Member
from tests.chaos.proxy import Cut, Proxy

from edworkers.adapters.redis.connection import connect
from edworkers.core.keys import QueueKeys
from edworkers.standins.redis import RedisServer

Fault = Callable[[], Awaitable[None]]

FEW_OF_EACH: Mapping[str, int] = {
    "kill_keeper": 1,
    "freeze": 2,
    # Not every runner has a job to return when it is told to stop.
    "terminate": 3,
    "cut_before_reply": 2,
    "cut_before_jobs": 3,
    "cut_mid_request": 1,
    "cut_mid_reply": 1,
    "half_open": 1,
    "slow": 1,
}
FEW_OF_REDIS: Mapping[str, int] = {"redis_killed": 1, "redis_stopped": 1, "scripts_forgotten": 2, "memory_full": 1}


def amounts(kills: int) -> tuple[dict[str, int], dict[str, int]]:
    """Say how many faults of each kind go with so many kills, on each track: at least a few of each."""

    def scaled(few: Mapping[str, int], shares: Mapping[str, float]) -> dict[str, int]:
        return {name: max(least, round(kills * shares[name])) for name, least in few.items()}

    first = scaled(
        FEW_OF_EACH,
        {
            "kill_keeper": 0.15,
            "freeze": 0.3,
            "terminate": 0.2,
            "cut_before_reply": 0.3,
            "cut_before_jobs": 0.3,
            "cut_mid_request": 0.15,
            "cut_mid_reply": 0.15,
            "half_open": 0.1,
            "slow": 0.1,
        },
    )
    second = scaled(
        FEW_OF_REDIS, {"redis_killed": 0.06, "redis_stopped": 0.04, "scripts_forgotten": 0.15, "memory_full": 0.06}
    )
    first["kill_runner"] = max(kills - first["kill_keeper"], 1)
    return first, second


class Faults:
    """Does them all once, then is over."""

    def __init__(
        self, crew: Crew, proxy: Proxy, server: RedisServer, *, rng: random.Random, lease_seconds: float, queue: str
    ) -> None:
        self.done: Counter[str] = Counter()
        self.hurt_at_work = 0
        """How many of the killed and frozen runners held jobs."""
        self._crew, self._proxy, self._server = crew, proxy, server
        self._rng = rng
        self._lease = lease_seconds
        self._keys = QueueKeys(queue)
        self._client: Any = connect(server.url)
        self._later: set[asyncio.Task[None]] = set()

    def draw(self, counts: Mapping[str, int]) -> list[str]:
        """Draw an order."""
        names = [name for name, count in counts.items() for _ in range(count)]
        self._rng.shuffle(names)
        return names

    async def go_on(self, name: str) -> None:
        """Do one."""
        fault: Fault = getattr(self, f"_{name}")
        await fault()
        self.done[name] += 1

    async def heal(self) -> None:
        """Wait until whatever is to pass has passed."""
        await asyncio.gather(*self._later)

    async def close(self) -> None:
        for task in list(self._later):
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)
        await self._client.aclose()

    def _after(self, seconds: float, heal: Callable[[], None]) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            heal()

        task = asyncio.create_task(wait())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    # Processes.

    async def _victim(self, *roles: str) -> Member:
        """Choose one that runs, mostly one that holds jobs."""
        members = await self._crew.some_up(*roles)
        if "keeper" in roles:
            return self._rng.choice(members)
        busy = await self._busy()
        at_work = [member for member in members if member.name in busy]
        chosen = self._rng.choice(at_work if at_work and self._rng.random() < 0.9 else members)
        self.hurt_at_work += chosen.name in busy
        return chosen

    async def _busy(self) -> set[str]:
        receipts: list[bytes] = await self._ask("ZRANGE", self._keys.lease, 0, -1)
        return {receipt.partition(b".")[0].decode() for receipt in receipts}

    async def _ask(self, *words: Any) -> Any:
        while True:
            try:
                return await self._client.execute_command(*words)
            except (RedisError, OSError):
                await asyncio.sleep(0.05)  # it is just being restarted

    async def _kill_runner(self) -> None:
        (await self._victim("runner", "next")).send(signal.SIGKILL)

    async def _kill_keeper(self) -> None:
        (await self._victim("keeper")).send(signal.SIGKILL)

    async def _terminate(self) -> None:
        (await self._victim("runner", "next")).send(signal.SIGTERM)

    async def _freeze(self) -> None:
        victim = await self._victim("runner")
        victim.freeze()
        self._after(self._lease * self._rng.uniform(0.5, 3), victim.thaw)

    # Connections.

    async def _cut_before_reply(self) -> None:
        await self._proxy.cut(Cut.BEFORE_REPLY, self._rng.randint(1, 4), self._rng)

    async def _cut_before_jobs(self) -> None:
        await self._proxy.cut(Cut.BEFORE_JOBS, self._rng.randint(1, 4), self._rng)

    async def _cut_mid_request(self) -> None:
        await self._proxy.cut(Cut.MID_REQUEST, self._rng.randint(1, 4), self._rng)

    async def _cut_mid_reply(self) -> None:
        await self._proxy.cut(Cut.MID_REPLY, self._rng.randint(1, 4), self._rng)

    async def _half_open(self) -> None:
        self._proxy.hold()
        self._after(self._lease * self._rng.uniform(0.3, 2), self._proxy.go_on)

    async def _slow(self) -> None:
        self._proxy.delay_seconds = self._rng.uniform(0.02, 0.2)

        def fast_again() -> None:
            self._proxy.delay_seconds = 0

        self._after(self._lease, fast_again)

    # Redis.

    async def _redis_killed(self) -> None:
        await self._restart(signal.SIGKILL)

    async def _redis_stopped(self) -> None:
        await self._restart(signal.SIGTERM)

    async def _restart(self, number: signal.Signals) -> None:
        await self._server.stop(number)
        await asyncio.sleep(self._rng.uniform(0, self._lease))
        await self._server.start()

    async def _scripts_forgotten(self) -> None:
        await self._ask("SCRIPT", "FLUSH")

    async def _memory_full(self) -> None:
        await self._ask("CONFIG", "SET", "maxmemory", "1")
        await asyncio.sleep(self._lease * self._rng.uniform(0.3, 2))
        await self._ask("CONFIG", "SET", "maxmemory", "0")
