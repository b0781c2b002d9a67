"""SAQ: one process, N jobs at once in asyncio, over uvloop and hiredis.

Arguments of `saq.Worker`, `saq.Queue.from_url` and `saq.Job`, which their docstrings explain:

concurrency         the slots
dump, load          orjson's, rather than json's
max_concurrent_ops  the slots, and at least 20 as by default
ttl                 -1: finished jobs aren't kept
retries             2, rather than 1: by the source a job whose worker was killed is otherwise given up

So a job survives SIGKILL of its worker: it stays in the list `active`, and a sweep once a minute takes it back when its
timeout of 10 seconds is over. On Redis there is no push by bulk.
"""

import logging
from collections.abc import Iterable
from typing import Any

import orjson
import uvloop
from orders import POOL_URL, SLOTS, Job, obey, tally, work_on
from saq import Queue, Worker


def queue() -> Any:
    return Queue.from_url(
        POOL_URL, name="noop", dump=orjson.dumps, load=orjson.loads, max_concurrent_ops=max(SLOTS, 20)
    )


async def noop(_context: dict[str, Any], *, n: int, text: str) -> None:
    await work_on(n, text)


async def startup(context: dict[str, Any]) -> None:
    # So that the first sweep comes after a minute: it would take jobs that are about to begin for stuck ones.
    await context["worker"].queue.sweep()
    tally().ready()


def work() -> None:
    logging.disable(logging.WARNING)
    uvloop.run(serve())


async def serve() -> None:
    jobs = queue()
    await Worker(jobs, [noop], concurrency=SLOTS, startup=startup, dequeue_timeout=0).start()
    await jobs.disconnect()


async def push(jobs: Iterable[Job]) -> None:
    to = queue()
    for job in jobs:
        await to.enqueue("noop", retries=2, ttl=-1, **job)
    await to.disconnect()


if __name__ == "__main__":
    obey(work, push)
