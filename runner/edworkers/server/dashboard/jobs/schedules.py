"""Schedules: jobs that the clock begins, when they ran and run next, and one that is run now."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edworkers.core.lifecycle import State
from edworkers.ports.books import Deed
from edworkers.ports.browse import JobSummary
from edworkers.server.dashboard.jobs.addresses import job_path
from edworkers.server.dashboard.masking import Shown
from edworkers.server.dashboard.site import Context, Site
from edworkers.server.enqueue import make_job
from edworkers.server.next_run import in_words, next_run
from edworkers.server.platform import Schedule, ServedQueue
from edworkers.server.problems import Problem
from edworkers.server.schedule_runs import id_of_run, latest_of_each

_LATEST = 100
"""How many jobs of each state are looked at for the last outcome of each schedule."""
_STATES = (State.DONE, State.DEAD, State.CANCELLED, State.INFLIGHT, State.PENDING, State.DELAYED)
_LIVE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Row:
    """One schedule as the page shows it."""

    queue: str
    schedule: Schedule
    words: str
    """Its cron in words."""
    next_at: int | None
    """When (Unix ms) it runs next; None if never, or if that can't be told."""
    fault: str | None
    """What is wrong with its cron or time zone."""
    fired_at: int | None
    """When (Unix ms) the clock began it last; None where no cluster says."""
    last: JobSummary | None
    """The latest job that it began, by the clock or because somebody ran it now, among those looked at."""
    last_href: str | None
    data: Shown
    is_suspended: bool


def schedules_routes(site: Site) -> list[Route]:
    """Give the routes of the page, and of what runs a schedule now."""

    async def build(request: Request) -> Context:
        queues = site.queues(await site.viewer(request))
        rows = await asyncio.gather(*(_rows(site, served) for served in queues.values() if served.schedules))
        found = [row for of_queue in rows for row in of_queue]
        return {
            "rows": sorted(found, key=lambda row: (row.next_at is None, row.next_at or 0)),
            "has_clock": site.platform.cluster is not None,
        }

    async def run(request: Request) -> Response:
        return await _run(site, request)

    return [
        site.live_page("/schedules", "jobs/schedules.html", build, seconds=_LIVE_SECONDS),
        site.action("/queues/{queue}/schedules/{name}/run", run),
    ]


async def _rows(site: Site, served: ServedQueue) -> list[Row]:
    names = {schedule.name for schedule in served.schedules}
    pages = await asyncio.gather(*(served.browser.page(state, None, _LATEST) for state in _STATES))
    latest = latest_of_each((job for page in pages for job in page.jobs), names)
    fired = await _fired(site, served.spec.queue)
    return [
        _row(site, served, schedule, latest.get(schedule.name), fired.get(schedule.name))
        for schedule in served.schedules
    ]


async def _fired(site: Site, queue: str) -> Mapping[str, int]:
    """Ask the cluster when the schedules of a queue's pools fired last."""
    pools = await site.views.pools()
    return {name: at for pool in pools if pool.queue == queue for name, at in pool.fired.items()}


def _row(site: Site, served: ServedQueue, schedule: Schedule, last: JobSummary | None, fired: int | None) -> Row:
    queue, now = served.spec.queue, site.platform.clock.now()
    words, next_at, fault = schedule.cron, None, None
    try:
        words = in_words(schedule.cron)
        next_at = next_run(schedule.cron, schedule.time_zone, now)
    except ValueError as error:
        fault = str(error)
    return Row(
        queue,
        schedule,
        words,
        None if served.spec.suspend else next_at,
        fault,
        fired if fired is not None else schedule.last_at,
        last,
        job_path(queue, last.id) if last is not None and last.id else None,
        site.mask.document(dict(schedule.job)),
        served.spec.suspend,
    )


async def _run(site: Site, request: Request) -> Response:
    viewer = await site.viewer(request)
    served = await site.queue(request)
    queue, name = served.spec.queue, request.path_params["name"]
    schedule = next((each for each in served.schedules if each.name == name), None)
    if schedule is None:
        known = ", ".join(each.name for each in served.schedules) or "none"
        raise Problem(404, "not-found", f"{queue} has no schedule {name!r}; it has: {known}")
    document: dict[str, Any] = {"data": {}, **schedule.job}
    new_id, now = id_of_run(name, site.platform.new_id()), site.platform.clock.now()
    job = make_job(served, to_json(document), document, new_id=new_id, now=now)
    await served.control.enqueue([job])
    await site.platform.books.note(Deed(now, viewer.name, "run", queue, job.job_id, f"schedule {name}"))
    return site.back(job_path(queue, job.job_id), f"{name} was enqueued as {job.job_id}.")
