"""What the API answers, as OpenAPI describes it. Names are camelCase outside; times are RFC 3339 in UTC."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from edworkers.core.lifecycle import State


def rfc3339(milliseconds: int | None) -> str | None:
    """Write a time (Unix ms); None for none, and for what is no time that a calendar has."""
    if milliseconds is None:
        return None
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[
    int | None,
    PlainSerializer(rfc3339, return_type=str | None),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}),
]
Object = dict[str, Any]


class Answer(BaseModel):
    """Something that is answered."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        use_attribute_docstrings=True,
        ser_json_inf_nan="null",
    )


class Accepted(Answer):
    """What became of a job that was sent."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "jobId": "answer-1",
                    "queue": "ai",
                    "status": "processing",
                    "location": "/v1/queues/ai/jobs/answer-1",
                }
            ]
        }
    )

    job_id: str
    """The job's id: the sender's own, or one that was made."""
    queue: str
    status: Literal["processing", "duplicate"]
    """`processing`: it is on the queue. `duplicate`: one with its id or unique key was known; nothing was done."""
    location: str
    """Where to ask for it."""


class BulkItem(Answer):
    """What became of one of many jobs."""

    index: int
    """Its place among those that were sent, from 0."""
    status: Literal["processing", "duplicate", "refused"]
    job_id: str | None = None
    faults: list[str] = []
    """Every fault of one that was refused."""


class BulkAccepted(Answer):
    """What became of many jobs."""

    queue: str
    processing: int
    """How many are on the queue now."""
    duplicates: int
    refused: int
    jobs: list[BulkItem]
    """In the order in which they were sent."""


class JobError(Answer):
    """Why an attempt failed; handlers may tell more."""

    model_config = ConfigDict(extra="allow")

    kind: str | None = None
    message: str | None = None


class Job(Answer):
    """What is known of a job."""

    id: str
    queue: str
    state: State
    type: str | None = None
    attempts: int = 0
    """How many attempts were begun."""
    queued_at: Time = None
    due_at: Time = None
    started_at: Time = None
    finished_at: Time = None
    seconds: float | None = None
    """How long the last attempt ran."""
    progress: Object | None = None
    result: Any = None
    error: JobError | None = None


class Attempt(Answer):
    """An attempt that has ended without the job being done."""

    number: int
    outcome: str
    """`retry`, `defer`, `bury`, or `lost` where its runner was."""
    started_at: Time = None
    ended_at: Time
    error: JobError | None = None


class Log(Answer):
    """What a handler logged of a job."""

    at: Time
    level: str
    message: str


class RelatedJob(Answer):
    """Another job that this one brought about, or that brought this one about."""

    queue: str
    id: str
    how: str
    """`parent` or `child`."""
    location: str


class JobDetail(Job):
    """Everything that is known of a job."""

    group: str | None = None
    runner: str | None = None
    """Which runner has it."""
    fingerprint: str | None = None
    """Of a dead job: the same for all that failed for one cause."""
    payload: str | None = None
    """The job as it was sent, where that is kept and is text."""
    payload_base64: str | None = None
    """The same, where it isn't text."""
    text: str | None = None
    """What a handler that streams its text has written so far."""
    past: list[Attempt] = []
    """Attempts that failed, the oldest first."""
    logs: list[Log] = []
    related: list[RelatedJob] = []


class JobInList(Answer):
    """One job in a list."""

    id: str
    """Empty for one that waits and whose producer gave it none."""
    state: State
    type: str | None = None
    group: str | None = None
    attempts: int = 0
    at: Time = None
    """Since when it waits, began, is due, or ended, by its state."""
    seconds: float | None = None
    error_kind: str | None = None
    error_message: str | None = None
    fingerprint: str | None = None
    runner: str | None = None
    data: str = ""
    """The beginning of its payload, as text, where that is kept."""


class JobList(Answer):
    """A part of a list of jobs."""

    jobs: list[JobInList]
    total: int
    """How many are in that state."""
    next: str | None = None
    """The `cursor` of the next part; null where there is none."""


class SearchStep(Answer):
    """What one step of a search came to."""

    jobs: list[JobInList]
    looked_at: int
    """How many jobs this step looked at."""
    next: str | None = None
    """The `cursor` of the next step; null where all have been looked at."""


class Result(Answer):
    """What a job came to."""

    job_id: str
    queue: str
    status: Literal["done"]
    result: Any = None
    finished_at: Time = None
    seconds: float | None = None


class Unfinished(Answer):
    """A job that hasn't ended yet."""

    job_id: str
    queue: str
    status: Literal["processing"]
    state: State
    attempts: int = 0
    progress: Object | None = None


class Cancelled(Answer):
    """What became of a request to cancel a job."""

    job_id: str
    queue: str
    status: Literal["cancelled", "requested"]
    """`requested`: it ends when a runner meets it, or its own hears of it."""
    known: bool
    """Whether there is a record of it: one that was pushed by LPUSH has none before a runner meets it."""
    detail: str
    """What happens now."""


class Failure(Answer):
    """Dead jobs that failed for one cause."""

    fingerprint: str
    kind: str
    message: str
    """Of the latest of them."""
    count: int
    first_at: Time
    last_at: Time


class Failures(Answer):
    """Dead jobs by cause, those with the most jobs first."""

    failures: list[Failure]
