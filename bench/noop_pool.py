"""The pool `noop`: its handler does nothing but note that a job ran, to tell at the end whether each ran once.

BENCH_JOBS is how many jobs are counted (those numbered from 0), BENCH_PIPE the file descriptor that is told.
"""

import json
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from pydantic import BaseModel

from edworkers.core.settings import PoolSpec
from edworkers.ports import Handle, Handler, HandlerModule, JobContext


class Data(BaseModel):
    """What the handler is given."""

    n: int
    text: str


@asynccontextmanager
async def _open(env: Mapping[str, str]) -> AsyncGenerator[Handle]:
    jobs = int(env["BENCH_JOBS"])
    seen = bytearray(jobs)

    async def handle(data: Data, _job: JobContext) -> None:
        if data.n < jobs:
            seen[data.n] += 1

    yield handle
    tally = {"distinct": jobs - seen.count(0), "most": max(seen)}
    os.write(int(env["BENCH_PIPE"]), json.dumps(tally).encode() + b"\n")


MODULE = HandlerModule(
    pool=PoolSpec(queue="noop", handlers="noop_pool", concurrency=50), handlers=(Handler(data=Data, open=_open),)
)
