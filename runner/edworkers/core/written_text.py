"""The text that a handler writes while it works: how much of it is kept, and for how long."""

MAX_TEXT_BYTES = 256 * 1024
"""Of one attempt, in UTF-8; what comes after is in the result only."""

MAX_TEXT_PIECES = 10_000
"""Of one attempt."""

TEXT_KEPT_MS = 3_600_000
"""From the latest piece on; it goes with the job's record, if that goes before."""


def cut_to(text: bytes, most: int) -> bytes:
    """Give the beginning of a text (UTF-8), at most so many bytes of whole characters."""
    if len(text) <= most:
        return text
    end = max(most, 0)
    while end and text[end] & 0xC0 == 0x80:  # the byte after the cut belongs to the character before it
        end -= 1
    return text[:end]
