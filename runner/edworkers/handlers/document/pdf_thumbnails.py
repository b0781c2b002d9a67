"""Draws the pages of a PDF as pictures."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edworkers.handlers.document.errors import UnusableDocumentError
from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.pages import Range, chosen
from edworkers.handlers.document.pdf_draw import drawable

if TYPE_CHECKING:
    from PIL.Image import Image

_LONGEST_EDGE = 16_384  # of a PNG, for those who are to show it
FIRST: Sequence[Range] = ((1, 1),)


def thumbnails(
    source: Path, folder: Path, *, limits: Limits, width: int = 400, pages: Sequence[Range] = FIRST
) -> dict[int, Path]:
    """Write a PNG of each of the pages into a folder, and return the files by the numbers of their pages.

    Each is `width` pixels wide, or less where a page is so high that it would be too large: `max_pixels` in all.
    Raises UnusableDocumentError.
    """
    drawn: dict[int, Path] = {}
    with drawable(source, limits) as document:
        for number in chosen(pages, len(document)):
            drawn[number] = folder / f"page-{number:04}.png"
            picture = _picture(document, number, width, limits.max_pixels)
            picture.save(drawn[number], "PNG", optimize=True)
    return drawn


def _picture(document: Any, number: int, width: int, most_pixels: int) -> "Image":
    page = document[number - 1]
    try:
        size = page.get_size()
        if not all(0 < edge < math.inf for edge in size):
            raise UnusableDocumentError(f"the PDF is damaged: page {number} has no size")
        bitmap = page.render(scale=_scale(size, width, most_pixels))
        try:
            picture: Image = bitmap.to_pil().convert("RGB").copy()
        finally:
            bitmap.close()
    finally:
        page.close()
    return picture


def _scale(size: tuple[float, float], width: int, most_pixels: int) -> float:
    """Find how many pixels a point of the page gets: at least one in each direction comes of it."""
    return min(width / size[0], _LONGEST_EDGE / size[1], math.sqrt(most_pixels / size[0]) / math.sqrt(size[1]))
