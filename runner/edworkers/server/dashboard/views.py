"""How queues stand, read for pages: once for all who look at the same time, each part as often as it changes."""

import asyncio
import itertools
import statistics
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from edworkers.core.errors import QueueUnavailableError
from edworkers.core.lifecycle import State
from edworkers.core.settings import PoolSpec
from edworkers.ports import Depths, Usage
from edworkers.ports.books import Sample
from edworkers.server.platform import Platform, PoolView, ServedQueue

Read = TypeVar("Read")

HOUR_MS = 3_600_000
RECENT_MS = 300_000
"""Of how long figures called recent are: throughput, failures, latency."""
STEP_MS = 10_000
FRESH_SECONDS = 0.9
"""What was read of a queue is shown to others for so long."""
_CLUSTER_SECONDS = 5.0
_MOST_DEATHS = 100


class Deaths(NamedTuple):
    """The jobs that died in the last hour."""

    jobs: int
    is_more: bool
    """Whether there are more than were counted."""
    message: str = ""
    """The error of most of them."""
    same: int = 0
    """How many have it."""
    fingerprint: str | None = None


NO_DEATHS = Deaths(0, is_more=False)


@dataclass(frozen=True, slots=True)
class QueueView:
    """One queue as pages show it."""

    name: str
    spec: PoolSpec
    depths: Depths | None = None
    """None where it can't be read."""
    fault: str | None = None
    """Why it can't be."""
    usage: Sequence[Usage] = ()
    samples: Sequence[Sample] = ()
    """Of the last hour."""
    deaths: Deaths = NO_DEATHS
    pools: Sequence[PoolView] = ()

    @property
    def slots(self) -> int | None:
        """How many jobs can run at once now; None where no runner is up."""
        if self.depths is None or not self.depths.runners:
            return None
        slots = self.depths.runners * self.spec.concurrency
        return slots if self.spec.max_inflight is None else min(slots, self.spec.max_inflight)

    def recent(self, now: int) -> "Recent":
        """Sum up the last five minutes; `now` is in Unix ms."""
        return sum_up([sample for sample in self.samples if sample.at > now - RECENT_MS])


class Recent(NamedTuple):
    """What a few samples come to."""

    done_a_minute: float | None
    failed_a_minute: float | None
    failing: float | None
    """Which part of the attempts that ended failed; None where none ended."""
    latency_ms: float | None
    slow_ms: float | None
    ended: int


def sum_up(samples: Sequence[Sample]) -> Recent:
    """Sum up samples that follow one another, the oldest first."""
    if not samples:
        return Recent(None, None, None, None, None, 0)
    minutes = len(samples) * usual_step(samples) / 60_000
    done, failed = sum(sample.done for sample in samples), sum(sample.failed for sample in samples)
    return Recent(
        done / minutes,
        failed / minutes,
        failed / (done + failed) if done + failed else None,
        _median([sample.latency_ms for sample in samples]),
        _median([sample.slow_ms for sample in samples]),
        done + failed,
    )


def usual_step(samples: Sequence[Sample]) -> int:
    """Tell how many milliseconds lie between two samples, but for gaps."""
    steps = [after.at - before.at for before, after in itertools.pairwise(samples)]
    return max(statistics.median_low(steps), 1) if steps else STEP_MS


def _median(values: Sequence[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


class Views:
    """Reads queues for all pages of this process."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._kept: dict[str, tuple[Any, float, asyncio.Task[Any]]] = {}

    async def all(self, queues: Mapping[str, ServedQueue]) -> list[QueueView]:
        """Read these queues at once. Raises QueueUnavailableError where none of them can be read."""
        seen = await asyncio.gather(*(self.one(name, served) for name, served in queues.items()))
        if seen and all(view.fault is not None for view in seen):
            raise QueueUnavailableError(seen[0].fault)
        return seen

    async def one(self, name: str, served: ServedQueue) -> QueueView:
        """Read one queue; where it can't be, the view says why."""
        try:
            return await self.fresh(f"view {name}", None, FRESH_SECONDS, lambda: self._read(name, served))
        except QueueUnavailableError as error:
            return QueueView(name, served.spec, fault=self._platform.explain(error))

    async def series(self, name: str, milliseconds: int) -> Sequence[Sample]:
        """Give the samples of so long until now. Raises QueueUnavailableError."""
        until = self._platform.clock.now() // STEP_MS * STEP_MS

        async def read() -> Sequence[Sample]:
            return await self._platform.books.series(name, until - milliseconds, until)

        return await self.fresh(f"series {name} {milliseconds}", until, 3.0, read)

    async def _read(self, name: str, served: ServedQueue) -> QueueView:
        depths, usage, samples = await asyncio.gather(
            served.control.depths(), served.usage(), self.series(name, HOUR_MS)
        )
        deaths, pools = await asyncio.gather(self._deaths(name, served, depths), self.pools())
        mine = [pool for pool in pools if pool.queue == name]
        return QueueView(name, served.spec, depths, None, usage, samples, deaths, mine)

    async def _deaths(self, name: str, served: ServedQueue, depths: Depths) -> Deaths:
        if not depths.dead:
            return NO_DEATHS
        now = self._platform.clock.now()
        mark = (depths.dead, depths.totals.get("bury", 0), now // 60_000)
        return await self.fresh(f"deaths {name}", mark, 60.0, lambda: _read_deaths(served, now - HOUR_MS))

    async def pools(self) -> Sequence[PoolView]:
        """Give what the cluster says of its pools; empty outside of one."""
        cluster = self._platform.cluster
        return [] if cluster is None else await self.fresh("pools", None, _CLUSTER_SECONDS, cluster.pools)

    async def fresh(self, name: str, mark: Any, seconds: float, read: Callable[[], Awaitable[Read]]) -> Read:
        """Give what was read a moment ago, or is being read for another, unless its mark has changed since."""
        now = self._platform.clock.monotonic()
        kept = self._kept.get(name)
        if kept is None or kept[0] != mark or now - kept[1] >= seconds or _has_failed(kept[2]):
            task = asyncio.ensure_future(_as_task(read))
            task.add_done_callback(_has_failed)  # its error is known then, even if nobody waits for it any more
            kept = self._kept[name] = (mark, now, task)
        found: Read = await asyncio.shield(kept[2])  # who goes away mustn't take it from the others
        return found


async def _as_task(read: Callable[[], Awaitable[Read]]) -> Read:
    return await read()


def _has_failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


async def _read_deaths(served: ServedQueue, since: int) -> Deaths:
    page = await served.browser.page(State.DEAD, None, _MOST_DEATHS)
    died = [job for job in page.jobs if (job.at or 0) >= since]
    if not died:
        return NO_DEATHS
    causes = Counter((job.fingerprint, job.error_message or job.error_kind or "") for job in died)
    (fingerprint, message), same = causes.most_common(1)[0]
    is_more = len(died) == len(page.jobs) and page.next is not None
    return Deaths(len(died), is_more, message, same, fingerprint)
