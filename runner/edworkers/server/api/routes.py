"""All routes of the API, and the document that OpenAPI makes of them."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRouter

from edworkers.server.api import enqueue, events, jobs, operations, queues, retry, schedules
from edworkers.server.api.described import make_document

PREFIX = "/v1"


def add_api(app: FastAPI) -> None:
    """Put the API's routes into an app: what is used most first, and before others those whose paths say more."""
    app.router.routes.extend(enqueue.direct_router.routes)
    router = APIRouter(prefix=PREFIX)
    for module in (queues, schedules, operations, enqueue, events, retry, jobs):
        router.include_router(module.router)
    for module in (queues, schedules):
        router.include_router(module.one_router)
    app.include_router(router)


def api_document() -> dict[str, Any]:
    """Write the OpenAPI document of the API, of which every server gives the same."""
    app = FastAPI()
    add_api(app)
    return make_document(app)
