"""Handlers for runners in a cluster. Every run is counted in Redis, outside the queue: `e2e:runs:<job id>`."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from pydantic import BaseModel
from redis.asyncio import Redis

from edworkers.adapters.redis.address import redis_url
from edworkers.core.settings import PoolSpec
from edworkers.handlers.data import JobData
from edworkers.ports import Handle, Handler, HandlerModule, JobContext

_CHUNK_BYTES = 16 * 1024**2


class Anything(BaseModel, extra="allow"):
    """Data that is returned as it came."""


class Sleep(JobData):
    seconds: float


class Mark(JobData):
    key: str


class Hog(JobData):
    pass


Work = Callable[[Any, int, Redis], Awaitable[Any]]


async def _echo(data: Anything, _runs: int, _redis: Redis) -> Any:
    return data.model_dump()


async def _sleep(data: Sleep, _runs: int, _redis: Redis) -> Any:
    await asyncio.sleep(data.seconds)
    return {"slept": data.seconds, "runner": os.environ.get("EDWORKERS_RUNNER_NAME")}


async def _mark(data: Mark, _runs: int, redis: Redis) -> Any:
    return {"marks": await redis.incr(data.key)}


async def _hog(_data: Hog, runs: int, _redis: Redis) -> Any:
    """Take memory until the container is killed for it; the run after that one ends at once."""
    taken = []
    while runs == 1:
        taken.append(b"x" * _CHUNK_BYTES)
        await asyncio.sleep(0)  # other jobs and the leases go on
    return {"runs": runs}


def _counted(work: Work) -> Callable[[Mapping[str, str]], AbstractAsyncContextManager[Handle]]:
    @asynccontextmanager
    async def open_(env: Mapping[str, str]) -> AsyncGenerator[Handle]:
        async with Redis.from_url(redis_url(env), decode_responses=True) as redis:

            async def handle(data: Any, job: JobContext) -> Any:
                return await work(data, await redis.incr(f"e2e:runs:{job.id}"), redis)

            yield handle

    return open_


_WORKS: dict[str, tuple[type[BaseModel], Work]] = {
    "echo": (Anything, _echo),
    "sleep": (Sleep, _sleep),
    "mark": (Mark, _mark),
    "hog": (Hog, _hog),
}

MODULE = HandlerModule(
    pool=PoolSpec(queue="e2e", handlers="handlers_for_cluster"),
    handlers=tuple(Handler(type=type_, data=data, open=_counted(work)) for type_, (data, work) in _WORKS.items()),
)
