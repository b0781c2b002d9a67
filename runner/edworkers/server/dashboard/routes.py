"""All routes of the dashboard, and the page that tells of what went wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from edworkers.server.access.identity import Gate
from edworkers.server.dashboard.jobs.routes import job_routes
from edworkers.server.dashboard.overview import overview_routes
from edworkers.server.dashboard.queue_page import queue_routes
from edworkers.server.dashboard.site import THEME, THEMES, Site, is_inside
from edworkers.server.platform import Platform
from edworkers.server.problems import Problem

_STATIC = Path(__file__).with_name("static")
_YEAR = 365 * 86400


class ErrorPage(Protocol):
    """Tells people of a problem."""

    async def __call__(self, request: Request, problem: Problem) -> Response:
        """Answer with a page, or with JSON who doesn't ask for one."""
        ...


class Dashboard(NamedTuple):
    """What the app takes of the dashboard."""

    routes: Sequence[BaseRoute]
    """To be put behind all others."""
    error_page: ErrorPage


def create_dashboard(platform: Platform, access: Gate, *, can_log_out: bool = False) -> Dashboard:
    """Make the dashboard of these queues. Requests need `access` and `stopping` in their state, as app.py says.

    With `can_log_out` pages have a button that posts to `/logout`.
    """
    site = Site.of(platform, access, can_log_out=can_log_out)
    own = [Route("/theme", _change_theme, methods=["POST"]), Mount("/static", _Static(directory=_STATIC))]
    routes = [*overview_routes(site), *queue_routes(site), *job_routes(site), *own]
    return Dashboard(routes, site.error_page)


async def _change_theme(request: Request) -> Response:
    """Keep which colours somebody wants; it changes nothing else, and takes no right."""
    form = await request.form(max_files=0, max_fields=10)
    theme, to = str(form.get("theme", "")), str(form.get("to", "/"))
    response = RedirectResponse(to if is_inside(to) else "/", 303)
    if theme in THEMES:
        response.set_cookie(THEME, theme, max_age=_YEAR, path="/", samesite="lax")
    return response


class _Static(StaticFiles):
    """Files that browsers ask for again each time, for their names stay the same from version to version."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Give a file, or say that it is as it was."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
