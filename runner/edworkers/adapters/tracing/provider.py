"""Turns tracing on for a process, and off at its end."""

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

from edworkers.adapters.tracing.carried import SpansToCarry
from edworkers.adapters.tracing.exporter import TellingExporter
from edworkers.adapters.tracing.settings import ENDPOINT, TRACES_ENDPOINT
from edworkers.adapters.tracing.spans import OtelTracer
from edworkers.core.redact_text import redact_text
from edworkers.core.tallies import TALLIES
from edworkers.core.version import own_version
from edworkers.telemetry import tracing

FLUSH_SECONDS = 1.5
"""For how long the end of a process waits for spans that were not sent yet."""


class Tracing:
    """Sends the spans of this process until it is closed."""

    def __init__(self, env: Mapping[str, str], instance: str, attributes: Mapping[str, str]) -> None:
        """Begin; `instance` names the process, `attributes` are told with all its spans."""
        _hand_on(env)
        endpoint = redact_text(env.get(TRACES_ENDPOINT) or env.get(ENDPOINT) or "")
        self._processor = BatchSpanProcessor(TellingExporter(OTLPSpanExporter(), endpoint, TALLIES))
        self._provider = TracerProvider(resource=_resource(instance, attributes), shutdown_on_exit=False)
        self._provider.add_span_processor(self._processor)
        # For what handlers trace themselves.
        trace.set_tracer_provider(self._provider)
        tracing.use(OtelTracer(self._provider, self._processor))

    async def close(self) -> None:
        """Send what is left, as long as that may take, and trace no more."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        self._begin_close(lambda: loop.call_soon_threadsafe(done.set))
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await done.wait()

    def close_now(self) -> None:
        """Do the same in a program without an event loop."""
        done = threading.Event()
        self._begin_close(done.set)
        done.wait(FLUSH_SECONDS)

    def _begin_close(self, when_done: Callable[[], object]) -> None:
        tracing.use(None)

        def send() -> None:
            with suppress(Exception):  # whatever it is, the process is to end
                self._provider.shutdown()
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                when_done()

        # A thread that may be left behind: a collector that doesn't answer keeps no process from its end.
        threading.Thread(target=send, name="traces", daemon=True).start()


class TracingOfJob:
    """Keeps the spans of an isolated job's process, for its runner."""

    def __init__(self, traceparent: str) -> None:
        """Begin as a part of the attempt that has this trace context."""
        self._spans = SpansToCarry()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._spans))
        trace.set_tracer_provider(provider)
        tracer = OtelTracer(provider)
        tracer.enter(traceparent)
        tracing.use(tracer)
        self.take = self._spans.take


def _hand_on(env: Mapping[str, str]) -> None:
    """Put the variables that stand in a `.env` where OpenTelemetry looks for them."""
    for name, value in env.items():
        if name.startswith("OTEL_") and value:
            os.environ.setdefault(name, value)


def _resource(instance: str, attributes: Mapping[str, str]) -> Resource:
    """Say who sends spans; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before it."""
    usual = {"service.name": "edworkers", "service.version": own_version(), "service.instance.id": instance}
    return Resource.create({**usual, **attributes}).merge(OTELResourceDetector().detect())
