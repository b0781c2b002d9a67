"""Which pages are meant by `1-3,7,10-`."""

import re
from collections.abc import Sequence

from edworkers.handlers.document.errors import UnusableDocumentError

SHAPE = r"[0-9]{1,6}(-([0-9]{1,6})?)?(,[0-9]{1,6}(-([0-9]{1,6})?)?){0,199}"
_RANGE = re.compile(r"([0-9]+)(-([0-9]*))?")

Range = tuple[int, int | None]
"""The first and the last page, from 1; None for the last there is."""


def parse_pages(text: str) -> tuple[Range, ...]:
    """Read what pages are wanted. Raises ValueError."""
    if not re.fullmatch(SHAPE, text):
        raise ValueError("must be pages such as 1-3,7,10- with numbers from 1")
    ranges: list[Range] = []
    for match in _RANGE.finditer(text):
        first = int(match[1])
        last = int(match[3]) if match[3] else (None if match[2] else first)
        if first < 1 or (last is not None and last < first):
            raise ValueError(f"must have numbers from 1, the smaller before the larger, and not {match[0]}")
        ranges.append((first, last))
    return tuple(ranges)


def chosen(ranges: Sequence[Range], count: int) -> list[int]:
    """Give the numbers, from 1, of the pages that are wanted of `count`: in order, each once.

    Raises UnusableDocumentError where there is none of them.
    """
    wanted: set[int] = set()
    for first, last in ranges:
        wanted.update(range(first, min(count, count if last is None else last) + 1))
    if not wanted:
        raise UnusableDocumentError(f"it has {count} pages, and none of those that options.pages asks for")
    return sorted(wanted)
