"""The least that a worker can do which loses no job: move it, read it, check it, run it, strike it off.

`python bench/bare_loop.py PORT JOBS` says "ready" to BENCH_PIPE, waits for an entry of the list `bare:go`, takes so
many jobs from `bare:jobs`, 50 at once, and says "done". No leases, no records, no retries, no time-outs, no metrics:
what edworkers costs beyond this is what its promises cost.
"""

import asyncio
import os
import signal
import sys
from typing import Any

import redis.asyncio
from pydantic import BaseModel, TypeAdapter

SLOTS = 50


class Data(BaseModel):
    """What a job of `noop` has for data."""

    n: int
    text: str


class Job(BaseModel):
    """The envelope, as far as it is used."""

    data: Data


async def handle(data: Data, seen: set[int]) -> None:
    """Do nothing but note it."""
    seen.add(data.n)


async def main(port: int, jobs: int) -> None:
    """Work until so many distinct jobs were done."""
    adapter, seen = TypeAdapter(Job), set[int]()
    client: Any = redis.asyncio.Redis(port=port)
    pipe = int(os.environ["BENCH_PIPE"])
    await client.ping()
    os.write(pipe, b"ready\n")
    await client.blpop("bare:go")
    while len(seen) < jobs:
        async with client.pipeline(transaction=False) as calls:
            for _ in range(SLOTS):
                calls.lmove("bare:jobs", "bare:busy", "RIGHT", "LEFT")
            payloads = [payload for payload in await calls.execute() if payload is not None]
        async with asyncio.TaskGroup() as group:
            for payload in payloads:
                group.create_task(handle(adapter.validate_json(payload).data, seen))
        async with client.pipeline(transaction=False) as calls:
            for payload in payloads:
                calls.lrem("bare:busy", 1, payload)
            await calls.execute()
    os.write(pipe, b"done\n")
    signal.pause()  # until what it took has been looked up


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
