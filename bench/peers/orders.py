"""What the benchmark asks of a peer's program, and in what words.

    python NAME_peer.py worker               works until it is told to stop (SIGTERM)
    python NAME_peer.py push FIRST COUNT     pushes jobs, by bulk where the peer has that
    python NAME_peer.py enqueue COUNT        pushes as many twice, one by one and by bulk, and prints the rates as JSON

The environment tells the rest: BENCH_REDIS_URL, BENCH_SLOTS (jobs at once), BENCH_BYTES (of a job), BENCH_JOBS and
BENCH_WARM_UP (how many to count, see `Tally`), BENCH_PIPE (where the tally is told). Runs in the peer's own virtual
environment, with nothing but the standard library.
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

WARM_UP = 100
"""Jobs pushed before a rate is measured."""

Job = dict[str, Any]
"""A job's data: its number `n`, and `text` that makes it as long as asked for."""
Push = Callable[[Iterable[Job]], Awaitable[None] | None]


@cache
def tally() -> Tally:
    """Give the tally of this process, a worker."""
    return Tally(int(os.environ["BENCH_JOBS"]), int(os.environ["BENCH_WARM_UP"]), int(os.environ["BENCH_PIPE"]))


def obey(work: Callable[[], object], push: Push, push_bulk: Push | None = None) -> None:
    """Do what the command line says."""
    order, *words = sys.argv[1:]
    numbers = [int(word) for word in words]
    if order == "worker":
        work()
    elif order == "push":
        _push(push_bulk or push, jobs(*numbers))
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
