"""What tests of pages about jobs do beside the browser: work on jobs, skip time, look at what was noted."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, expect
from pydantic_core import to_json
from tests.browser import seed
from tests.browser.conftest import Site, Tab, open_site, open_tab, serve

from edworkers import compose
from edworkers.core.fingerprint import cause, fingerprint
from edworkers.core.job import decode, read_entry
from edworkers.ports import Enqueue, Settlement, Start
from edworkers.ports.books import Deed

expect.set_options(timeout=30_000)
"""What a page is to show is awaited for as long as any machine may take."""


class SkippingClock(compose.SystemClock):
    """The real time, from which a test may skip a part."""

    def __init__(self) -> None:
        self._skipped = 0

    def now(self) -> int:
        return super().now() + self._skipped

    def skip(self, seconds: float) -> None:
        self._skipped += round(seconds * 1000)


@asynccontextmanager
async def busy(redis_url: str) -> AsyncGenerator[Site]:
    """Serve busy queues, with what a server does besides answering."""
    async with open_site(redis_url) as opened:
        await seed.seed(opened.desks)
        opened.clock = SkippingClock()
        async with serve(opened, background=True) as site:
            yield site


@asynccontextmanager
async def look(browser: Browser, redis_url: str, **options: Any) -> AsyncGenerator[Tab]:
    """Open a page of busy queues."""
    async with busy(redis_url) as site, open_tab(browser, site, **options) as tab:
        yield tab


def skip_undo_window(site: Site) -> None:
    """Let the time be over in which an operation can be undone."""
    assert isinstance(site.clock, SkippingClock)
    site.clock.skip(10)


async def begin(site: Site, queue: str, count: int = 100) -> dict[str, Start]:
    """Claim what waits in a queue, and begin it; the answer is by job id."""
    desk = site.desks[queue]
    starts = {}
    for delivery in (await desk.queue.cycle((), (), count)).deliveries:
        entry = read_entry(delivery.raw)
        origin = entry.origin or delivery.receipt
        job_id = decode(entry.payload, origin, 0).id
        starts[job_id] = Start(delivery.receipt, job_id, origin, entry.attempts + 1)
    await desk.queue.cycle((), list(starts.values()), 0)
    return starts


async def settle(site: Site, queue: str, start: Start, verb: str, body: Any, **more: Any) -> None:
    """End an attempt."""
    if verb == "bury":
        more |= {"fingerprint": fingerprint(body), "cause": to_json(cause(body))}
    failed = start.attempt - (verb == "ack")
    ended = Settlement(start.receipt, start.job_id, start.origin, verb, failed, start.attempt, to_json(body), **more)
    cycle = await site.desks[queue].queue.cycle([ended], (), 0)
    assert cycle.lost == ()


async def deeds(site: Site) -> Sequence[Deed]:
    """Tell what was noted, the latest first."""
    found, _ = await site.books.deeds(None, 50)
    return found


async def state_of(site: Site, queue: str, job_id: str) -> str | None:
    """Tell in which state a job is; None where there is no record of it."""
    record = await site.queues[queue].control.find(job_id)
    return None if record is None else str(record.state)


async def bury(site: Site, queue: str, job: seed.Job, error: Mapping[str, Any]) -> None:
    """Have a job dead, whatever waits before it."""
    await site.queues[queue].control.enqueue([Enqueue(job.id, job.payload, urgent=True)])
    starts = await begin(site, queue, 1)
    await settle(site, queue, starts[job.id], "bury", dict(error))


async def refuse(site: Site, queue: str, job: seed.Job, error: Mapping[str, Any]) -> None:
    """Have a job buried before it began, as one whose data doesn't fit."""
    await site.queues[queue].control.enqueue([Enqueue(job.id, job.payload, urgent=True)])
    [delivery] = (await site.desks[queue].queue.cycle((), (), 1)).deliveries
    origin = read_entry(delivery.raw).origin
    ended = Settlement(
        delivery.receipt,
        job.id,
        origin,
        "bury",
        0,
        0,
        to_json(error),
        started=False,
        fingerprint=fingerprint(dict(error)),
        cause=to_json(cause(dict(error))),
    )
    assert (await site.desks[queue].queue.cycle([ended], (), 0)).lost == ()
