"""Spans of OpenTelemetry, and their way from a job's process to its runner."""

import json
from collections.abc import Generator
from dataclasses import dataclass

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode
from structlog.testing import capture_logs

from edworkers.adapters.tracing.carried import SpansToCarry
from edworkers.adapters.tracing.exporter import TellingExporter
from edworkers.adapters.tracing.spans import OtelTracer, context_of
from edworkers.core.metric_names import SPANS
from edworkers.core.outcome import Deferred, Done, Failed, Rejected
from edworkers.core.tallies import Tallies
from edworkers.telemetry import tracing
from edworkers.telemetry.tracing import client_span, producer_span

TRACED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@dataclass
class Job:
    """A job that is worked on."""

    id: str = "a"
    queue: str = "work"
    type: str | None = "report"
    attempt: int = 1
    traceparent: str | None = None


@pytest.fixture
def sent() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(sent: InMemorySpanExporter) -> Generator[OtelTracer]:
    provider = TracerProvider(shutdown_on_exit=False)
    processor = SimpleSpanProcessor(sent)
    provider.add_span_processor(processor)
    tracer = OtelTracer(provider, processor)
    tracing.use(tracer)
    yield tracer
    tracing.use(None)


def only(sent: InMemorySpanExporter) -> ReadableSpan:
    [span] = sent.get_finished_spans()
    return span


@pytest.mark.parametrize(
    ("outcome", "status", "kind"),
    [
        (Done({"text": "secret"}), StatusCode.UNSET, None),
        (Deferred(5, "busy"), StatusCode.UNSET, None),
        (Failed("timeout", "not done"), StatusCode.ERROR, "timeout"),
        (Rejected(("data.url: missing",)), StatusCode.ERROR, "rejected"),
    ],
)
def test_an_attempt_ends_as_it_came_out(
    tracer: OtelTracer, sent: InMemorySpanExporter, outcome: Done, status: StatusCode, kind: str | None
) -> None:
    tracer.begin_attempt(Job()).end(outcome)
    span = only(sent)
    attributes = dict(span.attributes or {})
    assert span.status.status_code is status
    assert attributes.get("error.type") == kind
    assert attributes["edworkers.outcome"] == type(outcome).__name__.lower()
    assert "secret" not in str(attributes)


def test_an_attempt_ends_once(tracer: OtelTracer, sent: InMemorySpanExporter) -> None:
    span = tracer.begin_attempt(Job())
    span.end(Done())
    span.end(Failed("timeout", "too late"))
    assert only(sent).status.status_code is StatusCode.UNSET


def test_what_cant_be_encoded_keeps_no_span_from_being_sent(tracer: OtelTracer, sent: InMemorySpanExporter) -> None:
    tracer.begin_attempt(Job()).end(Failed("half\ud83d", "a file \udcff"))
    span = only(sent)
    assert json.dumps(dict(span.attributes or {}), ensure_ascii=False).encode()
    assert "\\udcff" in str((span.events[0].attributes or {})["exception.message"])


def test_a_trace_context_that_is_none_begins_a_trace_of_its_own(tracer: OtelTracer, sent: InMemorySpanExporter) -> None:
    for traceparent in (None, "00-" + "0" * 32 + "-" + "0" * 16 + "-01"):
        assert context_of(traceparent) is None
        tracer.begin_attempt(Job(traceparent=traceparent)).end(None)
    assert [span.parent for span in sent.get_finished_spans()] == [None, None]


def test_a_trace_that_its_producer_doesnt_keep_is_not_sent_but_passed_on(
    tracer: OtelTracer, sent: InMemorySpanExporter
) -> None:
    span = tracer.begin_attempt(Job(traceparent=TRACED[:-2] + "00"))
    assert span.traceparent.startswith(TRACED[:36])
    assert span.traceparent.endswith("-00")
    span.end(Done())
    assert sent.get_finished_spans() == ()


def test_an_exception_is_told_by_its_kind_alone(tracer: OtelTracer, sent: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="ada"), client_span("ask", {"server.address": "a.example"}):
        raise ValueError("ada@school.example is unknown")
    span = only(sent)
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError")
    assert span.events == ()


def test_what_enqueues_goes_on_with_the_trace_of_whoever_asked(tracer: OtelTracer, sent: InMemorySpanExporter) -> None:
    with producer_span("work", TRACED) as span:
        assert span is not None
        traceparent = span.traceparent
    found = only(sent)
    assert found.parent is not None
    assert traceparent[3:35] == TRACED[3:35]
    assert f"{found.parent.span_id:016x}" == TRACED[36:52]


def test_where_tracing_is_off_there_are_no_spans() -> None:
    with client_span("ask", {}) as asked, producer_span("work") as sent:
        assert (asked, sent) == (None, None)


def test_a_span_of_a_jobs_process_comes_to_its_runner_as_it_was(tracer: OtelTracer, sent: InMemorySpanExporter) -> None:
    carried = SpansToCarry()
    provider = TracerProvider(resource=Resource({"service.name": "job"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(carried))
    inside = OtelTracer(provider)
    attempt = tracer.begin_attempt(Job(traceparent=TRACED))
    with inside.client("ask", {"server.port": 80, "names": ["a", "b"]}) as span:
        span.fail("timeout", "it took too long")
    inside.begin_attempt(Job(attempt=2, traceparent=attempt.traceparent)).end(Done())
    told = json.loads(json.dumps(carried.take()))
    tracer.merge(told)
    asked, linked = sent.get_finished_spans()
    assert (asked.name, dict(asked.attributes or {})["names"]) == ("ask", ["a", "b"])
    assert (asked.status.status_code, asked.status.description) == (StatusCode.ERROR, "timeout")
    assert (asked.events[0].attributes or {})["exception.message"] == "it took too long"
    assert (asked.start_time or 0) <= (asked.end_time or 0)
    assert asked.resource.attributes["service.name"] != "job"  # the runner's
    [link] = linked.links
    assert f"{link.context.span_id:016x}" == attempt.traceparent[36:52]
    assert carried.take() == []


def test_a_job_carries_no_more_than_so_many_spans() -> None:
    carried = SpansToCarry()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(carried))
    for _ in range(300):
        provider.get_tracer("handler").start_span("step").end()
    assert len(carried.take()) == 200


class Flaky(SpanExporter):
    """Fails as it is told."""

    def __init__(self) -> None:
        self.answers = [SpanExportResult.SUCCESS, SpanExportResult.FAILURE, None, SpanExportResult.SUCCESS]

    def export(self, spans: object) -> SpanExportResult:  # noqa: ARG002 - as OpenTelemetry declares it
        answer = self.answers.pop(0)
        if answer is None:
            raise OSError("no route")
        return answer


def test_spans_that_are_lost_are_told_once_and_counted() -> None:
    tallies = Tallies()
    exporter = TellingExporter(Flaky(), "http://collector:4318", tallies)
    span = ReadableSpan("a", status=Status())
    with capture_logs() as lines:
        for _ in range(4):
            exporter.export([span, span])
    assert [line["event"] for line in lines] == ["traces.lost", "traces.sent_again"]
    assert tallies.of(SPANS) == {("sent",): 4, ("lost",): 4}
