"""How much a document may be."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is larger than this is an UnusableDocumentError."""

    max_bytes: int = 100 * 1024 * 1024
    """Of a file, and of all sources together."""
    max_pages: int = 1000
    """Of a document, and of all sources together."""
    max_pixels: int = 40_000_000
    """Of a picture that is drawn or decoded: 160 MB of memory while it is at work."""
    max_unpacked_bytes: int = 256 * 1024 * 1024
    """Of the largest part of a document once it is unpacked; all of its parts together may be 16 times as large."""
