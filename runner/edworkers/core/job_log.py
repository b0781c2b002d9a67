"""What a handler logs of its job, in the bounds within which it is kept with the job's record."""

from collections import deque
from collections.abc import Iterable
from typing import Literal

from pydantic_core import to_json

Level = Literal["debug", "info", "warning", "error"]
LEVELS: dict[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
"""Each level, and its number in Python's logging."""

MOST_LINES = 100
LONGEST_MESSAGE = 500
MOST_BYTES = 16_384
_BETWEEN = b'},{"at":'
"""What stands between two lines, and can't stand in a message, whose quotes are escaped."""


def check_level(level: str) -> None:
    """Raise ValueError for what is no level."""
    if level not in LEVELS:
        raise ValueError(f"a log's level is one of {', '.join(LEVELS)}, not {level!r}")


class JobLog:
    """What one attempt has logged: the latest 100 lines, each of at most 500 characters."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque(maxlen=MOST_LINES)

    def add(self, at: int, level: str, message: str) -> str:
        """Add a line, said at `at` (Unix ms); returns its message as it is kept."""
        kept = message if len(message) <= LONGEST_MESSAGE else f"{message[: LONGEST_MESSAGE - 1]}…"
        # Half of a surrogate pair, as in the name of a file that isn't UTF-8, couldn't be written.
        kept = kept.encode(errors="backslashreplace").decode()
        self._lines.append(to_json({"at": at, "level": level, "message": kept}))
        return kept

    def write(self) -> bytes:
        """Write the latest lines, as many as fit, as a JSON array."""
        return _array(self._lines)


def _array(lines: Iterable[bytes]) -> bytes:
    kept: deque[bytes] = deque()
    size = len(b"[]")
    for line in reversed([*lines]):
        size += len(line) + len(b",")
        if size > MOST_BYTES + len(b","):
            break
        kept.appendleft(line)
    return b"[" + b",".join(kept) + b"]" if kept else b""


def add_logs(before: bytes, logs: bytes) -> bytes:
    """Put the log of an attempt behind those before it, both JSON arrays; of what is too much the oldest lines go."""
    if not before:
        return logs
    both = before[:-1] + b"," + logs[1:]
    if len(both) <= MOST_BYTES:
        return both
    at = both.find(_BETWEEN, len(both) - MOST_BYTES - 1)
    return logs if at < 0 else b"[" + both[at + 2 :]
