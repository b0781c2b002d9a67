"""streaq: one process, N jobs at once in asyncio, over uvloop. It brings a Redis client of its own, coredis.

Arguments of `streaq.Worker` and its `task`, which their docstrings explain:

concurrency   the slots; as many more are fetched ahead by default
anyio_kwargs  uvloop
ttl           0: no results are kept
silent        no line is logged for each job

A job survives SIGKILL of its worker: by `idle_timeout`, 60 seconds by default, it is given to another one when nobody
has renewed it for so long. Bulk is `enqueue_many`.
"""

import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from orders import SLOTS, URL, Job, chunks, obey, tally, work_on
from streaq import Worker


@asynccontextmanager
async def lifespan() -> AsyncGenerator[None]:
    tally().ready()
    yield


worker = Worker(
    redis_url=URL, queue_name="noop", concurrency=SLOTS, lifespan=lifespan, anyio_kwargs={"use_uvloop": True}
)


@worker.task(name="noop", ttl=0, silent=True)
async def noop(n: int, text: str) -> None:
    await work_on(n, text)


def work() -> None:
    logging.disable(logging.INFO)
    worker.run_sync()


async def push(jobs: Iterable[Job]) -> None:
    async with worker:
        for job in jobs:
            await noop.enqueue(**job)


async def push_bulk(jobs: Iterable[Job]) -> None:
    async with worker:
        for chunk in chunks(jobs):
            await worker.enqueue_many([noop.enqueue(**job) for job in chunk])


if __name__ == "__main__":
    obey(work, push, push_bulk)
