"""Opens PDF files of strangers: what is broken, locked, too large or a bomb is told apart and refused."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edworkers.handlers.document.errors import UnusableDocumentError
from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.pdf_streams import bounded_streams, check_streams

if TYPE_CHECKING:
    from pikepdf import Pdf

_OWN_FILE = re.compile(r"^/[^\s:]+:? ")
_NO_PAGES = "the PDF has no pages"
_END = b"%%EOF"
_WHERE_THE_END_IS = 1024  # bytes from the end of a file, as readers of PDF have it


@dataclass(frozen=True, slots=True)
class Pages:
    """What became of a PDF."""

    pages: int
    bytes: int


@contextmanager
def opened(source: Path, limits: Limits) -> Generator["Pdf"]:
    """Open a PDF file that is whole, not locked and within the limits, for as long as the block lasts.

    A password that is needed only to change it is no hindrance. Raises UnusableDocumentError, also for what the block
    finds to be damaged.
    """
    check_bytes(source, limits)
    with damage_told(), bounded_streams(limits), _open(source) as pdf:
        _check_pages(pdf, limits)
        check_streams(pdf, limits)
        yield pdf


@contextmanager
def damage_told() -> Generator[None]:
    """Translate what pikepdf raises to UnusableDocumentError, without the names of our own files."""
    from pikepdf import PikepdfError

    try:
        yield
    except PikepdfError as error:
        said = _OWN_FILE.sub("", str(error))[:200]
        raise UnusableDocumentError(_NO_PAGES if "no pages" in said else f"the PDF is damaged: {said}") from error
    except UnicodeDecodeError as error:
        raise UnusableDocumentError("the PDF is damaged: it has a name that is no text") from error
    except RecursionError as error:
        raise UnusableDocumentError("the PDF is damaged: it is nested too deeply") from error


def count_pages(source: Path, *, limits: Limits) -> int:
    """Count the pages of a PDF. Raises UnusableDocumentError."""
    with opened(source, limits) as pdf:
        return len(pdf.pages)


def check_bytes(source: Path, limits: Limits, *, others: int = 0) -> int:
    """Give the size of a file and `others`. Raises UnusableDocumentError when that is too much, or nothing."""
    size = source.stat().st_size
    if size == 0:
        raise UnusableDocumentError("the file is empty")
    if size + others > limits.max_bytes:
        raise UnusableDocumentError(f"there are more than {limits.max_bytes:,} bytes, which is the limit")
    return size + others


def _open(source: Path) -> "Pdf":
    """Open what is sound, and what can be mended without losing something."""
    import pikepdf

    try:
        return pikepdf.open(source, attempt_recovery=False)
    except pikepdf.PasswordError:
        raise UnusableDocumentError("the PDF needs a password to be opened") from None
    except pikepdf.PdfError as error:
        reason = _why_not(source)
        if reason is not None:
            raise UnusableDocumentError(reason) from error
    try:
        return pikepdf.open(source)
    except pikepdf.PasswordError:
        raise UnusableDocumentError("the PDF needs a password to be opened") from None


def _why_not(source: Path) -> str | None:
    """Say why a damaged file isn't worth mending: half a file would be mended to a document with holes."""
    with source.open("rb") as file:
        if b"%PDF-" not in file.read(_WHERE_THE_END_IS):
            return "the file is not a PDF"
        file.seek(max(0, source.stat().st_size - _WHERE_THE_END_IS))
        if _END not in file.read():
            return "the PDF is incomplete: its end is missing"
    return None


def _check_pages(pdf: "Pdf", limits: Limits) -> None:
    pages = len(pdf.pages)
    if pages == 0:
        raise UnusableDocumentError(_NO_PAGES)
    check_page_count(pages, limits)


def check_page_count(pages: int, limits: Limits) -> None:
    """Refuse what has too many pages."""
    if pages > limits.max_pages:
        raise UnusableDocumentError(f"there are {pages:,} pages, and the limit is {limits.max_pages:,}")
