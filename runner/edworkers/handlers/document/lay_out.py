"""The program that reads a stranger's HTML or Markdown: a process of its own, for either may break what reads it.

`python -m edworkers.handlers.document.lay_out` is given an `Order` as JSON on stdin, and tells a `Reply` on stdout.
What uses up all memory ends this process and not the job's, so that the job can tell what was wrong.
"""

import json
import logging
import resource
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from edworkers.handlers.document.depth import TOO_DEEP
from edworkers.handlers.document.errors import UnusableDocumentError
from edworkers.handlers.document.web_pages import html_to_pdf, markdown_to_html

USUAL_BYTES = 1024**3
"""How much memory it may use where its job has no limit."""
_LEFT_BYTES = 192 * 1024**2
"""What is left of the job's memory for the job itself."""
_NOT_ALLOWED, _ELSEWHERE = "disallowed protocol", "it lies elsewhere, and only what is in the document itself is loaded"
_MOST_MISSING, _LONGEST_NAME, _LONGEST_REASON = 20, 80, 150


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made. `to` is `pdf`, of HTML, or `html`, of Markdown."""

    to: str
    source: str
    result: str
    title: str
    max_pages: int
    max_pixels: int
    """Of a picture in it."""


@dataclass(slots=True)
class Reply:
    """What came of it: nothing is `wrong`, or else that is the reason, for people, why no attempt will do better."""

    wrong: str = ""
    missing: list[str] = field(default_factory=list[str])
    """Pictures and styles that weren't loaded, each with the reason."""


def memory_bytes() -> int:
    """Give how much memory may be used here, of what this process's own limit allows to the whole job."""
    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    whole = USUAL_BYTES if soft == resource.RLIM_INFINITY else soft
    return max(whole - _LEFT_BYTES, whole // 2)


def too_large() -> str:
    """Say that its memory wasn't enough."""
    allowed = f"the {memory_bytes() // 1024**2} MiB that a job's memory leaves for it"
    return f"it needs more memory than {allowed} to be laid out: split it, or raise job.memory"


def lay_out(order: Order) -> Reply:
    """Do what was ordered."""
    reply, reason = Reply(), too_large()
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes(), hard))
    try:
        _make(order, reply)
    except UnusableDocumentError as error:
        reply.wrong = error.reason
    except RecursionError:
        reply.wrong = TOO_DEEP
    except MemoryError:
        reply.wrong = reason
    except OSError:
        raise  # the disk's fault, or the machine's: another attempt may do better
    except Exception as error:  # noqa: BLE001 - whatever a document makes of a library, it does so each time
        reply.wrong = f"it can't be laid out: {type(error).__name__}: {str(error)[:_LONGEST_REASON]}"
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
    return reply


def _make(order: Order, reply: Reply) -> None:
    source, result = Path(order.source), Path(order.result)
    if order.to == "html":
        markdown_to_html(source, result, order.title)
        return
    _bound_pictures(order.max_pixels)
    _listen("weasyprint.progress", logging.INFO, lambda record: _check_page(record, order.max_pages))
    _listen("weasyprint", logging.ERROR, lambda record: _note(record, reply.missing))
    html_to_pdf(source, result)


def _bound_pictures(pixels: int) -> None:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = pixels
    warnings.simplefilter("error", Image.DecompressionBombWarning)


class _Listener(logging.Handler):
    """Hands on what a library tells; what `hear` raises goes through the library, and ends its work."""

    def __init__(self, level: int, hear: Callable[[logging.LogRecord], None]) -> None:
        super().__init__(level)
        self._hear = hear

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a line on."""
        self._hear(record)


def _listen(name: str, level: int, hear: Callable[[logging.LogRecord], None]) -> None:
    logger = logging.getLogger(name)
    logger.handlers = [_Listener(level, hear)]
    logger.setLevel(level)
    logger.propagate = False


def _check_page(record: logging.LogRecord, most: int) -> None:
    """Stop at a page too many: WeasyPrint tells the number of each page that it begins."""
    page = record.args[0] if isinstance(record.args, tuple) and "Page" in record.msg and record.args else 0
    if isinstance(page, int) and page > most:
        raise UnusableDocumentError(f"it has more than the {most} pages that are allowed (DOCUMENT_MAX_PAGES)")


def _note(record: logging.LogRecord, missing: list[str]) -> None:
    if "Failed to" not in record.msg or len(missing) >= _MOST_MISSING:
        return
    name, reason = (*(_in_words(each) for each in record.args or ()), "", "")[:2]
    shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
    told = f"{shown}: {reason[:_LONGEST_REASON]}" if reason else shown
    if told not in missing:
        missing.append(told)


def _in_words(told: object) -> str:
    """Write an argument of a log line; an error that has no words of its own is told by its cause."""
    cause = told.__cause__ if isinstance(told, BaseException) and not str(told) else None
    words = str(told if cause is None else cause)
    return _ELSEWHERE if _NOT_ALLOWED in words else words


def main() -> None:
    """Do what stdin says, and tell what came of it."""
    reply = lay_out(Order(**json.load(sys.stdin)))
    json.dump(asdict(reply), sys.stdout)


if __name__ == "__main__":
    main()
