"""What the benchmark asks of a peer's program, and in what words.

    python NAME_peer.py worker               works until it is told to stop (SIGTERM)
    python NAME_peer.py push FIRST COUNT     pushes jobs, by bulk where the peer has that
    python NAME_peer.py enqueue COUNT        pushes as many twice, one by one and by bulk, and prints the rates as JSON
    python NAME_peer.py pace FIRST COUNT N   pushes N jobs a second that say when; prints how many a second it came to

The environment tells the rest: BENCH_REDIS_URL, BENCH_SLOTS (jobs at once), BENCH_BYTES (of a job), BENCH_JOBS and
BENCH_WARM_UP (how many to count, see `Tally`), BENCH_WORK_MS (how long each job waits for something), and BENCH_PIPE
(where the tally is told). Runs in the peer's own virtual environment, with nothing but the standard library.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any

from tally import Tally

URL = os.environ["BENCH_REDIS_URL"]
SLOTS = int(os.environ["BENCH_SLOTS"])
CONNECTIONS = 2 * SLOTS + 100
"""How many a pool may open: redis-py's own limit is fewer than what many slots need."""
POOL_URL = f"{URL}?max_connections={CONNECTIONS}"
CHUNK = 1000
"""Jobs in one bulk."""

WORK_SECONDS = int(os.environ.get("BENCH_WORK_MS", "0")) / 1000

_TICK_SECONDS = 0.001

WARM_UP = 100
"""Jobs pushed before a rate is measured."""

Job = dict[str, Any]
"""A job's data: its number `n`, and `text` that makes it as long as asked for."""
Push = Callable[[Iterable[Job]], Awaitable[None] | None]


@cache
def tally() -> Tally:
    """Give the tally of this process, a worker."""
    return Tally(int(os.environ["BENCH_JOBS"]), int(os.environ["BENCH_WARM_UP"]), int(os.environ["BENCH_PIPE"]))


async def work_on(n: int, text: str) -> None:
    """Be a job: note it, and wait for as long as asked for."""
    tally().began(n, text)
    if WORK_SECONDS:
        await asyncio.sleep(WORK_SECONDS)
    tally().ran(n)


def work_in_thread(n: int, text: str) -> None:
    """Be a job that has a thread to itself."""
    tally().began(n, text)
    if WORK_SECONDS:
        time.sleep(WORK_SECONDS)
    tally().ran(n)


def obey(
    work: Callable[[], object],
    push: Push,
    push_bulk: Push | None = None,
    push_due: Callable[[Iterable[Sequence[Job]]], None] | None = None,
) -> None:
    """Do what the command line says."""
    order, *words = sys.argv[1:]
    numbers = [int(word) for word in words]
    if order == "worker":
        work()
    elif order == "push":
        _push(push_bulk or push, jobs(*numbers))
    elif order == "pace":
        first, count, per_second = numbers
        begin = time.perf_counter()
        if push_due is not None:
            push_due(due_together(first, count, per_second))
        else:
            _push(push, paced(first, count, per_second))
        print(json.dumps({"rate": count / (time.perf_counter() - begin)}))
    else:
        ways = {"single": push, "bulk": push_bulk}
        rates = {name: _rate(way, *numbers) for name, way in ways.items() if way is not None}
        print(json.dumps(rates))


def jobs(first: int, count: int) -> Iterator[Job]:
    """Give so many jobs, numbered from the first."""
    size = int(os.environ["BENCH_BYTES"])
    for n in range(first, first + count):
        bare = len(json.dumps({"data": {"n": n, "text": ""}}, separators=(",", ":")))
        yield {"n": n, "text": "x" * (size - bare)}


def paced(first: int, count: int, per_second: float) -> Iterator[Job]:
    """Give so many jobs, each when it is due, with the time of that (Unix ns) at the beginning of its text."""
    begin = time.perf_counter()
    for at, job in enumerate(jobs(first, count)):
        while (early := begin + at / per_second - time.perf_counter()) > 0:
            time.sleep(early)
        yield _stamped(job)


def due_together(first: int, count: int, per_second: float) -> Iterator[Sequence[Job]]:
    """Give the same, but together what is due by then."""
    begin, at = time.perf_counter(), 0
    some = jobs(first, count)
    while at < count:
        due = min(count, int((time.perf_counter() - begin) * per_second) + 1)
        if due == at:
            time.sleep(_TICK_SECONDS)
            continue
        yield [_stamped(job) for job in islice(some, due - at)]
        at = due


def _stamped(job: Job) -> Job:
    stamp = f"{time.time_ns()} "
    return {**job, "text": stamp + job["text"][len(stamp) :]}


def chunks(all_jobs: Iterable[Job]) -> Iterator[Sequence[Job]]:
    """Cut jobs into bulks."""
    left = iter(all_jobs)
    while chunk := list(islice(left, CHUNK)):
        yield chunk


def _push(push: Push, some: Iterable[Job]) -> None:
    pushing = push(some)
    if pushing is not None:
        asyncio.run(_wait(pushing))


async def _wait(pushing: Awaitable[None]) -> None:
    await pushing


def _rate(push: Push, count: int) -> float:
    """Give jobs a second, after a few that connect and load what is loaded late."""
    _push(push, jobs(0, WARM_UP))
    some = list(jobs(0, count))
    begin = time.perf_counter()
    _push(push, some)
    return count / (time.perf_counter() - begin)
