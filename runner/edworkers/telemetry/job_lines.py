"""Adds to log lines which job they are about, whoever writes them: the handler's own code and libraries, too."""

from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, NamedTuple

from edworkers.core.traceparent import span_id_of, trace_id_of
from edworkers.telemetry import tracing
from edworkers.telemetry.tracing import TracedJob


class _Job(NamedTuple):
    queue: str
    job: str
    attempt: int


# Not the job itself: with its task, whose context this is, it would be a ring that only the collector breaks.
_job: ContextVar[_Job | None] = ContextVar("edworkers_job", default=None)


def enter(job: TracedJob) -> None:
    """Say that this task works on a job from here on, with the threads and tasks that it starts."""
    _job.set(_Job(job.queue, job.id, job.attempt))


def add_job(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the job of the task that writes a line, unless it says that it is about another one."""
    found = _job.get()
    if found is not None and event.get("job", found.job) == found.job:
        event.setdefault("queue", found.queue)
        event.setdefault("job", found.job)
        event.setdefault("attempt", found.attempt)
    tracer = tracing.in_use()
    ids = tracer.ids() if tracer is not None else None
    if ids is not None:
        event.setdefault("trace_id", ids.trace_id)
        event.setdefault("span_id", ids.span_id)
    return event


def trace_fields(traceparent: str | None) -> dict[str, str]:
    """Give the fields by which a line is found from its trace; none where tracing is off."""
    if traceparent is None or tracing.in_use() is None:
        return {}
    return {"trace_id": trace_id_of(traceparent), "span_id": span_id_of(traceparent)}
