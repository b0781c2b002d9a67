"""Pushes the jobs of a chaos run, by the ways that producers have, and cancels some of them.

A plain LPUSH goes straight to Redis, `enqueue` and `cancel` through the proxy. Whatever isn't answered is repeated with
the same id, as a producer should, for as long as it takes.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from typing import Any, TypeVar

from redis.exceptions import RedisError
from tests.chaos.jobs import Planned

from edworkers.adapters.redis.connection import connect
from edworkers.adapters.redis.control import RedisControl
from edworkers.core.errors import QueueUnavailableError
from edworkers.core.keys import QueueKeys
from edworkers.core.lifecycle import State
from edworkers.core.settings import Retention
from edworkers.ports import Enqueue

_BATCH = 20
_AGAIN_SECONDS = 0.05

Result = TypeVar("Result")


class Producer:
    """One producer, also the one who cancels."""

    def __init__(self, direct_url: str, proxy_url: str, queue: str) -> None:
        self.pushed: list[Planned] = []
        """What Redis has taken."""
        self.pushes: Counter[int] = Counter()
        """By a job's number, how many copies were sent, arrived or not."""
        self.repeats: Counter[str] = Counter()
        """How often a push, an enqueueing or a cancellation was not answered, and repeated."""
        self.answers: Counter[str] = Counter()
        """What cancellations were answered."""
        self._direct: Any = connect(direct_url)
        self._by_proxy: Any = connect(proxy_url)
        self._canceller: Any = connect(proxy_url)
        self._keys = QueueKeys(queue)
        self._control = RedisControl(self._by_proxy, queue, Retention())
        self._cancelling_control = RedisControl(self._canceller, queue, Retention())
        self._cancelling: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()

    async def push(self, jobs: Sequence[Planned]) -> None:
        """Push jobs, and go on until Redis has taken all of them."""
        for by, several in groupby(jobs, key=lambda job: job.by):
            batch = list(several)
            for start in range(0, len(batch), _BATCH):
                await self._push_batch(by, batch[start : start + _BATCH])

    async def _push_batch(self, by: str, batch: Sequence[Planned]) -> None:
        async def send() -> None:
            for job in batch:
                self.pushes[job.nr] += job.copies
            if by == "enqueue":
                await self._control.enqueue([_enqueue(job) for job in batch])
            else:
                payloads = [job.payload for job in batch for _ in range(job.copies)]
                await self._direct.execute_command(by.upper(), self._keys.pending, *payloads)

        await self._until_answered(by, send)
        self.pushed += batch
        for job in batch:
            if job.cancel:
                task = asyncio.create_task(self._cancel(job))
                self._cancelling.add(task)
                task.add_done_callback(self._cancelling.discard)

    async def _until_answered(self, what: str, call: Callable[[], Awaitable[Result]]) -> Result:
        while True:
            try:
                return await call()
            except (RedisError, OSError, QueueUnavailableError):
                self.repeats[what] += 1
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _cancel(self, job: Planned) -> None:
        if job.cancel == "running":
            await self._until_it_runs(job)
        answer = await self._ask("cancel", lambda: self._cancelling_control.cancel(job.job_id))
        self.answers[answer] += 1

    async def _until_it_runs(self, job: Planned) -> None:
        while True:
            record = await self._ask("find", lambda: self._cancelling_control.find(job.job_id))
            if record is not None and record.state is State.INFLIGHT:
                return
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _ask(self, what: str, call: Callable[[], Awaitable[Result]]) -> Result:
        async with self._one_at_a_time:
            return await self._until_answered(what, call)

    @property
    def is_done(self) -> bool:
        """Whether every cancellation was answered."""
        return not self._cancelling

    async def close(self) -> None:
        for task in list(self._cancelling):
            task.cancel()
        await asyncio.gather(*self._cancelling, return_exceptions=True)
        for client in (self._direct, self._by_proxy, self._canceller):
            await client.aclose()


def _enqueue(job: Planned) -> Enqueue:
    return Enqueue(job.job_id, job.payload, job.unique_key, due=job.due)
