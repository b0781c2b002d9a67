"""Puts several PDF files together to one."""

import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from edworkers.handlers.document.errors import UnusableDocumentError
from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.pages import Range, chosen
from edworkers.handlers.document.pdf_active import strip_active
from edworkers.handlers.document.pdf_open import Pages, check_bytes, check_page_count, count_pages, damage_told, opened

if TYPE_CHECKING:
    from pikepdf import Pdf

_ALL: Sequence[Range] = ((1, None),)


def merge(sources: Sequence[Path], destination: Path, *, limits: Limits, pages: Sequence[Range] | None = None) -> Pages:
    """Write the pages of all sources, in order, with their bookmarks and forms.

    The limits are for all sources together. `pages` are counted through all of them; without it every page is written.
    What acts by itself is taken out. The same sources give the same bytes again.

    Raises UnusableDocumentError, which names the source by its number.
    """
    from pikepdf import Pdf

    if not sources:
        raise UnusableDocumentError("there is nothing to merge")
    wanted = _wanted(sources, limits, pages or _ALL)
    with Pdf.new() as merged:
        for number, source in enumerate(sources, 1):
            with _named(number, sources), opened(source, limits) as pdf:
                strip_active(pdf)
                merged.add_pages_from(pdf, wanted[number - 1])
        count = len(merged.pages)
        save(merged, destination)
    return Pages(count, destination.stat().st_size)


def _wanted(sources: Sequence[Path], limits: Limits, pages: Sequence[Range]) -> list[list[int]]:
    """Find the pages (from 0) that are wanted of each source."""
    size, firsts = 0, [0]
    for number, source in enumerate(sources, 1):
        with _named(number, sources):
            size = check_bytes(source, limits, others=size)
            firsts.append(firsts[-1] + count_pages(source, limits=limits))
            check_page_count(firsts[-1], limits)
    numbers = chosen(pages, firsts[-1])
    return [[number - 1 - first for number in numbers if first < number <= end] for first, end in pairwise(firsts)]


@contextmanager
def _named(number: int, sources: Sequence[Path]) -> Generator[None]:
    """Say of which of several sources something is true."""
    try:
        yield
    except UnusableDocumentError as error:
        if len(sources) == 1:
            raise
        raise UnusableDocumentError(f"source {number}: {error.reason}") from error


def save(pdf: "Pdf", destination: Path) -> None:
    """Write a PDF packed as well as it can be, without a password, and the same bytes for the same content."""
    from pikepdf import ObjectStreamMode, PageCopyWarning

    with damage_told(), warnings.catch_warnings():
        # A form that was broken before is none of ours.
        warnings.simplefilter("ignore", PageCopyWarning)
        pdf.remove_unreferenced_resources()
        pdf.save(
            destination,
            compress_streams=True,
            recompress_flate=True,
            object_stream_mode=ObjectStreamMode.generate,
            deterministic_id=True,
            encryption=False,
        )
