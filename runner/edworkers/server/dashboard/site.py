"""What every page is made with: who looks at it, the page around it, live renewal, forms and their answers.

A page is a template and a function that collects what it shows. The same function answers the page's first request and
its stream: blocks of the template named `live_…` are rendered anew while the page is open, and sent where they changed.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from edworkers.core.errors import QueueUnavailableError
from edworkers.server.access.identity import Gate, Identity, Scope, check
from edworkers.server.dashboard.live import stream
from edworkers.server.dashboard.masking import Mask
from edworkers.server.dashboard.render import Renderer
from edworkers.server.dashboard.views import Views
from edworkers.server.platform import Platform, ServedQueue
from edworkers.server.problems import RETRY_SECONDS, Problem, away

Context = Mapping[str, Any]
Build = Callable[[Request], Awaitable[Context]]
"""Collects what a page shows. Raises Problem, and QueueUnavailableError."""
Act = Callable[[Request], Awaitable[Response]]

TOLD = "edworkers_told"
THEME = "edworkers_theme"
THEMES = ("auto", "light", "dark")
LIVE_SECONDS = 2.0
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every page: nothing is loaded from elsewhere, nothing in a page's text is run, and no other site frames it."""
HEADINGS = {
    403: "You may not do this",
    404: "There is nothing here",
    503: "Redis can't be reached",
}


@dataclass(frozen=True, slots=True)
class Site:
    """Makes pages."""

    platform: Platform
    access: Gate
    mask: Mask
    renderer: Renderer
    views: Views
    """How queues stand, read once for all who look."""
    can_log_out: bool = False
    """Whether people log in at this server."""

    @classmethod
    def of(cls, platform: Platform, access: Gate, *, can_log_out: bool = False) -> "Site":
        """Put together what makes pages of these queues."""
        mask = Mask(platform.redactor)
        return cls(platform, access, mask, Renderer(mask, platform.clock.now), Views(platform), can_log_out)

    # Pages.

    def live_page(self, path: str, template: str, build: Build, *, seconds: float = LIVE_SECONDS) -> Route:
        """Give the route of a page whose `live_…` blocks are renewed so often while it is open."""

        async def answer(request: Request) -> Response:
            viewer = await self.viewer(request)
            if request.query_params.get("live") == "1":

                async def collect() -> dict[str, str]:
                    return self.renderer.fragments(template, self._around(request, viewer, await build(request)))

                return stream(collect, seconds, request.state.stopping, self.platform.explain)
            return self.page(request, viewer, template, {"is_live": True, **await build(request)})

        return Route(path, self.guard(answer), methods=["GET"])

    def plain_page(self, path: str, template: str, build: Build) -> Route:
        """Give the route of a page that stays as it is."""

        async def answer(request: Request) -> Response:
            return self.page(request, await self.viewer(request), template, await build(request))

        return Route(path, self.guard(answer), methods=["GET"])

    def page(
        self, request: Request, viewer: Identity | None, template: str, context: Context, status: int = 200
    ) -> HTMLResponse:
        """Render a page in full, with what was told by the action before it."""
        told = request.cookies.get(TOLD)
        around = self._around(request, viewer, {"told": unquote(told) if told else None, **context})
        response = HTMLResponse(self.renderer.page(template, around), status, HEADERS)
        if told:
            response.delete_cookie(TOLD, path="/")
        return response

    def _around(self, request: Request, viewer: Identity | None, context: Context) -> dict[str, Any]:
        theme = request.cookies.get(THEME, "auto")
        return {
            "viewer": viewer,
            "can_log_out": self.can_log_out and viewer is not None and viewer.kind == "person",
            "may_operate": viewer is not None and viewer.may(Scope.OPERATE),
            "queue_names": list(self.queues(viewer)) if viewer is not None else [],
            "theme": theme if theme in THEMES else "auto",
            "path": request.url.path,
            "query": request.url.query,
            "version": _VERSION,
            "is_live": False,
            "told": None,
            **context,
        }

    # Actions.

    def action(self, path: str, act: Act, *, scope: Scope = Scope.OPERATE) -> Route:
        """Give the route of a form (POST) that only those with a scope may send."""

        async def answer(request: Request) -> Response:
            await self.viewer(request, scope)
            return await act(request)

        return Route(path, self.guard(answer), methods=["POST"])

    def back(self, to: str, told: str) -> RedirectResponse:
        """Go to a page of the dashboard after an action, and say there what was done."""
        response = RedirectResponse(to if is_inside(to) else "/", status_code=303)
        response.set_cookie(TOLD, quote(told[:1000]), max_age=60, path="/", httponly=True, samesite="lax")
        return response

    # What went wrong.

    def guard(self, answer: Act) -> Act:
        """Answer with a page where something is in the way; who has to log in first is left to the app."""

        async def guarded(request: Request) -> Response:
            try:
                return await answer(request)
            except QueueUnavailableError as error:
                return await self.error_page(request, away(self.platform.explain(error)))
            except Problem as problem:
                if problem.status_code == 401:
                    raise
                return await self.error_page(request, problem)

        return guarded

    async def error_page(self, request: Request, problem: Problem) -> Response:
        """Tell people of a problem in a page of its own; one that passes by itself looks again by itself."""
        if "text/html" not in request.headers.get("accept", ""):
            return problem.response()
        context = {
            "code": problem.status_code,
            "heading": HEADINGS.get(problem.status_code, problem.title),
            "message": problem.detail,
            "faults": problem.faults,
            "retry_seconds": RETRY_SECONDS if problem.status_code == 503 else None,
        }
        page = self.page(request, await self._known(request), "error.html", context, problem.status_code)
        page.headers.update(problem.headers or {})
        return page

    async def _known(self, request: Request) -> Identity | None:
        try:
            return await self.access.identify(request)
        except Problem:
            return None

    # Who and which.

    async def viewer(self, request: Request, scope: Scope = Scope.READ) -> Identity:
        """Tell who sends a request. Raises Problem 401, and 403 for one who may not, or not here."""
        viewer = await self.access.identify(request)
        check(viewer, (scope,), request.path_params.get("queue"))
        return viewer

    def queues(self, viewer: Identity) -> dict[str, ServedQueue]:
        """Give the queues that somebody may see."""
        return {name: served for name, served in self.platform.queues().items() if viewer.sees(name)}

    async def queue(self, request: Request) -> ServedQueue:
        """Give the queue that a path names as `{queue}`. Raises Problem 404, naming those that there are."""
        name = request.path_params["queue"]
        queues = self.queues(await self.access.identify(request))
        if name not in queues:
            known = ", ".join(queues) or "none"
            raise Problem(404, "unknown-queue", f"there is no queue {name!r} here; there are: {known}")
        return queues[name]


def is_inside(address: str) -> bool:
    """Whether an address is a path of this site: nothing that a form sends leads elsewhere."""
    parts = urlsplit(address)
    return not parts.scheme and not parts.netloc and address.startswith("/") and address[1:2] not in {"/", "\\"}


_VERSION = version("edworkers")
