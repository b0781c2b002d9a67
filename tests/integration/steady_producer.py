"""A producer that pushes while masters come and go, and knows which of its jobs can't be lost any more."""

import asyncio
from collections import Counter
from typing import Any

import redis
from pydantic_core import to_json
from tests.integration.processes import Queue, eventually

from edworkers.adapters.redis.address import RedisAddress
from edworkers.adapters.redis.connection import CONNECTION_ERRORS, connect, is_outage

PACE_SECONDS = 0.005
"""Between two pushes, so that there is load and yet not more than can be looked at afterwards."""


class Producer:
    """Pushes jobs one after the other for as long as it is let, and knows of each whether it is safe."""

    def __init__(self, queue: Queue, address: RedisAddress) -> None:
        self._queue = queue
        self._pending = queue.key("pending")
        self.safe: list[str] = []
        """What a replica has, too, as the master said afterwards."""
        self.unsure: list[str] = []
        self._client: Any = connect(address, self._pending)
        self._task = asyncio.create_task(self._push())
        self._more = asyncio.Condition()

    async def _push(self) -> None:
        number = 0
        while True:
            number += 1
            job_id = f"job-{number}"
            safe = await self._push_one(to_json({"id": job_id, "data": {"do": "succeed"}}))
            (self.safe if safe else self.unsure).append(job_id)
            async with self._more:
                self._more.notify_all()
            await asyncio.sleep(PACE_SECONDS)

    async def _push_one(self, payload: bytes) -> bool:
        try:
            await self._client.execute_command("LPUSH", self._pending, payload)
            return int(await self._client.execute_command("WAIT", 1, 1000)) >= 1
        except (*CONNECTION_ERRORS, redis.RedisError) as error:
            if not is_outage(error):
                raise
            await self._client.connection_pool.disconnect()
            return False

    async def pushes(self, count: int) -> None:
        """Wait until so many more are safe."""
        wanted = len(self.safe) + count
        async with self._more:
            await self._more.wait_for(lambda: len(self.safe) >= wanted or self._task.done())
        assert not self._task.done(), self._task.exception()

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._client.aclose()

    async def sees_all_done(self) -> None:
        """Wait until nothing is left in the queue, and check that every safe job is done.

        What became of the others depends on when their master went; it is printed for whoever looks.
        """
        await self._queue.client.connection_pool.disconnect()
        await eventually(self._queue.is_empty)
        assert await self._states(self.safe) == {b"done": len(self.safe)}
        others = dict(await self._states(self.unsure))
        print(  # noqa: T201
            f"{len(self.safe)} safe, all done; {len(self.unsure)} pushed without an answer: {others}"
        )

    async def _states(self, ids: list[str]) -> Counter[bytes | None]:
        async with self._queue.client.pipeline(transaction=False) as pipe:
            for job_id in ids:
                pipe.hget(self._queue.key(f"job:{job_id}"), "state")
            return Counter(await pipe.execute())
