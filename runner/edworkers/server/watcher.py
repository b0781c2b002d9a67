"""Follows jobs for all who wait for them: one look at each queue, several times a second, whatever their number."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from edworkers.core.errors import QueueUnavailableError
from edworkers.ports.watch import Glimpse
from edworkers.server.platform import Platform, ServedQueue
from edworkers.telemetry import log

LOOK_SECONDS = 0.25


@dataclass(slots=True, eq=False)
class Follower:
    """Somebody who follows one job."""

    job_id: str
    last: str = ""
    """The place of the last piece of text that they know."""
    seen: asyncio.Queue[Glimpse] = field(default_factory=lambda: asyncio.Queue(64))

    def tell(self, glimpse: Glimpse) -> None:
        """Hand on what was seen; who is slow to take it misses states between, and no piece of text."""
        if self.seen.full():
            return
        new = [piece for piece in glimpse.pieces if _order(piece.at) > _order(self.last)]
        if new:
            self.last = new[-1].at
        self.seen.put_nowait(glimpse._replace(pieces=new))


def _order(place: str) -> tuple[int, int]:
    first, _, second = place.partition("-")
    return (int(first), int(second)) if first.isdigit() and second.isdigit() else (-1, -1)


class Watcher:
    """One process' watch over all queues."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._followers: dict[str, set[Follower]] = {}
        self._news = asyncio.Event()

    @property
    def queues(self) -> dict[str, int]:
        """How many follow jobs of each queue."""
        return {queue: len(followers) for queue, followers in self._followers.items()}

    @asynccontextmanager
    async def following(self, queue: str, job_id: str, last: str) -> AsyncGenerator[Follower]:
        """Follow a job in the block."""
        follower = Follower(job_id, last)
        self._followers.setdefault(queue, set()).add(follower)
        self._news.set()
        try:
            yield follower
        finally:
            self._followers[queue].discard(follower)
            if not self._followers[queue]:
                del self._followers[queue]

    async def run(self) -> None:
        """Look until cancelled; nobody asks Redis while nobody follows."""
        while True:
            if not self._followers:
                self._news.clear()
                await self._news.wait()
            await asyncio.gather(*(self._look(queue) for queue in list(self._followers)))
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, queue: str) -> None:
        served = self._platform.queues().get(queue)
        followers = list(self._followers.get(queue, ()))
        if served is None or not followers:
            return
        try:
            seen = await look_at(served, _wanted(followers))
        except QueueUnavailableError as error:
            log.debug("watch.away", queue=queue, reason=str(error))
            return
        for follower in followers:
            glimpse = seen.get(follower.job_id)
            if glimpse is not None:
                follower.tell(glimpse)


def _wanted(followers: list[Follower]) -> dict[str, str]:
    """Give each job with the place from which on somebody needs its text."""
    wanted: dict[str, str] = {}
    for follower in followers:
        known = wanted.setdefault(follower.job_id, follower.last)
        wanted[follower.job_id] = min(known, follower.last, key=_order)
    return wanted


async def look_at(served: ServedQueue, jobs: Mapping[str, str]) -> Mapping[str, Glimpse]:
    """Look at jobs, in one step where the queue can. Raises QueueUnavailableError."""
    if served.watch is not None:
        return await served.watch.look(jobs)
    found = {job_id: await served.control.find(job_id) for job_id in jobs}
    return {job_id: Glimpse(record) for job_id, record in found.items() if record is not None}
