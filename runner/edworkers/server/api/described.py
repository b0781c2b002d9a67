"""What OpenAPI says of the API beside its routes: how to log in, what a problem is, what holds for all of it."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from edworkers.server.problems import SCHEMA

_ABOUT = """Enqueue background jobs, follow them to their result, and look after their queues.

Every error is a problem (RFC 9457) that says what to do. Each answer has an `X-Request-ID`, which the server's log has,
too."""
_TAGS = [
    {"name": "Jobs", "description": "From a job that is sent to its result."},
    {"name": "Queues", "description": "How queues stand, and pausing them."},
    {"name": "Operations", "description": "One verb for many jobs, with some seconds to take it back."},
    {"name": "Schedules", "description": "Jobs that the clock begins."},
]
_SCHEMES = {
    "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key: `Authorization: Bearer edw_…`."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "edworkers",
        "description": "Somebody who has logged in with a browser.",
    },
}


def describe(app: FastAPI) -> None:
    """Have the app tell of itself as this says; the document is made once, when it is first asked for."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = make_document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def make_document(app: FastAPI) -> dict[str, Any]:
    """Write the OpenAPI document."""
    document = get_openapi(
        title="edworkers",
        version="1",
        summary="Background jobs: push JSON, get the answer.",
        description=_ABOUT,
        routes=app.routes,
        tags=_TAGS,
    )
    components = document["components"]
    components["securitySchemes"] = _SCHEMES
    schemas: dict[str, Any] = components["schemas"]
    schemas["Problem"] = SCHEMA
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return document
