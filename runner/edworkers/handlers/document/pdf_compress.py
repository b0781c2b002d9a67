"""Makes a PDF smaller."""

import shutil
from pathlib import Path

from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.pdf_active import strip_active
from edworkers.handlers.document.pdf_merge import save
from edworkers.handlers.document.pdf_open import Pages, opened
from edworkers.handlers.document.pdf_pictures import shrink_pictures


def compress(source: Path, destination: Path, *, limits: Limits, longest_edge: int = 1754, quality: int = 75) -> Pages:
    """Write the same pages in fewer bytes: packed anew, and pictures drawn smaller than they are.

    `longest_edge` is the most pixels of a picture in each direction (1754 is A4 at 150 dpi), `quality` that of JPEG.
    What acts by itself is taken out. Where that isn't smaller, and nothing was to be taken out, the source is copied.
    Raises UnusableDocumentError.
    """
    with opened(source, limits) as pdf:
        pages = len(pdf.pages)
        stripped = strip_active(pdf)
        shrink_pictures(pdf, longest_edge=longest_edge, quality=quality)
        save(pdf, destination)
    if not stripped and destination.stat().st_size >= source.stat().st_size:
        shutil.copyfile(source, destination)
    return Pages(pages, destination.stat().st_size)
