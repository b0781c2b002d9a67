"""Values of a query as text for people and spreadsheets."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from pydantic_core import to_json

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - spreadsheets take them, too


def text_of(value: Any) -> str:
    """Write a value: nothing for NULL, times as ISO 8601, bytes as hexadecimal digits, lists and objects as JSON."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f")
        case datetime() | date() | time():
            return value.isoformat()
        case bytes():
            return value.hex()
        case dict() | list():
            return to_json(value, fallback=str).decode()
        case _:
            return str(value)


def safe_cell(value: Any) -> str:
    """Write a value for a CSV file: text that a spreadsheet would take for a formula gets a ' before it."""
    text = text_of(value)
    if isinstance(value, int | float | Decimal):
        return text
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_rows(rows: Iterable[Sequence[Any]]) -> bytes:
    """Write rows as CSV by RFC 4180, in UTF-8."""
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerows([safe_cell(value) for value in row] for row in rows)
    return written.getvalue().encode(errors="replace")
