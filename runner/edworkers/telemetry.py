"""What happened, told as log lines."""

import logging
import sys
from typing import Any

import structlog

from edworkers.core.verdict import Bury, Defer, Retry, Verdict

log: Any = structlog.stdlib.get_logger("edworkers")

LEVELS = ("debug", "info", "warning", "error")


def configure(level: str, style: str) -> None:
    """Send log lines to stderr: `style` is `json`, a line each, or `text` for people."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=14)
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
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
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("edworkers").setLevel(level.upper())


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


def tell_settled(verb: str, queue: str, job_id: str, verdict: Verdict, *, attempt: int, seconds: float) -> None:
    """Log what became of a job; `seconds` is how long the attempt ran."""
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
    log.log(level, event, queue=queue, job=job_id, attempt=attempt, seconds=round(seconds, 4), **more)
