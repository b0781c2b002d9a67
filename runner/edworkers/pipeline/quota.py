"""How many jobs a runner may claim: what the limiter grants, and when to ask again."""

import asyncio
from collections.abc import Callable

from edworkers.ports import Grant, JobQueue, Limiter
from edworkers.telemetry import log

LONG_MS = 60_000
NOTHING = Grant("", 0, 0)
_LONGEST_WAIT_SECONDS = 30.0
_SECOND_LOOK_SECONDS = 0.25


class Quota:
    """Stands between a runner's free slots and its claims; without a limiter it allows everything."""

    def __init__(self, limiter: Limiter | None, queue: JobQueue, on_open: Callable[[], None]) -> None:
        self._limiter = limiter
        self._queue = queue
        self._on_open = on_open
        self._timer: asyncio.TimerHandle | None = None
        self._refusals = 0
        self._told = ""
        self.has_answered = False
        """Whether the limiter, which is where the queue is, has ever answered."""

    @property
    def is_used_up(self) -> bool:
        """Whether there is no sense in asking now."""
        return self._timer is not None

    async def allow(self, room: int) -> Grant:
        """Reserve for up to `room` jobs."""
        if self._limiter is None:
            return Grant("", room, 0)
        grant = await self._limiter.reserve(room)
        self.has_answered = True
        if grant.granted:
            self._refusals, self._told = 0, ""
            return grant
        self._refusals += 1
        # What another call or runner has reserved it may be about to give back: only a second refusal is believed.
        longest = _SECOND_LOOK_SECONDS if self._refusals == 1 else _LONGEST_WAIT_SECONDS
        self.close_for(min(max(grant.retry_ms, 1) / 1000, longest))
        if self._refusals > 1 and self._told != grant.window:
            self._told = grant.window
            await self._tell(grant)
        return grant

    async def refused(self, grant: Grant, wait_ms: int) -> None:
        """Note that another limit of the queue has no room for a job that was claimed."""
        self.close_for(wait_ms / 1000)
        if self._told != grant.window:
            self._told = grant.window
            await self._tell(grant)

    async def _tell(self, grant: Grant) -> None:
        """Say that a limit is reached; where it is for long, also to the autoscaler, until the window opens."""
        log.info("limit.reached", window=grant.window, opens_in_seconds=round(grant.retry_ms / 1000, 1))
        if grant.retry_ms > LONG_MS:
            await self._queue.throttle(grant.retry_ms, grant.window)

    async def used(self, grant: Grant, count: int) -> None:
        """Give back what was reserved and not used for a job that is run."""
        if self._limiter is not None:
            await self._limiter.refund(grant.reservation, grant.granted - count)

    def close_for(self, seconds: float) -> None:
        """Ask for nothing for so long, or until opened."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.open)

    def open(self) -> None:
        """Ask again now."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._on_open()
