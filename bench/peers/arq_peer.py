"""arq: one process, N jobs at once in asyncio, over uvloop and hiredis.

Arguments of `arq.worker.Worker`, which its docstring explains:

max_jobs          the slots
poll_delay        1 ms rather than half a second: in that time it asks once for jobs that wait
queue_read_limit  10 times the slots rather than 5 times: it starts no more than these before it asks again
keep_result       0: no results are written, as nobody reads them
log_results       off

A job survives SIGKILL of its worker: by the source it stays in the queue until it is done, and the key that marks it as
in progress expires 10 seconds after the job's timeout. There is no push by bulk.
"""

import logging
from collections.abc import Iterable
from typing import Any

import uvloop
from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker
from orders import SLOTS, URL, Job, obey, tally, work_on

REDIS = RedisSettings.from_dsn(URL)


async def noop(_context: dict[str, Any], n: int, text: str) -> None:
    await work_on(n, text)


async def startup(_context: dict[str, Any]) -> None:
    tally().ready()


def work() -> None:
    uvloop.install()
    logging.disable(logging.INFO)
    Worker(
        functions=[noop],
        redis_settings=REDIS,
        max_jobs=SLOTS,
        poll_delay=0.001,
        queue_read_limit=max(10 * SLOTS, 100),
        keep_result=0,
        log_results=False,
        on_startup=startup,
    ).run()


async def push(jobs: Iterable[Job]) -> None:
    pool = await create_pool(REDIS)
    for job in jobs:
        await pool.enqueue_job("noop", **job)
    await pool.aclose()


if __name__ == "__main__":
    obey(work, push)
