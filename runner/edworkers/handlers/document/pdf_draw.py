"""Opens a PDF to be drawn or read by PDFium, after it was found to be sound."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edworkers.handlers.document.errors import UnusableDocumentError
from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.pdf_open import count_pages


@contextmanager
def drawable(source: Path, limits: Limits) -> Generator[Any]:
    """Give pypdfium2's document for as long as the block lasts.

    Raises UnusableDocumentError, also for what the block finds to be damaged.
    """
    from pypdfium2 import PdfDocument, PdfiumError

    count_pages(source, limits=limits)  # PDFium has no limits of its own
    try:
        document = PdfDocument(source)
        try:
            yield document
        finally:
            document.close()
    except PdfiumError as error:
        raise UnusableDocumentError(f"the PDF is damaged: {str(error)[:200]}") from error
