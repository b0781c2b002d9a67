"""What is told of a delivery beside its outcome: a span, the receiver's trace context, and a count of answers."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from edworkers.core.metric_names import WEBHOOK_ANSWERS
from edworkers.core.outcome import Failed, Outcome
from edworkers.core.tallies import TALLIES
from edworkers.telemetry.tracing import Span, client_span

NO_ANSWER = "none"
HEADER = "traceparent"

TALLIES.declare(WEBHOOK_ANSWERS, [("2xx",), ("3xx",), ("4xx",), ("5xx",), (NO_ANSWER,)])


class Delivery:
    """One request to a receiver."""

    def __init__(self, span: Span | None) -> None:
        self._span = span
        self._status: int | None = None

    def answered(self, status: int) -> None:
        """Take the status of the receiver's answer."""
        self._status = status
        if self._span is not None:
            self._span.set({"http.response.status_code": status})

    def came_to(self, outcome: Outcome) -> None:
        """Take what it came to, and count it."""
        status = self._status
        TALLIES.add(WEBHOOK_ANSWERS, (NO_ANSWER if status is None else f"{status // 100}xx",))
        if self._span is not None and isinstance(outcome, Failed):
            self._span.fail(outcome.kind if status is None else str(status))


@contextmanager
def delivery(request: Any, traceparent: str | None) -> Generator[Delivery]:
    """Tell of one request of httpx2's, which is given a trace context for its receiver.

    `traceparent` is the producer's, which is passed on where tracing is off. A header of the job's own stays.
    """
    url = request.url
    attributes = {"http.request.method": request.method, "server.address": url.host, "url.scheme": url.scheme}
    # Neither path nor query: they may hold what only sender and receiver are to know.
    attributes |= {"server.port": url.port or (443 if url.scheme == "https" else 80)}
    with client_span(request.method, attributes) as span:
        context = traceparent if span is None else span.traceparent
        if context is not None:
            request.headers.setdefault(HEADER, context)
        yield Delivery(span)
