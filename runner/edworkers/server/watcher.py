"""Follows jobs for all who wait for them: one look at each queue, several times a second, whatever their number."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass, field

from edworkers.core.errors import QueueUnavailableError
from edworkers.ports.watch import Glimpse
from edworkers.server.platform import Platform, ServedQueue
from edworkers.server.time_limit import time_limit
from edworkers.telemetry import log

LOOK_SECONDS = 0.25
_NOTHING_NEW = f"{2**63}-0"
"""The place of a piece of text after which there is none."""


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


@dataclass(slots=True, eq=False)
class _Opening:
    """A look for all who begin to follow jobs of one queue at about the same time."""

    jobs: dict[str, str] = field(default_factory=dict)
    look: asyncio.Task[Mapping[str, Glimpse]] | None = None


class Watcher:
    """One process' watch over all queues."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._followers: dict[str, set[Follower]] = {}
        self._news = asyncio.Event()
        self._openings: dict[str, _Opening] = {}
        self._turns: dict[str, asyncio.Lock] = {}

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

    async def knows(self, queue: str, job_id: str) -> bool:
        """Whether there is a record of a job; all who ask while a look is under way share the next one.

        It may say no of a job that moves in this moment. Raises QueueUnavailableError.
        """
        opening = self._openings.get(queue)
        if opening is None:
            opening = self._openings[queue] = _Opening()
            # In a context of its own: the time that whoever asks first has left isn't that of the others.
            opening.look = asyncio.create_task(self._open(queue, opening), context=Context())
            opening.look.add_done_callback(_heard)
        opening.jobs[job_id] = _NOTHING_NEW
        assert opening.look is not None  # noqa: S101 - made above, or by who came first
        try:
            async with time_limit(self._platform.answer_seconds):
                return job_id in await asyncio.shield(opening.look)
        except TimeoutError as error:
            raise QueueUnavailableError("Redis can't be used: it doesn't answer in time") from error

    async def _open(self, queue: str, opening: _Opening) -> Mapping[str, Glimpse]:
        async with self._turns.setdefault(queue, asyncio.Lock()):
            del self._openings[queue]
            served = self._platform.queues().get(queue)
            return {} if served is None else await look_at(served, opening.jobs)

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


def _heard(look: asyncio.Task[Mapping[str, Glimpse]]) -> None:
    """Take note of how a look ended: all who asked for it may have gone."""
    if not look.cancelled():
        look.exception()


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
