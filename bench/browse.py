"""How long a look at a queue of a million jobs takes: pages, one job, failures, steps of a search.

    .venv/bin/python bench/browse.py [--jobs 1000000] [--ended 100000] [--rounds 50]

Fills a Redis of its own; what it prints is milliseconds: as a server waits for them, and what each call takes of the
server's processor and of Redis', for as long as which everybody else waits.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from edworkers.adapters.redis.browse import RedisBrowser
from edworkers.adapters.redis.connection import connect
from edworkers.core.lifecycle import State
from edworkers.ports.browse import Wanted
from edworkers.standins import redis as redis_standin

QUEUE = "ai"
BATCH = 5000
STEP = 2000
NOW = 1_800_000_000_000
LATER = 4_000_000_000_000


def payload(number: int) -> bytes:
    """Make a job of some 300 bytes, as a school's question is."""
    prompt = f"Question {number}: why is the sky blue, and what would it be without air? " + "Please explain. " * 5
    data = {"conversationId": f"c{number}", "userId": f"u{number % 9973}", "prompt": prompt}
    return json.dumps(
        {"id": f"job-{number:07}", "type": "chat", "group": f"school-{number % 97}", "data": data}
    ).encode()


def key(name: str) -> str:
    return f"edworkers:{{{QUEUE}}}:{name}"


async def fill(client: Any, jobs: int, ended: int) -> None:
    """Fill the queue as producers and runners leave it."""
    for first in range(0, jobs, BATCH):
        await client.lpush(key("pending"), *(payload(number) for number in range(first, min(first + BATCH, jobs))))
    for first in range(0, ended, BATCH):
        numbers = range(first, min(first + BATCH, ended))
        await end(client, "dead", "dead", numbers, payload)
        await end(client, "done", "finished", numbers, None)
        await delay(client, numbers)
    failures = {
        f"{cause:016x}": f'{100 + cause} 1 {NOW} {{"kind":"timeout","message":"{cause}"}}' for cause in range(1000)
    }
    await client.hset(key("failures"), mapping=failures)
    await hold(client, 1000)


async def end(client: Any, state: str, index: str, numbers: range, body: Callable[[int], bytes] | None) -> None:
    async with client.pipeline(transaction=False) as pipe:
        for number in numbers:
            job_id, at = f"{state}-{number:07}", NOW + number
            fields = {"state": state, "type": "chat", "attempts": 5, "startedAt": at - 900, "queuedAt": at - 1000}
            fields |= {"finishedAt": at, "seconds": "0.9", "bytes": 900, "origin": f"pod.{number:x}.1"}
            if body is not None:
                error = {"kind": "timeout", "message": f"no answer within {number % 60} s", "traceback": "line\n" * 100}
                fields |= {"payload": body(number), "error": json.dumps(error), "fingerprint": f"{number % 1000:016x}"}
            else:
                fields |= {"result": json.dumps({"text": "an answer " * 30})}
            pipe.hset(key(f"job:{job_id}"), mapping=fields)
            pipe.zadd(key(index), {f"900:{job_id}": at})
        await pipe.execute()


async def delay(client: Any, numbers: range) -> None:
    entries = {f"late-{n:07}": b"\x1e0 1 %d pod.%x.1\n" % (LATER, n) + payload(n) for n in numbers}
    await client.hset(key("entries"), mapping=entries)
    await client.zadd(key("delayed"), {job_id: LATER + number for number, job_id in enumerate(entries)})


async def hold(client: Any, count: int) -> None:
    receipts = {f"pod.{number // 20:x}.{number % 20}": payload(number) for number in range(count)}
    await client.hset(key("inflight"), mapping=receipts)
    await client.zadd(key("lease"), dict.fromkeys(receipts, LATER))


