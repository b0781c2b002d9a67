"""One queue: its figures over time, limits, settings, pods, and its jobs by state."""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from edworkers.core.lifecycle import State
from edworkers.ports import Depths
from edworkers.ports.books import Deed, Sample
from edworkers.ports.browse import JobPage
from edworkers.server.access.identity import Scope
from edworkers.server.dashboard import wording
from edworkers.server.dashboard.attention import standing
from edworkers.server.dashboard.charts import NARROW, Chart, Line, draw
from edworkers.server.dashboard.overview import per_minute, series
from edworkers.server.dashboard.pool_words import settings_in_words
from edworkers.server.dashboard.site import Context, Site
from edworkers.server.dashboard.views import HOUR_MS, STEP_MS
from edworkers.server.problems import Problem

RANGES = {"1h": ("1 hour", HOUR_MS), "6h": ("6 hours", 6 * HOUR_MS), "24h": ("24 hours", 24 * HOUR_MS)} | {
    "7d": ("7 days", 7 * 24 * HOUR_MS)
}
PAGE_JOBS = 50
_TABS = (State.PENDING, State.INFLIGHT, State.DELAYED, State.DEAD, State.DONE, State.CANCELLED)
_WORDS = {State.PENDING: "Waiting", State.INFLIGHT: "Running"}
_BULK = {State.PENDING: ("cancel",), State.DELAYED: ("cancel",), State.DEAD: ("replay", "drop")}


class Empty(NamedTuple):
    """What it means that there are no jobs in a state."""

    title: str
    words: str


_EMPTY = {
    State.PENDING: Empty("No job waits", "Runners take jobs as fast as they come. A new one is shown here at once."),
    State.INFLIGHT: Empty("No job runs", "Jobs that a runner works on are shown here, with their progress."),
    State.DELAYED: Empty(
        "No job is delayed", "Jobs that were put off are shown here: for a retry, or until they are due."
    ),
    State.DEAD: Empty(
        "No job is dead", "A job that fails for good is kept here with its error, to be replayed or deleted."
    ),
    State.DONE: Empty("No record of a job that is done", "Records are kept as long as the pool's retention says."),
    State.CANCELLED: Empty(
        "No job was cancelled", "Jobs that somebody cancelled are shown here as long as records are kept."
    ),
}


def queue_routes(site: Site) -> list[BaseRoute]:
    """Give the routes of a queue's page and of what can be done there to the whole queue."""

    async def build(request: Request) -> Context:
        return await _collect(site, request)

    async def pause(request: Request) -> Response:
        return await _set_paused(site, request, paused=True)

    async def resume(request: Request) -> Response:
        return await _set_paused(site, request, paused=False)

    return [
        site.live_page("/queues/{queue}", "queue.html", build),
        site.action("/queues/{queue}/pause", pause),
        site.action("/queues/{queue}/resume", resume),
    ]


async def _collect(site: Site, request: Request) -> Context:
    served, now = await site.queue(request), site.platform.clock.now()
    name, state, span = served.spec.queue, _state(request), _range(request)
    view = await site.views.one(name, served)
    page = await _page(site, request, state)
    samples = await site.views.series(name, RANGES[span][1])
    return {
        "queue": name,
        "view": view,
        "standing": standing(view, now),
        "recent": view.recent(now),
        "state": state.value,
        "tabs": _tabs(name, state, span, view.depths, page),
        "page": page,
        "bulk": _BULK.get(state, ()),
        "empty": _EMPTY[state],
        "is_first": not request.query_params.get("cursor"),
        "first_href": _address(name, state=state.value, range=span),
        "next_href": _address(name, state=state.value, range=span, cursor=page.next) if page.next else None,
        "ranges": [(_address(name, state=state.value, range=key), RANGES[key][0], key == span) for key in RANGES],
        "charts": _charts(samples, now // STEP_MS * STEP_MS, RANGES[span][1]),
        "settings": settings_in_words(served.spec),
    }


async def _page(site: Site, request: Request, state: State) -> JobPage:
    served = await site.queue(request)
    try:
        return await served.browser.page(state, request.query_params.get("cursor") or None, PAGE_JOBS)
    except ValueError as error:
        detail = "this part of the list isn't known: begin again at its first page"
        raise Problem(404, "not-found", detail) from error


def _state(request: Request) -> State:
    said = request.query_params.get("state") or State.PENDING.value
    try:
        return State(said)
    except ValueError as error:
        known = ", ".join(state.value for state in State)
        raise Problem(404, "not-found", f"there is no state {said!r}; there are: {known}") from error


def _range(request: Request) -> str:
    said = request.query_params.get("range", "1h")
    return said if said in RANGES else "1h"


def _address(queue: str, **asked: str | None) -> str:
    defaults = {"state": State.PENDING.value, "range": "1h"}
    given = {name: value for name, value in asked.items() if value and defaults.get(name) != value}
    return f"/queues/{queue}" + (f"?{urlencode(given)}" if given else "")


def _tabs(
    name: str, state: State, span: str, depths: Depths | None, page: JobPage
) -> list[tuple[str, str, int | None, bool]]:
    counts: dict[State, int | None] = {}
    if depths is not None:
        counts = {State.PENDING: depths.pending, State.INFLIGHT: depths.inflight, State.DELAYED: depths.delayed}
        counts[State.DEAD] = depths.dead
    counts.setdefault(state, page.total)
    return [
        (
            _address(name, state=tab.value, range=span),
            _WORDS.get(tab, tab.value.capitalize()),
            counts.get(tab),
            tab is state,
        )
        for tab in _TABS
    ]


def _charts(samples: Sequence[Sample], until: int, milliseconds: int) -> list[Chart]:
    since = until - milliseconds
    throughput = [
        Line("done", per_minute(samples, "done"), "c", is_filled=True),
        Line("failed attempts", per_minute(samples, "failed"), "b"),
    ]
    depths = [
        Line("waiting", series(samples, "pending"), "f", is_filled=True),
        Line("running", series(samples, "inflight"), "a"),
        Line("delayed", series(samples, "delayed"), "d"),
        Line("dead", series(samples, "dead"), "b"),
    ]
    latency = [Line("p50", series(samples, "latency_ms"), "a"), Line("p95", series(samples, "slow_ms"), "e")]
    return [
        draw("Jobs a minute", throughput, since, until, write=wording.rate, width=NARROW),
        draw("Jobs by state", depths, since, until, width=NARROW),
        draw(
            "Wait for a runner",
            latency,
            since,
            until,
            write=wording.length_ms,
            nothing="No figures: jobs tell how long they waited where their producer gave a time, or this server.",
            least_top=100,
            width=NARROW,
        ),
    ]


async def _set_paused(site: Site, request: Request, *, paused: bool) -> Response:
    served, viewer = await site.queue(request), await site.viewer(request, Scope.OPERATE)
    name, verb = served.spec.queue, "pause" if paused else "resume"
    changed = await served.control.pause(paused=paused)
    if changed:
        deed = Deed(site.platform.clock.now(), viewer.name, verb, name, f"the queue {name}")
        await site.platform.books.note(deed)
    done = f"{verb}d {name}" if changed else f"{name} was {verb}d already"
    return site.back(f"/queues/{name}", done[:1].upper() + done[1:] if changed else done)
