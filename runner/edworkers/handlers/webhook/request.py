"""What is sent to a webhook's receiver: the job's data and the message made from it."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue, model_validator
from pydantic_core import to_json

from edworkers.handlers.data import JobData, must_match
from edworkers.handlers.endpoint import Endpoint
from edworkers.handlers.webhook.secrets import Secret, SecretRef

# Those with which a header could make another message of this one, and those that the signature is made of.
_RESERVED = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_DATE_AND_HOUR = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d"  # fromisoformat alone takes shorter forms too
_RESERVED_BEGINNINGS = ("webhook-", "proxy-")


def _check_headers(headers: dict[str, str]) -> dict[str, str]:
    lower = [name.lower() for name in headers]
    for name in lower:
        if name in _RESERVED or name.startswith(_RESERVED_BEGINNINGS):
            raise ValueError(f"{name} is set by edworkers itself")
    if len(set(lower)) < len(lower):
        raise ValueError("the same name is there twice, in capitals and in small letters")
    return headers


def _check_moment(text: str) -> str:
    if not _is_moment(text):
        raise ValueError("must be a time with its zone as in RFC 3339, such as 2026-01-31T12:00:00Z")
    return text


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None and re.match(_DATE_AND_HOUR, text) is not None
    except ValueError:
        return False


_check_name = must_match(
    r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}", "must be the name of a header: letters, digits and - without spaces"
)
_check_value = must_match(
    r"([!-~]([\t -~]{0,4094}[!-~])?)?", "must be one line of printable ASCII, with no space at its ends"
)

Headers = Annotated[
    dict[Annotated[str, AfterValidator(_check_name)], Annotated[str, AfterValidator(_check_value)]],
    Field(max_length=50),
    AfterValidator(_check_headers),
]


Moment = Annotated[str, AfterValidator(_check_moment), Field(json_schema_extra={"format": "date-time"})]


class WebhookData(JobData):
    """An event for a receiver on the web."""

    url: Endpoint
    event: str = Field(min_length=1, max_length=256)
    """The type of the event, such as `ai.completed`."""
    payload: JsonValue
    """Any JSON."""
    headers: Headers | None = None
    """More headers for the request."""
    secret: Secret | None = Field(default=None, repr=False)
    """What to sign with; it lies in Redis with the job, so a `secretRef` is the better choice."""
    secret_ref: SecretRef | None = None
    """Names the variable with what to sign with: `school-1` is WEBHOOK_SECRET_SCHOOL_1."""
    timestamp: Moment | None = None
    """When the event happened (RFC 3339); where it is absent, each attempt gives its own time."""

    @model_validator(mode="after")
    def _check_together(self) -> "WebhookData":
        if self.secret is not None and self.secret_ref is not None:
            raise ValueError("give secret or secretRef, not both")
        return self


def body(data: WebhookData, now: datetime) -> bytes:
    """Write the message as Standard Webhooks has it, as compact JSON: `{"type":…,"timestamp":…,"data":…}`."""
    moment = data.timestamp or now.astimezone(UTC).isoformat().replace("+00:00", "Z")
    message: dict[str, Any] = {"type": data.event, "timestamp": moment, "data": data.payload}
    return to_json(message)


def message_id(job_id: str) -> str:
    """Make the `webhook-id` from a job's id: the same for every attempt, another for every job.

    It must have no full stop, which is what parts it from the rest in the text that is signed.
    """
    return job_id.replace("%", "%25").replace(".", "%2E")
