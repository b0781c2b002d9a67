"""Takes how queues stand every ten seconds, so that there are figures over time without any other system."""

import asyncio
from collections.abc import Sequence

from edworkers.core.errors import QueueUnavailableError
from edworkers.core.lifecycle import State
from edworkers.core.queue_age import left_the_list
from edworkers.ports import Depths
from edworkers.ports.books import Sample
from edworkers.ports.browse import JobSummary
from edworkers.server.platform import Platform, ServedQueue
from edworkers.telemetry import log

STEP_MS = 10_000
_FAILURES = ("retry", "bury")
_MOST_ENDED = 100
"""Of how many jobs that ended the latency is taken, of each sample."""


class Sampler:
    """Samples every queue of a platform; of several servers each does, and the last one's figures count."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._before: dict[str, tuple[int, Depths]] = {}

    async def run(self) -> None:
        """Take samples until cancelled; while Redis is away there are none, which charts show as a gap."""
        is_away = False
        while True:
            now = self._platform.clock.now()
            await asyncio.sleep((STEP_MS - now % STEP_MS) / 1000)
            away = await self.take_all()
            if away and not is_away:
                log.warning("sampler.away", queues=away)
            is_away = bool(away)

    async def take_all(self) -> list[str]:
        """Take a sample of each queue; returns the names of those that couldn't be read."""
        queues = self._platform.queues()
        self._before = {name: seen for name, seen in self._before.items() if name in queues}
        away: list[str] = []
        for name, served in queues.items():
            try:
                await self._take(name, served)
            except QueueUnavailableError:
                away.append(name)
        return away

    async def _take(self, name: str, served: ServedQueue) -> None:
        depths, now = await served.control.depths(), self._platform.clock.now()
        seen = self._before.get(name)
        since, before = seen if seen is not None else (now - STEP_MS, depths)
        has_ended = seen is None or depths.totals.get("ack", 0) > before.totals.get("ack", 0)
        ended = await _ended(served, since) if has_ended else []
        await self._platform.books.add_sample(name, sample(now, before, depths, ended))
        self._before[name] = (now, depths)


async def _ended(served: ServedQueue, since: int) -> list[JobSummary]:
    page = await served.browser.page(State.DONE, None, _MOST_ENDED)
    return [job for job in page.jobs if job.at is not None and job.at > since]


def sample(now: int, before: Depths, depths: Depths, ended: Sequence[JobSummary]) -> Sample:
    """Make a sample of a queue's counts now and at the sample before, and of jobs that were done between."""
    waited = sorted(job.waited_ms for job in ended if job.waited_ms is not None)
    ran = sorted(round(job.seconds * 1000) for job in ended if job.seconds is not None)
    return Sample(
        at=now // STEP_MS * STEP_MS,
        pending=depths.pending,
        inflight=depths.inflight,
        delayed=depths.delayed,
        dead=depths.dead,
        done=_more(before, depths, "ack"),
        failed=sum(_more(before, depths, verb) for verb in _FAILURES),
        arrived=max(_left(depths) - _left(before), 0),
        latency_ms=_quantile(waited, 0.5),
        slow_ms=_quantile(waited, 0.95),
        ran_ms=_quantile(ran, 0.5),
        runners=depths.runners,
    )


def _more(before: Depths, depths: Depths, verb: str) -> int:
    return max(depths.totals.get(verb, 0) - before.totals.get(verb, 0), 0)  # or somebody emptied the counters


def _left(depths: Depths) -> int:
    return left_the_list(depths.inflight, depths.totals)


def _quantile(ordered: Sequence[int], part: float) -> int | None:
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] if ordered else None