class Stopwatch:
    """Times calls, and what processor they take here and of Redis."""

    def __init__(self, client: Any, rounds: int) -> None:
        self._client = client
        self._rounds = rounds

    async def time(self, name: str, call: Callable[[], Awaitable[Any]]) -> None:
        await call()
        took: list[float] = []
        cpu, redis_cpu = time.process_time(), await self._redis_cpu()
        for _ in range(self._rounds):
            began = time.perf_counter()
            await call()
            took.append((time.perf_counter() - began) * 1000)
        cpu = (time.process_time() - cpu) * 1000 / self._rounds
        redis_cpu = (await self._redis_cpu() - redis_cpu) * 1000 / self._rounds
        cuts = statistics.quantiles(took, n=100, method="inclusive")
        print(f"{name:46} {cuts[49]:8.1f} {cuts[98]:8.1f} {cpu:8.1f} {redis_cpu:8.1f}")

    async def _redis_cpu(self) -> float:
        used = await self._client.info("cpu")
        return float(used["used_cpu_user"] + used["used_cpu_sys"])


async def at_half(browser: RedisBrowser, state: State, steps: int) -> str | None:
    """Go far down a list by a search that finds nothing."""
    cursor: str | None = None
    for _ in range(steps):
        cursor = (await browser.search(state, Wanted(text="nowhere"), cursor, 50_000)).next
        if cursor is None:
            break
    return cursor


def paging(browser: RedisBrowser, state: State) -> Callable[[], Awaitable[Any]]:
    return lambda: browser.page(state, None, 100)


def searching(browser: RedisBrowser, state: State, wanted: Wanted) -> Callable[[], Awaitable[Any]]:
    return lambda: browser.search(state, wanted, None, STEP)


def telling(browser: RedisBrowser, job_id: str) -> Callable[[], Awaitable[Any]]:
    return lambda: browser.detail(job_id)


async def measure(client: Any, watch: Stopwatch, jobs: int) -> None:
    browser = RedisBrowser(client, QUEUE, group_by="userId")
    for state in State:
        await watch.time(f"first page of 100 {state}", paging(browser, state))
    half = await at_half(browser, State.PENDING, jobs // 100_000)
    await watch.time("page of 100 pending in the middle", lambda: browser.page(State.PENDING, half, 100))
    await client.rpop(key("pending"), 4000)
    await watch.time("the same after 4,000 claims", lambda: browser.page(State.PENDING, half, 100))
    await client.rpop(key("pending"), 6000)
    await watch.time("the same after 10,000 claims", lambda: browser.page(State.PENDING, half, 100))
    for name in ("job-0010005", f"job-{jobs // 2:07}", f"job-{jobs - 5:07}", "dead-0000500", "done-0000500"):
        await watch.time(f"detail of {name}", telling(browser, name))
    await watch.time("detail of late-0000500", lambda: browser.detail("late-0000500"))
    await watch.time("failures, 1,000 of them", lambda: browser.failures(100))
    for state in State:
        for what, wanted in WANTED.items():
            await watch.time(f"search of {STEP} {state}, {what}", searching(browser, state, wanted))
    text = WANTED["text"]
    await watch.time(f"search of {STEP} in the middle", lambda: browser.search(State.PENDING, text, half, STEP))


WANTED = {
    "text": Wanted(text="question 777"),
    "text not in ASCII": Wanted(text="hélas"),
    "type and group": Wanted(type="chat", group="school-7"),
    "everything": Wanted(),
}


async def main() -> None:
    reading = argparse.ArgumentParser(description=__doc__)
    reading.add_argument("--jobs", type=int, default=1_000_000)
    reading.add_argument("--ended", type=int, default=100_000)
    reading.add_argument("--rounds", type=int, default=50)
    given = reading.parse_args()
    async with redis_standin.serve() as server:
        client: Any = connect(server.url)
        began = time.perf_counter()
        await fill(client, given.jobs, given.ended)
        print(f"filled in {time.perf_counter() - began:.0f} s: {given.jobs:,} pending, {given.ended:,} in other states")
        print(f"{'milliseconds':46} {'p50':>8} {'p99':>8} {'CPU':>8} {'Redis':>8}")
        await measure(client, Stopwatch(client, given.rounds), given.jobs)
        await client.aclose()


if __name__ == "__main__":
    asyncio.run(main())
