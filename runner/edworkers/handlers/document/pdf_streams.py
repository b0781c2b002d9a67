"""Unpacks everything in a PDF before it is used: a small file may hold more than a machine does."""

import io
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edworkers.handlers.document.errors import UnusableDocumentError
from edworkers.handlers.document.limits import Limits

if TYPE_CHECKING:
    from pikepdf import Pdf, Stream

_PICTURES = {"/DCTDecode", "/DCT", "/JPXDecode", "/CCITTFaxDecode", "/CCF", "/JBIG2Decode"}
"""Filters that unpack pictures: their size is that of the picture."""
_MOST = 2**32 - 1  # of what the library can count
_ALL_TOGETHER = 16
"""How much larger than the largest part everything together may be."""


@contextmanager
def bounded_streams(limits: Limits) -> Generator[None]:
    """Let no part of a PDF unpack to more than it may, also where it is unpacked as the file is opened."""
    from pikepdf import settings

    most = min(limits.max_unpacked_bytes, _MOST)
    before = settings.set_qpdf_limits(
        flate_max_memory=most,
        run_length_max_memory=most,
        png_max_memory=most,
        tiff_max_memory=most,
        dct_max_memory=most,
        doc_max_warnings=1000,
    )
    try:
        yield
    finally:
        settings.set_qpdf_limits(**before)  # type: ignore[arg-type]


def check_streams(pdf: "Pdf", limits: Limits) -> None:
    """Unpack every part once. Raises UnusableDocumentError for what is damaged, or grows too large."""
    from pikepdf import Stream

    left = limits.max_unpacked_bytes * _ALL_TOGETHER
    objects: Iterable[Any] = pdf.objects
    for found in objects:
        if isinstance(found, Stream):
            _check_picture(found, limits)
            left -= _unpacked_bytes(found, limits)
        if left < 0:
            raise UnusableDocumentError("the PDF unpacks to far more than a document holds")


def _unpacked_bytes(stream: "Stream", limits: Limits) -> int:
    from pikepdf import PdfError, StreamDecodeLevel

    if not _PICTURES.isdisjoint(_filters(stream)):
        return 0
    try:
        size = len(stream.read_bytes(StreamDecodeLevel.specialized))
    except PdfError as error:
        if "limit exceeded" in str(error):
            raise _too_large(limits) from error
        if "unfilterable" in str(error):
            return 0  # a filter that nobody here knows is unpacked by nobody here
        raise
    if size > limits.max_unpacked_bytes:
        raise _too_large(limits)
    return size


def _too_large(limits: Limits) -> UnusableDocumentError:
    return UnusableDocumentError(
        f"a part of the PDF unpacks to more than {limits.max_unpacked_bytes:,} bytes, which is the limit"
    )


def _filters(stream: "Stream") -> set[str]:
    from pikepdf import Array

    found: Any = stream.get("/Filter")
    if found is None:
        return set()
    names: Iterable[Any] = found if isinstance(found, Array) else [found]
    return {str(name) for name in names}


def _check_picture(stream: "Stream", limits: Limits) -> None:
    """Refuse pictures that take more memory than one of `max_pixels` in 32 bits."""
    if stream.get("/Subtype") != "/Image":
        return
    bits = 1 if stream.get("/ImageMask") else _number(stream, "/BitsPerComponent") or 8
    edges = [(_number(stream, "/Width"), _number(stream, "/Height"))]
    if not {"/DCTDecode", "/DCT", "/JPXDecode"}.isdisjoint(_filters(stream)):
        edges.append(_edges_inside(stream))
    for width, height in edges:
        if width * height * bits * (1 if bits == 1 else 4) > limits.max_pixels * 32:
            raise UnusableDocumentError(
                f"a picture in the PDF is {width} by {height} pixels large; the limit is {limits.max_pixels:,} in all"
            )


def _number(stream: "Stream", name: str) -> int:
    try:
        return abs(int(stream.get(name, 0)))
    except (TypeError, ValueError) as error:
        raise UnusableDocumentError("the PDF is damaged: a picture has no size") from error


def _edges_inside(stream: "Stream") -> tuple[int, int]:
    """Read what a JPEG says of itself, which may be another size than the PDF says."""
    from PIL import Image

    most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # nothing is unpacked here, and we have our own limit
    try:
        with Image.open(io.BytesIO(stream.read_raw_bytes())) as picture:
            return picture.size
    except OSError:
        return 0, 0  # not of a kind that anything here would draw
    finally:
        Image.MAX_IMAGE_PIXELS = most
