"""The pool `noop`: its handler does nothing but note that a job ran, to tell at the end whether each ran once.

BENCH_JOBS is how many jobs are counted (those numbered from 0), BENCH_PIPE the file descriptor that is told, and
BENCH_WORK_MS for how long each job waits, as for something that is far away. Where jobs say in their text when they
were pushed (Unix ns), it tells how long it took from then to their start, as bench/peers/tally.py does.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from pydantic import BaseModel
from tally import quantiles

from edworkers.core.settings import PoolSpec
from edworkers.ports import Handle, Handler, HandlerModule, JobContext


class Data(BaseModel):
    """What the handler is given."""

    n: int
    text: str


@asynccontextmanager
async def _open(env: Mapping[str, str]) -> AsyncGenerator[Handle]:
    jobs, work_seconds = int(env["BENCH_JOBS"]), int(env.get("BENCH_WORK_MS", "0")) / 1000
    seen = bytearray(jobs)
    waits: list[float] = []

    async def handle(data: Data, _job: JobContext) -> None:
        if data.n < jobs:
            if data.text[0].isdigit():
                waits.append((time.time_ns() - int(data.text.partition(" ")[0])) / 1000)
            seen[data.n] += 1
        if work_seconds:
            await asyncio.sleep(work_seconds)

    yield handle
    tally = {"distinct": jobs - seen.count(0), "most": max(seen), **quantiles(waits)}
    os.write(int(env["BENCH_PIPE"]), json.dumps(tally).encode() + b"\n")


MODULE = HandlerModule(
    pool=PoolSpec(queue="noop", handlers="noop_pool", concurrency=50), handlers=(Handler(data=Data, open=_open),)
)
