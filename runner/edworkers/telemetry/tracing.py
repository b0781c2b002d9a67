"""Spans, where tracing is on; where it is off, nothing is done, and no library for it is loaded."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple, Protocol

from edworkers.core.outcome import Outcome

Attribute = str | int | float | bool | Sequence[str]


class Span(Protocol):
    """Something that is done, from its beginning to its end."""

    @property
    def traceparent(self) -> str:
        """The W3C trace context of what follows from it."""
        ...

    def set(self, attributes: Mapping[str, Attribute]) -> None:
        """Tell more of it."""
        ...

    def fail(self, kind: str, message: str = "") -> None:
        """Say that it failed; what looks like a secret or somebody's data is taken out of the message."""
        ...


class AttemptSpan(Span, Protocol):
    """One attempt at a job."""

    def enter(self) -> None:
        """Make what this task does from here on a part of it."""
        ...

    def settled(self, verb: str) -> None:
        """Tell what became of the job."""
        ...

    def end(self, outcome: Outcome | None) -> None:
        """End it as it came out; what is told of it later is not heard."""
        ...


class TracedJob(Protocol):
    """What is told of a job that is worked on."""

    @property
    def id(self) -> str:
        """The job's id."""
        ...

    @property
    def queue(self) -> str:
        """The queue it came from."""
        ...

    @property
    def type(self) -> str | None:
        """Its type, where the queue has several."""
        ...

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        ...

    @property
    def traceparent(self) -> str | None:
        """The producer's W3C trace context."""
        ...


class SpanIds(NamedTuple):
    """Names a span: its trace and itself, in hexadecimal digits."""

    trace_id: str
    span_id: str


class Tracer(Protocol):
    """What begins spans and sends them somewhere."""

    def begin_attempt(self, job: TracedJob) -> AttemptSpan:
        """Begin to work on a job: its first attempt goes on with its producer's trace, a later one is linked to it."""
        ...

    def client(self, name: str, attributes: Mapping[str, Attribute]) -> AbstractContextManager[Span]:
        """Ask another service in the block."""
        ...

    def producer(self, queue: str, parent: str | None) -> AbstractContextManager[Span]:
        """Enqueue in the block; `parent` is the trace context of whoever asked for it."""
        ...

    def ids(self) -> SpanIds | None:
        """Name the span that is current here."""
        ...

    def merge(self, spans: Sequence[Mapping[str, Any]]) -> None:
        """Take spans that the process of an isolated job has told."""
        ...


_using: list[Tracer] = []


def use(tracer: Tracer | None) -> None:
    """Trace with this from here on, in the whole process; None turns it off."""
    _using[:] = [] if tracer is None else [tracer]


def in_use() -> Tracer | None:
    """Give what traces, if something does."""
    return _using[0] if _using else None


def begin_attempt(job: TracedJob) -> AttemptSpan | None:
    """Begin the span of an attempt, where tracing is on."""
    return _using[0].begin_attempt(job) if _using else None


@contextmanager
def client_span(name: str, attributes: Mapping[str, Attribute]) -> Generator[Span | None]:
    """Give the span of a question to another service, where tracing is on."""
    if not _using:
        yield None
        return
    with _using[0].client(name, attributes) as span:
        yield span


@contextmanager
def producer_span(queue: str, parent: str | None = None) -> Generator[Span | None]:
    """Give the span of what enqueues, where tracing is on; jobs are to carry its `traceparent`."""
    if not _using:
        yield None
        return
    with _using[0].producer(queue, parent) as span:
        yield span
