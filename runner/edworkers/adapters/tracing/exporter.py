"""Sends spans over OTLP; that it can't is told once, and disturbs nothing."""

import logging
from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from edworkers.core.metric_names import SPANS
from edworkers.core.tallies import Tallies
from edworkers.telemetry import log


class TellingExporter(SpanExporter):
    """An exporter that tells when spans begin to be lost, and when they no longer are."""

    def __init__(self, exporter: SpanExporter, endpoint: str, tallies: Tallies) -> None:
        # The libraries' own loggers would tell each failure again, each second.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._exporter = exporter
        self._endpoint = endpoint
        self._tallies = tallies
        self._fails = False
        tallies.declare(SPANS, [("sent",), ("lost",)])

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans."""
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001 - whatever it is, jobs are to go on
            result, reason = SpanExportResult.FAILURE, f"{type(error).__name__}: {error}"
        else:
            reason = "the collector can't be reached, or refused them"
        is_sent = result is SpanExportResult.SUCCESS
        self._tallies.add(SPANS, ("sent" if is_sent else "lost",), len(spans))
        self._tell(reason, is_sent=is_sent)
        return result

    def _tell(self, reason: str, *, is_sent: bool) -> None:
        if is_sent and self._fails:
            log.info("traces.sent_again", endpoint=self._endpoint)
        elif not is_sent and not self._fails:
            log.warning("traces.lost", endpoint=self._endpoint, reason=reason, then="jobs go on without them")
        self._fails = not is_sent

    def shutdown(self) -> None:
        """Send no more."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what is left, if anything is."""
        return self._exporter.force_flush(timeout_millis)
