"""Where the dashboard joins the app, and what people see in place of a problem's JSON."""

from urllib.parse import quote

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edworkers.server.access.access import LOGIN_PATH, Access
from edworkers.server.dashboard.routes import ErrorPage, create_dashboard
from edworkers.server.platform import Platform
from edworkers.server.problems import Problem

_PROGRAMS = ("/v1/", "/livez", "/readyz", "/metrics")


class Pages:
    """The dashboard, behind all other routes."""

    def __init__(self, app: FastAPI, platform: Platform, access: Access) -> None:
        dashboard = create_dashboard(platform, access, can_log_out=access.has_login)
        app.router.routes.extend(dashboard.routes)
        self._access = access
        self._error_page: ErrorPage = dashboard.error_page

    async def answer(self, request: Request, problem: Problem) -> Response:
        """Answer a problem: for people by a page, or by the way to the login."""
        if not _is_for_people(request):
            return problem.response()
        if problem.status_code == 401 and self._access.has_login and request.method == "GET":
            back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"{LOGIN_PATH}?next={quote(back, safe='')}", 303)
        return await self._error_page(request, problem)


def _is_for_people(request: Request) -> bool:
    return not request.url.path.startswith(_PROGRAMS) and "text/html" in request.headers.get("accept", "")
