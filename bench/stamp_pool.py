"""The pool `stamp`: its handler tells, on the file descriptor BENCH_PIPE, when it was started.

Each line is the job's number, the time (Unix ns) and the processor time that the process had taken by then (ns). Of
jobs with a number below 0 nothing is told.
"""

import os
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from pydantic import BaseModel

from edworkers.core.settings import PoolSpec
from edworkers.ports import Handle, Handler, HandlerModule, JobContext


class Data(BaseModel):
    """What the handler is given."""

    n: int


@asynccontextmanager
async def _open(env: Mapping[str, str]) -> AsyncGenerator[Handle]:
    pipe = int(env["BENCH_PIPE"])

    async def handle(data: Data, _job: JobContext) -> None:
        if data.n >= 0:
            os.write(pipe, b"%d %d %d\n" % (data.n, time.time_ns(), time.process_time_ns()))

    yield handle


MODULE = HandlerModule(
    pool=PoolSpec(queue="stamp", handlers="stamp_pool", concurrency=10), handlers=(Handler(data=Data, open=_open),)
)
