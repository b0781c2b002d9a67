"""The search page: one box over all queues, filters, and what was found as it is found."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from edworkers.core.errors import QueueUnavailableError
from edworkers.server.access.identity import Identity
from edworkers.server.choice import ACTIONS
from edworkers.server.dashboard.jobs.addresses import job_path
from edworkers.server.dashboard.jobs.asked import WITHIN, Asked, read_asked
from edworkers.server.dashboard.jobs.bulk import WORDS
from edworkers.server.dashboard.live import Stopping
from edworkers.server.dashboard.site import Site
from edworkers.server.problems import Problem
from edworkers.server.search import ENOUGH, LOOKED_AT_ONCE, STATES, Hit, JobSearch, Step, find_by_id
from edworkers.server.sight import sight_of

_FIRST_SECONDS = 0.05
"""How long the page itself looks, for it is to be there at once; a script goes on from there, or a link."""
_NEXT_SECONDS = 1.0
"""How long it looks when it was asked to go on: then somebody has no script, or has stopped it."""
_LOOKED_AT_ONCE = 250
"""How many jobs the page looks at before it looks at the clock."""
_MOST_STREAMED = 500
_PAUSE_SECONDS = 0.02
"""Between two steps, for those who work with the queues."""


@dataclass(frozen=True, slots=True)
class Row:
    """A job that was found, as it is listed."""

    queue: str
    hit: Hit
    href: str | None
    """None for one that has no id yet."""
    name: str
    """How a form names it."""


class Action(NamedTuple):
    """What can be done to jobs that were found."""

    verb: str
    word: str
    states: str
    """In which it can be done, with spaces between."""
    is_offered: bool
    """Whether one of them was found yet; a script offers it once one is."""


def search_routes(site: Site) -> list[Route]:
    """Give the routes of the page and of its stream."""
    page = SearchPage(site)
    return [
        Route("/search", page.show, methods=["GET"]),
        Route("/search/stream", page.stream, methods=["GET"]),
    ]


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Answers searches."""

    site: Site

    async def show(self, request: Request) -> Response:
        """Show what was found in a short time; go straight to the only job with the id that was asked for."""
        viewer = await self.site.viewer(request)
        asked = self._asked(request, viewer)
        same = await find_by_id(self.site.queues(viewer), asked.wanted.text or "") if asked.is_only_text else []
        if len(same) == 1 and "from" not in request.query_params:
            [(queue, detail)] = same
            return RedirectResponse(job_path(queue, detail.record.id), 303)
        is_asked = not asked.wanted.is_everything or asked.state is not None or asked.queue is not None
        hits, step = await self._look(request, viewer, asked) if is_asked else ([], None)
        context = {
            "asked": asked,
            "is_asked": is_asked,
            "rows": _rows(hits),
            "step": step,
            "same": [(queue, detail.record, job_path(queue, detail.record.id)) for queue, detail in same],
            "states": STATES,
            "within": WITHIN,
            "actions": (actions := _actions(asked, hits)),
            "is_anything_offered": any(action.is_offered for action in actions),
            "go_on": _go_on(request.query_params, step),
            "fields": asked.as_fields(),
            "here": f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path,
        }
        return self.site.page(request, viewer, "jobs/search.html", context)

    def _asked(self, request: Request, viewer: Identity) -> Asked:
        return read_asked(request.query_params, self.site.queues(viewer), self.site.platform.clock.now())

    def _search(self, viewer: Identity, asked: Asked) -> JobSearch:
        queues = self.site.queues(viewer)
        chosen = {asked.queue: queues[asked.queue]} if asked.queue else queues
        return JobSearch(chosen, asked.wanted, asked.states, sight_of(viewer, self.site.platform.redactor))

    async def _look(self, request: Request, viewer: Identity, asked: Asked) -> tuple[list[Hit], Step]:
        search = self._search(viewer, asked)
        clock = self.site.platform.clock
        token = request.query_params.get("from") or None
        until = clock.monotonic() + (_NEXT_SECONDS if token else _FIRST_SECONDS)
        step = await _first(search, token, _LOOKED_AT_ONCE)
        hits = list(step.hits)
        while step.next and len(hits) < ENOUGH and clock.monotonic() < until:
            step = await search.step(step.next, _LOOKED_AT_ONCE)
            hits += step.hits
        return hits, step

    async def stream(self, request: Request) -> Response:
        """Go on with a search and send what is found, until it is over, stopped, or much was found."""
        viewer = await self.site.viewer(request)
        search = self._search(viewer, self._asked(request, viewer))
        step = await _first(search, request.query_params.get("from") or None)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(
            self._events(search, step, viewer, request.state.stopping), 200, headers, "text/event-stream"
        )

    async def _events(
        self, search: JobSearch, step: Step, viewer: Identity, stopping: Stopping
    ) -> AsyncGenerator[bytes]:
        found = 0
        while True:
            found += len(step.hits)
            rows = {"rows": _rows(step.hits), "may_operate": viewer.may("operate")}
            html = self.site.renderer.page("jobs/found.html", rows) if step.hits else ""
            yield _event("found", html=html, looked_at=step.looked_at, total=step.total, next=step.next)
            if step.next is None or found >= _MOST_STREAMED or stopping.is_set():
                break
            await asyncio.sleep(_PAUSE_SECONDS)
            try:
                step = await search.step(step.next)
            except QueueUnavailableError as error:
                yield _event("away", message=self.site.platform.explain(error))
                return
        yield _event("end", next=step.next)


async def _first(search: JobSearch, token: str | None, at_most: int = LOOKED_AT_ONCE) -> Step:
    try:
        return await search.step(token, at_most)
    except ValueError as error:
        raise Problem(422, "invalid-request", str(error)) from error


def _event(name: str, **data: object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + to_json(data) + b"\n\n"


def _rows(hits: Sequence[Hit]) -> list[Row]:
    return [Row(hit.queue, hit, job_path(hit.queue, hit.job.id) if hit.job.id else None, _name(hit)) for hit in hits]


def _name(hit: Hit) -> str:
    return f"{hit.queue} {hit.job.state} {hit.job.id}" if hit.job.id else ""


def _actions(asked: Asked, hits: Sequence[Hit]) -> list[Action]:
    """Say what can be done to jobs in the states that are looked at; offered is what fits those that were found."""
    found = {hit.job.state for hit in hits}
    possible = [(verb, states) for verb, states in ACTIONS.items() if states & set(asked.states)]
    return [Action(verb, WORDS[verb], " ".join(sorted(states)), bool(states & found)) for verb, states in possible]


def _go_on(query: Mapping[str, str], step: Step | None) -> str | None:
    if step is None or step.next is None:
        return None
    return f"/search?{urlencode({**query, 'from': step.next})}"
