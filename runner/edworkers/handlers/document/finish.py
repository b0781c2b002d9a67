"""Makes the result of what the sources became, which is PDF for all that has pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.pages import Range
from edworkers.handlers.document.pdf_compress import compress
from edworkers.handlers.document.pdf_merge import merge
from edworkers.handlers.document.pdf_open import count_pages
from edworkers.handlers.document.pdf_text import extract_text
from edworkers.handlers.document.pdf_thumbnails import thumbnails
from edworkers.handlers.document.request import DocumentData

_USUAL_WIDTH = 400
_ALL: tuple[Range, ...] = ((1, None),)


@dataclass(frozen=True, slots=True)
class Made:
    """The files of the result, and how many pages they have where that is known."""

    files: tuple[Path, ...]
    pages: int | None
    numbers: tuple[int, ...] | None = None
    """Of which page each file is a picture."""


def finish(data: DocumentData, produced: Sequence[Path], folder: Path, limits: Limits, *, is_pdf: bool) -> Made:
    """Make the result. `is_pdf` tells that the sources were PDF. Raises UnusableDocumentError."""
    first = produced[0]
    if data.to == "pdf":
        return _pdf(data, produced, folder, limits, is_pdf=is_pdf)
    if data.to == "png":
        return _pictures(data, first, folder, limits)
    if data.to == "txt" and _is_pdf(first):
        result = folder / "result.txt"
        text = extract_text(first, result, limits=limits)
        return Made((result,), text.pages)
    return Made((first,), None)


def _is_pdf(path: Path) -> bool:
    with path.open("rb") as file:
        return b"%PDF-" in file.read(1024)


def _pdf(data: DocumentData, produced: Sequence[Path], folder: Path, limits: Limits, *, is_pdf: bool) -> Made:
    made = produced[0]
    ranges = data.options.ranges
    if len(produced) > 1 or ranges is not None:
        made = folder / "merged.pdf"
        merge(produced, made, limits=limits, pages=ranges)
    if data.options.compress or (is_pdf and made is produced[0]):
        source, made = made, folder / "compressed.pdf"
        compress(source, made, limits=limits)
    return Made((made,), count_pages(made, limits=limits))


def _pictures(data: DocumentData, source: Path, folder: Path, limits: Limits) -> Made:
    into = folder / "pictures"
    into.mkdir()
    width = data.options.width or _USUAL_WIDTH
    drawn = thumbnails(source, into, limits=limits, width=width, pages=data.options.ranges or _ALL)
    return Made(tuple(drawn.values()), len(drawn), tuple(drawn))
