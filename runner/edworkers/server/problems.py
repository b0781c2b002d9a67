"""Errors as RFC 9457 has them: `application/problem+json`, with every fault named."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
TYPES = "https://edworkers.dev/problems/"
"""Where the names of problems begin; docs/api.md lists them."""
RETRY_SECONDS = 2
"""After how long to ask again where Redis is away."""

_TITLES = {
    "busy": "The server has too much to do now",
    "away": "Redis can't be used now",
    "cancelled": "The job was cancelled",
    "cross-site": "The request comes from another site's page",
    "dead": "The job is in the dead letters",
    "ended": "The job has ended",
    "forbidden-host": "The server isn't called by this name",
    "internal": "The server has failed",
    "invalid-job": "This is no job for the queue",
    "invalid-request": "The request can't be used",
    "key-reused": "The idempotency key was used for another request",
    "login-away": "Nobody can log in now",
    "method": "The method isn't allowed here",
    "missing-scope": "A scope is missing",
    "not-dead": "The job isn't in the dead letters",
    "not-json": "The body isn't JSON as it should be",
    "not-found": "There is nothing here",
    "other-queue": "The queue is another's",
    "slow-body": "The body didn't come in time",
    "too-large": "The body is too large",
    "too-many": "Too many requests",
    "unauthorized": "Nobody says who asks",
    "unknown-job": "The job isn't known",
    "unknown-queue": "The queue isn't known",
    "unsupported-type": "The body is of another type",
}


class Problem(HTTPException):
    """What is answered in place of what was asked for. `faults` are told one by one, `more` are further fields."""

    def __init__(
        self,
        status: int,
        name: str,
        detail: str,
        *,
        faults: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.name = name
        self.faults = tuple(faults)
        self.more = more

    @property
    def title(self) -> str:
        """Say in a few words which kind of problem it is."""
        return _TITLES.get(self.name) or HTTPStatus(self.status_code).phrase

    def document(self) -> dict[str, Any]:
        """Write it as the members of a problem."""
        faults = {"faults": list(self.faults)} if self.faults else {}
        members = {"type": TYPES + self.name, "title": self.title, "status": self.status_code, "detail": self.detail}
        return {**members, **faults, **self.more}

    def response(self) -> Response:
        """Write it as an answer."""
        return Response(to_json(self.document()), self.status_code, self.headers, MEDIA_TYPE)


def away(detail: str, **more: Any) -> Problem:
    """Say that Redis can't be used now, and when to ask again; `more` are further fields."""
    return Problem(503, "away", detail, headers={"Retry-After": str(RETRY_SECONDS)}, **more)


def busy(detail: str) -> Problem:
    """Say that this server asks Redis so much that there was no turn for this, and when to ask again."""
    return Problem(503, "busy", detail, headers={"Retry-After": str(RETRY_SECONDS)})


SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "What went wrong, as RFC 9457 has it.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "Names the kind of problem."},
        "title": {"type": "string", "description": "The kind of problem in a few words."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What is wrong here, and what to do."},
        "faults": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Every fault by itself, such as `data.prompt: Field required`.",
        },
    },
    "examples": [
        {
            "type": f"{TYPES}invalid-job",
            "title": _TITLES["invalid-job"],
            "status": 422,
            "detail": "the queue 'ai' takes no such job",
            "faults": ["data.userId: Field required", "data.prompt: Field required"],
        }
    ],
}
