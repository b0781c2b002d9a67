"""The server's app: the API below `/v1`, the dashboard at `/`, and the endpoints that a cluster asks.

Every request has in its state (`request.state`): `access`, which tells who asks (`access.identity.require` is what
routes use), `stopping`, an `asyncio.Event` that is set when streams have to end, and `request_id`. What can't be
answered is raised as a `problems.Problem`, which is an HTTPException.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from edworkers.core.errors import EdworkersError, InvalidJobError, QueueUnavailableError, ServerBusyError
from edworkers.core.http_stats import HttpStats
from edworkers.core.settings import faults_of
from edworkers.server.access.access import Access
from edworkers.server.access.login import login_routes
from edworkers.server.access.login_page import HEADERS
from edworkers.server.api.described import describe
from edworkers.server.api.docs_page import docs_page
from edworkers.server.api.routes import add_api
from edworkers.server.background import Background
from edworkers.server.pages import Pages
from edworkers.server.platform import Platform
from edworkers.server.problems import Problem, away, busy
from edworkers.server.requests import Requests
from edworkers.server.settings import ServerSettings

Scrape = Callable[[str | None], tuple[bytes, str]]
"""Gives what Prometheus is told, as an `Accept` header asks for it, and the content type."""


def create_app(
    platform: Platform,
    settings: ServerSettings,
    *,
    stats: HttpStats | None = None,
    scrape: Scrape | None = None,
    background: bool = True,
) -> FastAPI:
    """Make the app of one server. Without `background` it samples no queue and carries on no bulk operation.

    `app.state.stopping.set()` ends its streams. Raises SettingsError where its keys can't be read.
    """
    stopping = asyncio.Event()
    access = Access(settings, platform.clock)
    work = Background(platform, stopping, is_wanted=background)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        async with work.running():
            yield

    app = FastAPI(title="edworkers", docs_url=None, redoc_url=None, openapi_url="/v1/openapi.json", lifespan=lifespan)
    app.state.platform, app.state.stopping, app.state.watcher = platform, stopping, work.watcher
    add_api(app)
    app.add_api_route("/docs", _show_docs, include_in_schema=False, methods=["GET"])
    _add_endpoints(app, platform, scrape)
    app.include_router(login_routes(access))
    _add_error_handlers(app, platform, Pages(app, platform, access))
    app.add_middleware(Requests, access=access, stopping=stopping, new_id=platform.new_id, stats=stats or HttpStats())
    describe(app)
    return app


async def _show_docs(request: Request) -> Response:
    return HTMLResponse(docs_page(request.app.openapi()), headers=HEADERS)


def _add_endpoints(app: FastAPI, platform: Platform, scrape: Scrape | None) -> None:
    has_answered = False

    async def livez() -> Response:
        return PlainTextResponse("ok\n")

    async def readyz() -> Response:
        # Only until Redis has answered once: later a server without it says so itself, and when to ask again.
        nonlocal has_answered
        if not has_answered:
            try:
                await platform.books.operations(1)
            except QueueUnavailableError as error:
                return PlainTextResponse(f"{platform.explain(error)}\n", 503)
            has_answered = True
        stopping: asyncio.Event = app.state.stopping
        return PlainTextResponse("stopping\n", 503) if stopping.is_set() else PlainTextResponse("ok\n")

    async def metrics(request: Request) -> Response:
        if scrape is None:
            raise Problem(404, "not-found", "this process tells Prometheus nothing")
        body, content_type = scrape(request.headers.get("accept"))
        return Response(body, headers={"Content-Type": content_type})

    for path, endpoint in (("/livez", livez), ("/readyz", readyz), ("/metrics", metrics)):
        app.add_api_route(path, endpoint, include_in_schema=False, methods=["GET"])


def _add_error_handlers(app: FastAPI, platform: Platform, pages: Pages) -> None:
    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - for which it is registered
        return await pages.answer(request, error if isinstance(error, Problem) else _as_problem(request, error))

    async def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        faults = faults_of([(tuple(fault["loc"]), fault["msg"]) for fault in error.errors()])
        return await pages.answer(request, Problem(422, "invalid-request", "; ".join(faults), faults=faults))

    async def ours(request: Request, error: Exception) -> Response:
        match error:
            case ServerBusyError():
                return await pages.answer(request, busy(str(error)))
            case QueueUnavailableError():
                return await pages.answer(request, away(platform.explain(error)))
            case InvalidJobError(summary=summary, faults=faults):
                return await pages.answer(request, Problem(422, "invalid-job", summary.rstrip(":"), faults=faults))
            case _:
                raise error

    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(EdworkersError, ours)


def _as_problem(request: Request, error: HTTPException) -> Problem:
    path = request.url.path
    match error.status_code:
        case 404:
            return Problem(404, "not-found", f"nothing is at {path}; /v1/openapi.json tells what there is")
        case 405:
            detail = f"{request.method} can't be done with {path}"
            return Problem(405, "method", detail, headers=error.headers)
        case status:
            return Problem(status, "invalid-request", str(error.detail), headers=error.headers)
