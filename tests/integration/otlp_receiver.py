"""A receiver of traces over OTLP/HTTP, as a collector is one, that keeps what it is sent."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan
from tests.integration.processes import eventually

NOTHING = "0" * 16
_CLOSING = b"connection: close\r\n"


@dataclass(frozen=True)
class Link:
    trace_id: str
    span_id: str


@dataclass(frozen=True)
class Span:
    """A span as it was sent."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    links: tuple[Link, ...]
    events: tuple[tuple[str, dict[str, Any]], ...]
    failed: bool
    said: str
    """The description of its status."""
    seconds: float
    resource: dict[str, Any]

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-01"


@dataclass
class Collector:
    """What was received so far."""

    spans: list[Span] = field(default_factory=list)
    raw: bytes = b""
    """Everything as it came, to look for what must not be in it."""
    requests: int = 0
    url: str = ""
    status: int = 200

    @property
    def env(self) -> dict[str, str]:
        """Variables by which a program sends its traces here, without waiting for more of them."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "NO_PROXY": "127.0.0.1",
        }

    async def gets(self, is_wanted: Callable[[Span], bool], count: int = 1) -> list[Span]:
        """Wait for so many spans that are wanted; the test's own time limit ends a wait for what never comes."""

        async def enough() -> bool:
            return sum(map(is_wanted, self.spans)) >= count

        await eventually(enough)
        return [span for span in self.spans if is_wanted(span)]

    async def named(self, name: str, **attributes: Any) -> Span:
        """Wait for the one span with this name and these attributes, `edworkers.` or not before their names."""

        def fits(span: Span) -> bool:
            found = {key.rpartition(".")[2]: value for key, value in span.attributes.items()}
            return span.name == name and attributes.items() <= found.items()

        [span] = await self.gets(fits)
        return span


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Receive traces until the block ends."""
    collector = Collector()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            headers = dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)
            body = await reader.readexactly(int(headers["content-length"]))
            collector.requests += 1
            if collector.status == 200:
                assert head.startswith("post /v1/traces http/1.1\r\n")
                body = zlib.decompress(body, 31) if headers.get("content-encoding") == "gzip" else body
                collector.raw += body
                collector.spans += _read(ExportTraceServiceRequest.FromString(body))
            writer.write(b"HTTP/1.1 %d x\r\ncontent-length: 0\r\n" % collector.status + _CLOSING + b"\r\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    async with server:
        collector.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield collector


def _read(request: ExportTraceServiceRequest) -> list[Span]:
    return [
        _span(span, _attributes(of_resource.resource.attributes))
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


def _span(span: Any, resource: dict[str, Any]) -> Span:
    return Span(
        name=span.name,
        kind=ProtoSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex() or NOTHING,
        attributes=_attributes(span.attributes),
        links=tuple(Link(link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        events=tuple((event.name, _attributes(event.attributes)) for event in span.events),
        failed=span.status.code == 2,
        said=span.status.message,
        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        resource=resource,
    )


def _attributes(attributes: Any) -> dict[str, Any]:
    return {attribute.key: _value(attribute.value) for attribute in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind)
