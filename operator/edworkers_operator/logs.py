"""Log lines of the operator and of the libraries it uses, kopf's among them, in one form."""

import logging
import sys
from typing import Any

import structlog

_QUIET = {"kopf": logging.WARNING, "kubernetes": logging.ERROR, "aiohttp": logging.WARNING, "asyncio": logging.WARNING}


def log_as(form: str, level: str) -> None:
    """Write lines to stderr: `text` for people, anything else is JSON."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    shown: Any = structlog.dev.ConsoleRenderer() if form == "text" else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, shown],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper() if level.upper() in logging.getLevelNamesMapping() else "INFO")
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(least)
