"""Log lines: how they look, what is left out of them, and how what became of a job is told."""

import logging
import sys
from collections.abc import MutableMapping, Sequence
from typing import Any

import structlog

from edworkers.core.redact import Redactor
from edworkers.core.redact_text import redact_text
from edworkers.core.verdict import Bury, Defer, Retry, Verdict
from edworkers.telemetry.job_lines import add_job, trace_fields

log: Any = structlog.stdlib.get_logger("edworkers")

LEVELS = ("debug", "info", "warning", "error")


def configure(level: str, style: str, more_names: Sequence[str] = ()) -> None:
    """Send log lines to stderr, without secrets: `style` is `json`, a line each, or `text` for people.

    `more_names` are fields whose values are left out besides those that the rules know.
    """
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            pad_event_to=14,
            exception_formatter=structlog.dev.plain_traceback,  # the usual one shows what variables hold
        )
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        add_job,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if style == "json":
        shared.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    # Last, so that tracebacks and what libraries log is gone through, too; text only then has its tracebacks.
    shown: list[Any] = [renderer] if style == "json" else [renderer, _redact_line]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _Redacting(more_names), *shown],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("edworkers").setLevel(level.upper())


_OURS = frozenset(
    {
        *("event", "level", "timestamp", "queue", "job", "runner", "receipt", "attempt", "seconds"),
        *("trace_id", "span_id"),
    }
)
"""Fields that hold no secret by what they are; an id must stay as it is, even if it looks like a card's number."""
_LONGEST = 20_000


class _Redacting:
    """Takes secrets out of the fields of a log line."""

    def __init__(self, more_names: Sequence[str]) -> None:
        self._redactor = Redactor(more_names)

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for name, value in event.items():
            if name == "event" and isinstance(value, str):
                event[name] = redact_text(value, _LONGEST)
            elif name not in _OURS and isinstance(value, str | list | tuple | dict):
                event[name] = self._redactor.field(name, value, _LONGEST)
        return event


def _redact_line(_logger: Any, _method: str, line: str) -> str:
    return redact_text(line, 8 * _LONGEST)


_SETTLED = {
    "ack": (logging.INFO, "job.done"),
    "retry": (logging.WARNING, "job.retried"),
    "defer": (logging.INFO, "job.deferred"),
    "bury": (logging.ERROR, "job.buried"),
    "cancel": (logging.INFO, "job.cancelled"),
    "release": (logging.INFO, "job.released"),
    "duplicate": (logging.INFO, "job.duplicate"),
}
_logger = logging.getLogger("edworkers")


def tell_settled(
    verb: str,
    job_id: str,
    verdict: Verdict,
    *,
    queue: str,
    attempt: int,
    seconds: float,
    traceparent: str | None = None,
) -> None:
    """Log what became of a job; `seconds` is how long the attempt ran, `traceparent` its trace context."""
    level, event = _SETTLED[verb]
    if not _logger.isEnabledFor(level):
        return
    more: dict[str, Any] = {}
    match verdict:
        case Retry(delay, error):
            more = {"reason": error["message"], "kind": error["kind"], "next_in_seconds": round(delay, 3)}
        case Bury(error):
            more = {"reason": error["message"], "kind": error["kind"]}
        case Defer(delay, reason):
            more = {"reason": reason or "its producer asked for a later time", "next_in_seconds": round(delay, 3)}
        case _:
            pass
    more |= trace_fields(traceparent)
    log.log(level, event, queue=queue, job=job_id, attempt=attempt, seconds=round(seconds, 4), **more)
