"""Spans as JSON: from the process of an isolated job to its runner, which sends them with its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

_MOST_SPANS = 200
"""Of one job: the others are lost, for a runner mustn't be drowned in them."""


class SpansToCarry(SpanExporter):
    """Keeps spans as JSON until they are taken."""

    def __init__(self) -> None:
        self._kept: list[dict[str, Any]] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Keep spans."""
        room = _MOST_SPANS - len(self._kept)
        self._kept += [write_span(span) for span in spans[: max(room, 0)]]
        return SpanExportResult.SUCCESS

    def take(self) -> list[dict[str, Any]]:
        """Give what was kept."""
        kept, self._kept = self._kept, []
        return kept


def write_span(span: ReadableSpan) -> dict[str, Any]:
    """Write a span that has ended."""
    scope = span.instrumentation_scope
    return {
        "name": span.name,
        "context": _write_context(span.context),
        "parent": _write_context(span.parent),
        "kind": span.kind.value,
        "start": span.start_time,
        "end": span.end_time,
        "attributes": dict(span.attributes or {}),
        "events": [[event.name, dict(event.attributes or {}), event.timestamp] for event in span.events],
        "links": [[_write_context(link.context), dict(link.attributes or {})] for link in span.links],
        "status": [span.status.status_code.value, span.status.description],
        "scope": [scope.name, scope.version] if scope is not None else None,
    }


def read_span(told: Mapping[str, Any], resource: Resource) -> ReadableSpan:
    """Read what `write_span` wrote."""
    code, description = told["status"]
    return ReadableSpan(
        name=told["name"],
        context=_read_context(told["context"]),
        parent=_read_context(told["parent"]),
        resource=resource,
        attributes=told["attributes"],
        events=[Event(name, attributes, timestamp) for name, attributes, timestamp in told["events"]],
        links=[Link(found, attributes) for context, attributes in told["links"] if (found := _read_context(context))],
        kind=SpanKind(told["kind"]),
        status=Status(StatusCode(code), description),
        start_time=told["start"],
        end_time=told["end"],
        instrumentation_scope=InstrumentationScope(*told["scope"]) if told["scope"] else None,
    )


def _write_context(context: SpanContext | None) -> list[Any] | None:
    return None if context is None else [f"{context.trace_id:x}", f"{context.span_id:x}", int(context.trace_flags)]


def _read_context(told: list[Any] | None) -> SpanContext | None:
    if told is None:
        return None
    trace_id, span_id, flags = told
    return SpanContext(int(trace_id, 16), int(span_id, 16), True, TraceFlags(flags))  # noqa: FBT003
