"""Enqueues as a part of a trace, where tracing is on."""

from collections.abc import Sequence

from edworkers.core.traced_payload import traced_payload
from edworkers.core.traceparent import is_usable
from edworkers.ports import Enqueue, QueueControl
from edworkers.telemetry.tracing import producer_span


async def enqueue_traced(
    control: QueueControl, queue: str, jobs: Sequence[Enqueue], parent: str | None = None
) -> list[bool]:
    """Add jobs; False for each that is a duplicate. Raises QueueUnavailableError.

    Where tracing is on, jobs without a trace context get that of a span of this call. `parent` is the trace context of
    whoever asked for it, as a request's `traceparent` header; where tracing is off, jobs without one get this.
    """
    with producer_span(queue, parent) as span:
        asked_by = parent if parent is not None and is_usable(parent) else None
        context = asked_by if span is None else span.traceparent
        if context is not None:
            jobs = [job._replace(payload=traced_payload(job.payload, context)) for job in jobs]
        if span is not None:
            one = {"messaging.message.id": jobs[0].job_id} if len(jobs) == 1 else {}
            span.set(one or {"messaging.batch.message_count": len(jobs)})
        return await control.enqueue(jobs)
