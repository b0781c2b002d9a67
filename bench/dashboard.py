"""How long a page of the dashboard takes with a million jobs.

    .venv/bin/python bench/dashboard.py [--jobs 1000000] [--ended 100000] [--rounds 30]

Fills a Redis of its own, and asks the app in this process: what is printed is the whole of an answer but the network. A
page that was shown a moment ago takes less, for what was read for it is shown to others, too: each round waits until it
is read anew.
"""

import argparse
import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import httpx2
import structlog
from browse import QUEUE, Stopwatch, fill

from edworkers import compose
from edworkers.adapters.redis.books import RedisBooks
from edworkers.adapters.redis.browse import RedisBrowser
from edworkers.handlers import registry
from edworkers.ports.books import Sample
from edworkers.server.app import create_app
from edworkers.server.platform import Platform, ServedQueue
from edworkers.server.settings import ServerSettings
from edworkers.standins import redis as redis_standin

PATHS = (
    "/",
    f"/queues/{QUEUE}",
    *(f"/queues/{QUEUE}?state={state}" for state in ("inflight", "delayed", "dead", "done")),
    f"/queues/{QUEUE}?range=7d",
    f"/queues/{QUEUE}/jobs/dead-0000500",
    "/failures",
    "/search?text=student-7",
    f"/search?queue={QUEUE}&state=dead",
    "/activity",
)
HOUR_MS = 3_600_000


class Paced:
    """Asks for a page, and begins only when what was read for the one before is too old to be shown."""

    def __init__(self, app: Any, clock: "Clock") -> None:
        self._client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1")
        self._clock = clock

    def page(self, path: str) -> Callable[[], Any]:
        async def ask() -> None:
            self._clock.ahead += 61
            answer = await self._client.get(path, headers={"Accept": "text/html"})
            answer.raise_for_status()

        return ask

    async def close(self) -> None:
        await self._client.aclose()


class Clock(compose.SystemClock):
    """This machine's clock, whose steady one can be moved on."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


async def sample(books: RedisBooks, now: int) -> None:
    """Write an hour of samples."""
    for at in range(now - HOUR_MS, now, 10_000):
        wave = at // 10_000 % 90
        await books.add_sample(QUEUE, Sample(at, 900 + wave, 9, 40, 100, wave, wave % 3, wave, 300, 900 + wave, 800, 3))


async def main() -> None:
    reading = argparse.ArgumentParser(description=__doc__)
    reading.add_argument("--jobs", type=int, default=1_000_000)
    reading.add_argument("--ended", type=int, default=100_000)
    reading.add_argument("--rounds", type=int, default=30)
    given = reading.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    spec, clock = registry.pool_for_queue(QUEUE), Clock()
    async with redis_standin.serve() as server, compose.open_queues([spec], {"REDIS_URL": server.url}) as [opened]:
        client = opened.control._client  # noqa: SLF001 - the one that is there
        await fill(client, given.jobs, given.ended)
        books = RedisBooks(client)
        await sample(books, clock.now())
        served = ServedQueue(spec, opened.control, RedisBrowser(client, QUEUE, "userId"), opened.usage)
        platform = Platform(lambda: {QUEUE: served}, books, clock, compose.new_name)
        paced = Paced(create_app(platform, ServerSettings(auth="none"), background=False), clock)
        print(json.dumps({"pending": given.jobs, "ended": given.ended}))
        print(f"{'milliseconds':46} {'p50':>8} {'p99':>8} {'CPU':>8} {'Redis':>8}")
        watch = Stopwatch(client, given.rounds)
        for path in PATHS:
            await watch.time(path, paced.page(path))
        await paced.close()


if __name__ == "__main__":
    asyncio.run(main())
