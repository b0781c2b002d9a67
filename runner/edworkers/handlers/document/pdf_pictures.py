"""Makes the pictures in a PDF smaller."""

import io
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pikepdf import Pdf, Stream

_LIKE_JPEG = {"L", "RGB"}


def shrink_pictures(pdf: "Pdf", *, longest_edge: int, quality: int) -> None:
    """Draw pictures smaller that are larger than they need to be; those of unusual kinds stay as they are."""
    from pikepdf import Stream

    for found in pdf.objects:
        if isinstance(found, Stream) and _is_plain(found) and _edge(found) > longest_edge:
            _shrink(found, longest_edge, quality)


def _is_plain(stream: "Stream") -> bool:
    """Say whether it is a picture of three colours or of grey, without what depends on its exact values."""
    return (
        stream.get("/Subtype") == "/Image"
        and stream.get("/BitsPerComponent") == 8
        and not any(name in stream for name in ("/ImageMask", "/Mask", "/Decode", "/Alternates"))
        and not ("/SMask" in stream and "/Matte" in stream["/SMask"])
        and _colours(stream.get("/ColorSpace")) in {1, 3}
    )


def _colours(space: Any) -> int | None:
    """Count the colours of a colour space; None for those that are anything but light."""
    from pikepdf import Array

    if isinstance(space, Array) and len(space) == 2:
        if space[0] == "/ICCBased":
            return int(space[1].get("/N", 0))
        return {"/CalRGB": 3, "/CalGray": 1}.get(str(space[0]))
    return {"/DeviceRGB": 3, "/DeviceGray": 1}.get(str(space)) if not isinstance(space, Array) else None


def _edge(stream: "Stream") -> int:
    return max(int(stream["/Width"]), int(stream["/Height"]))


def _shrink(stream: "Stream", longest_edge: int, quality: int) -> None:
    """Replace a picture by a smaller one of the same colours, where that takes fewer bytes."""
    from pikepdf import Name, PdfError, PdfImage
    from PIL import Image

    try:
        picture = PdfImage(stream).as_pil_image()
    except (PdfError, OSError, ValueError, NotImplementedError, Image.DecompressionBombError):
        return
    if picture.mode not in _LIKE_JPEG or (picture.mode == "L") != (_colours(stream["/ColorSpace"]) == 1):
        return
    scale = longest_edge / max(picture.size)
    smaller = picture.resize(tuple(max(1, math.floor(edge * scale)) for edge in picture.size), Image.Resampling.LANCZOS)
    packed = io.BytesIO()
    smaller.save(packed, "JPEG", quality=quality, optimize=True)
    if packed.tell() < len(stream.read_raw_bytes()):
        stream.write(packed.getvalue(), filter=Name.DCTDecode)
        stream["/Width"], stream["/Height"] = smaller.size
