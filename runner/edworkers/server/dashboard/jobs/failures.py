"""Failures: dead jobs grouped by cause, over all queues, the ones with the most jobs first."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.routing import Route

from edworkers.ports.browse import FailureGroup
from edworkers.server.dashboard.jobs.addresses import search_path
from edworkers.server.dashboard.jobs.trend import Trend, read_trends
from edworkers.server.dashboard.site import Context, Site
from edworkers.server.platform import ServedQueue

_GROUPS = 100
_HOUR_MS = 3_600_000
_TREND_SECONDS = 10.0
"""The hours of deaths are counted so often at most, for all who look."""
SORTS = {"count": "most jobs", "last": "latest", "first": "newest cause"}


@dataclass(frozen=True, slots=True)
class Failure:
    """One cause, in one queue."""

    queue: str
    group: FailureGroup
    href: str
    """Where its jobs are listed."""
    trend: str
    """`new`, `going on` or `over`."""
    hours: Trend | None
    """When its jobs died; None where none of them is among the latest dead jobs."""


def failures_routes(site: Site) -> list[Route]:
    """Give the page's route."""

    async def build(request: Request) -> Context:
        queues = site.queues(await site.viewer(request))
        asked = request.query_params
        queue = asked.get("queue") if asked.get("queue") in queues else None
        chosen = {queue: queues[queue]} if queue else queues
        sort = asked.get("sort") if asked.get("sort") in SORTS else "count"
        now = site.platform.clock.now()
        found = await asyncio.gather(*(_of_queue(site, name, served, now) for name, served in chosen.items()))
        rows = _sorted([failure for failures in found for failure in failures], sort or "count")
        return {
            "failures": rows[:_GROUPS],
            "jobs": sum(row.group.count for row in rows),
            "queue": queue,
            "sort": sort,
            "sorts": SORTS,
            "ungrouped": await _ungrouped(chosen, rows),
        }

    return [site.live_page("/failures", "jobs/failures.html", build)]


async def _of_queue(site: Site, queue: str, served: ServedQueue, now: int) -> list[Failure]:
    groups = await served.browser.failures(_GROUPS)
    if not groups:
        return []
    trends = await site.views.fresh(f"trend {queue}", None, _TREND_SECONDS, lambda: read_trends(served, now))
    return [_failure(queue, group, now, trends.get(group.fingerprint)) for group in groups]


def _failure(queue: str, group: FailureGroup, now: int, hours: Trend | None) -> Failure:
    href = search_path(queue=queue, state="dead", fingerprint=group.fingerprint)
    return Failure(queue, group, href, trend_of(group, now), hours)


def trend_of(group: FailureGroup, now: int) -> str:
    """Say whether a cause is new within the hour, goes on, or has brought nothing about for an hour."""
    if now - group.last_at > _HOUR_MS:
        return "over"
    return "new" if now - group.first_at <= _HOUR_MS else "going on"


def _sorted(failures: Sequence[Failure], sort: str) -> list[Failure]:
    if sort == "last":
        return sorted(failures, key=lambda row: -row.group.last_at)
    if sort == "first":
        return sorted(failures, key=lambda row: -row.group.first_at)
    return sorted(failures, key=lambda row: (-row.group.count, -row.group.last_at))


async def _ungrouped(queues: dict[str, ServedQueue], rows: Sequence[Failure]) -> list[tuple[str, int, str]]:
    """Count dead jobs that are in no group: those that were buried before causes were kept."""
    depths = await asyncio.gather(*(served.control.depths() for served in queues.values()))
    counted = {name: sum(row.group.count for row in rows if row.queue == name) for name in queues}
    left = [(name, depth.dead - counted[name]) for name, depth in zip(queues, depths, strict=True)]
    return [(name, count, search_path(queue=name, state="dead")) for name, count in left if count > 0]
