"""Takes the text out of a PDF."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edworkers.handlers.document.errors import UnusableDocumentError
from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.pages import Range, chosen
from edworkers.handlers.document.pdf_draw import drawable

ALL: Sequence[Range] = ((1, None),)

_NOT_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Text:
    """What was found."""

    pages: int
    characters: int
    """Without spaces: none in a document of scanned pictures."""
    bytes: int


def extract_text(source: Path, destination: Path, *, limits: Limits, pages: Sequence[Range] = ALL) -> Text:
    """Write the text of the pages as UTF-8, with a form feed between two pages and a line feed at the end of each line.

    Raises UnusableDocumentError.
    """
    characters = 0
    with drawable(source, limits) as document, destination.open("w", encoding="utf-8", newline="\n") as file:
        numbers = chosen(pages, len(document))
        for number in numbers:
            text = _text_of(document, number)
            characters += len("".join(text.split()))
            file.write(text if number == numbers[0] else f"\f{text}")
            if file.tell() > limits.max_bytes:
                raise UnusableDocumentError(f"the text is longer than {limits.max_bytes:,} bytes, which is the limit")
    return Text(len(numbers), characters, destination.stat().st_size)


def _text_of(document: Any, number: int) -> str:
    page = document[number - 1]
    try:
        text = page.get_textpage().get_text_bounded()
    finally:
        page.close()
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(_NOT_TEXT.sub("", line).rstrip() for line in lines).strip("\n") + "\n"
