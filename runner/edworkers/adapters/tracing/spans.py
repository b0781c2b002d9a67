"""The `Tracer` of `telemetry.tracing` on OpenTelemetry.

Names and attributes are those of the semantic conventions of messaging; beside them stand ours, `edworkers.…`.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from edworkers.adapters.tracing.carried import read_span
from edworkers.core.outcome import Failed, Outcome, Rejected
from edworkers.core.redact_text import redact_text
from edworkers.core.traceparent import is_usable, span_id_of, trace_id_of
from edworkers.telemetry.tracing import Attribute, SpanIds, TracedJob

_LONGEST_MESSAGE = 500


class OtelSpan:
    """A span of OpenTelemetry."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        """The W3C trace context of what follows from it."""
        found = self._span.get_span_context()
        return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags & TraceFlags.SAMPLED:02x}"

    def set(self, attributes: Mapping[str, Attribute]) -> None:
        """Tell more of it."""
        self._span.set_attributes(attributes)

    def fail(self, kind: str, message: str = "") -> None:
        """Say that it failed; what looks like a secret or somebody's data is taken out of the message."""
        kind = _encodable(kind)
        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR, kind))
        if message:
            said = _encodable(redact_text(message, _LONGEST_MESSAGE))
            self._span.add_event("exception", {"exception.type": kind, "exception.message": said})


class OtelAttemptSpan(OtelSpan):
    """The span of an attempt."""

    def enter(self) -> None:
        """Make what this task does from here on a part of it: its context ends with it."""
        contexts.attach(trace.set_span_in_context(self._span))

    def settled(self, verb: str) -> None:
        """Tell what became of the job."""
        self._span.set_attribute("edworkers.verb", verb)

    def end(self, outcome: Outcome | None) -> None:
        """End it as it came out; what is told of it later is not heard."""
        if not self._span.is_recording():
            return
        if outcome is not None:
            self._span.set_attribute("edworkers.outcome", type(outcome).__name__.lower())
        match outcome:
            case Failed(kind, message):
                self.fail(str(kind), str(message))
            case Rejected(faults):
                self.fail("rejected", "; ".join(map(str, faults)))
            case _:
                pass
        self._span.end()


class OtelTracer:
    """Begins spans of one provider."""

    def __init__(self, provider: TracerProvider, processor: Any = None) -> None:
        self._tracer = provider.get_tracer("edworkers")
        self._resource = provider.resource
        self._processor = processor

    def begin_attempt(self, job: TracedJob) -> OtelAttemptSpan:
        """Begin to work on a job: its first attempt goes on with its producer's trace, a later one is linked to it."""
        producer = context_of(job.traceparent)
        parent = Context()
        links: tuple[Link, ...] = ()
        if producer is not None and job.attempt == 1:
            parent = trace.set_span_in_context(NonRecordingSpan(producer), parent)
        elif producer is not None:
            links = (Link(producer),)
        attributes = {**_messaging(job.queue, "process"), "messaging.message.id": job.id}
        attributes |= {"edworkers.attempt": job.attempt, **({"edworkers.job.type": job.type} if job.type else {})}
        return OtelAttemptSpan(
            self._tracer.start_span(
                f"process {job.queue}", parent, kind=SpanKind.CONSUMER, attributes=attributes, links=links
            )
        )

    @contextmanager
    def client(self, name: str, attributes: Mapping[str, Attribute]) -> Generator[OtelSpan]:
        """Ask another service in the block."""
        with (
            self._tracer.start_as_current_span(
                name, kind=SpanKind.CLIENT, attributes=attributes, record_exception=False, set_status_on_exception=False
            ) as span,
            _failing(OtelSpan(span)) as told,
        ):
            yield told

    @contextmanager
    def producer(self, queue: str, parent: str | None) -> Generator[OtelSpan]:
        """Enqueue in the block; `parent` is the trace context of whoever asked for it."""
        asked_by = context_of(parent)
        context = None if asked_by is None else trace.set_span_in_context(NonRecordingSpan(asked_by))
        with (
            self._tracer.start_as_current_span(
                f"send {queue}",
                context,
                kind=SpanKind.PRODUCER,
                attributes=_messaging(queue, "send"),
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
            _failing(OtelSpan(span)) as told,
        ):
            yield told

    def ids(self) -> SpanIds | None:
        """Name the span that is current here."""
        found = trace.get_current_span().get_span_context()
        return SpanIds(f"{found.trace_id:032x}", f"{found.span_id:016x}") if found.is_valid else None

    def enter(self, traceparent: str) -> None:
        """Make what this process does from here on a part of the span that has this trace context."""
        found = context_of(traceparent)
        if found is not None:
            contexts.attach(trace.set_span_in_context(NonRecordingSpan(found)))

    def merge(self, spans: Sequence[Mapping[str, Any]]) -> None:
        """Take spans that the process of an isolated job has told."""
        for told in spans:
            self._processor.on_end(read_span(told, self._resource))


@contextmanager
def _failing(span: OtelSpan) -> Generator[OtelSpan]:
    """Tell of an exception its kind: what it says may be somebody's data."""
    try:
        yield span
    except BaseException as error:
        span.fail(type(error).__name__)
        raise


def _encodable(text: str) -> str:
    """Escape halves of surrogate pairs: one of them would keep all spans that are sent together from being sent."""
    return text.encode(errors="backslashreplace").decode()


def _messaging(queue: str, operation: str) -> dict[str, Attribute]:
    return {
        "messaging.system": "edworkers",
        "messaging.destination.name": queue,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
    }


def context_of(traceparent: str | None) -> SpanContext | None:
    """Read a W3C trace context; None where there is none that can be used."""
    if traceparent is None or not is_usable(traceparent):
        return None
    flags = TraceFlags(int(traceparent[53:55], 16) & TraceFlags.SAMPLED)
    return SpanContext(int(trace_id_of(traceparent), 16), int(span_id_of(traceparent), 16), True, flags)  # noqa: FBT003
