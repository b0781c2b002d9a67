"""Writing for people and for programs: JSON, tables and times, in which nothing of a job's can steer the terminal."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

_STEERING = "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff"
"""Control characters (but for tab and line feed), halves of characters, and what turns the direction of writing."""

_IN_LINES = re.compile(f"[{_STEERING}]")
_IN_A_LINE = re.compile(f"[\t\n{_STEERING}]")
_BEYOND_ASCII = re.compile(f"[{_STEERING}]|[^\x00-\x7f]")


def safe(text: str, *, lines: bool = False) -> str:
    """Write characters that would steer a terminal as escapes; with `lines`, line feeds and tabs are kept."""
    pattern = _IN_LINES if lines else _IN_A_LINE
    return pattern.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def as_json_text(document: Any, stream: TextIO) -> str:
    """Write JSON for a stream: indented on a terminal, and with escapes for what it can't or shouldn't show."""
    from pydantic_core import to_json

    indent = 2 if stream.isatty() else None
    text = to_json(document, indent=indent, inf_nan_mode="null").decode()
    knows_all = (stream.encoding or "").lower().replace("-", "").startswith("utf")
    return (_IN_LINES if knows_all else _BEYOND_ASCII).sub(lambda match: json.dumps(match[0])[1:-1], text)


def print_json(document: Any) -> None:
    """Write a JSON document on stdout."""
    sys.stdout.write(f"{as_json_text(document, sys.stdout)}\n")


def say(text: str) -> None:
    """Write a line on stdout."""
    sys.stdout.write(f"{safe(text, lines=True)}\n")


def note(text: str) -> None:
    """Write a line on stderr: beside a command's answer, for people."""
    sys.stderr.write(f"{safe(text, lines=True)}\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Write a table on a terminal, else tab-separated lines under a line of names; `right` names columns of numbers."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            sys.stdout.write("\t".join(safe(cell) for cell in row) + "\n")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(safe(cell)) for cell in row))
    Console(file=sys.stdout).print(table)


def print_fields(fields: Mapping[str, str | None]) -> None:
    """Write names and values, a line each, without those that are None; further lines of a value are indented."""
    width = max(len(name) for name in fields)
    for name, value in fields.items():
        if value is not None:
            shown = safe(value, lines=True).replace("\n", "\n" + " " * (width + 2))
            sys.stdout.write(f"{name:<{width}}  {shown}\n")


def local_time(milliseconds: int | None, now: int | None = None) -> str | None:
    """Write a time (Unix ms) for people: on the local clock, and with `now` how long ago or how soon it is."""
    if milliseconds is None:
        return None
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()
    except (OverflowError, ValueError, OSError):
        return f"{milliseconds} ms after 1970"
    shown = f"{moment:%Y-%m-%d %H:%M:%S}"
    return shown if now is None else f"{shown} {moment:%Z} ({distance(milliseconds - now)})"


def distance(milliseconds: int) -> str:
    """Write how far a moment is: `in 5 min`, `3 d ago`."""
    shown = length(abs(milliseconds) / 1000)
    return f"in {shown}" if milliseconds > 0 else f"{shown} ago"


def length(seconds: float) -> str:
    """Write how long something takes: `5 min`, `3 d`."""
    long = ((least, size, unit) for least, size, unit in _UNITS if seconds >= least)
    return next((f"{seconds / size:.0f} {unit}" for _, size, unit in long), f"{seconds:.1f} s")


_UNITS = ((2 * 86400, 86400, "d"), (2 * 3600, 3600, "h"), (120, 60, "min"), (10, 1, "s"))
"""From how many seconds on a unit is used, its own seconds, its name."""


def rfc3339(milliseconds: int | None) -> str | None:
    """Write a time (Unix ms) for programs."""
    if milliseconds is None:
        return None
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
