"""Where the next part of a list begins, as text that nobody needs to understand."""

import base64
import binascii
import re
from typing import Any, cast

from pydantic_core import from_json, to_json

from edworkers.core.lifecycle import State

Place = tuple[str | int, ...]
"""Begins with what kind of place it is; bytes of Redis are in it as Latin-1, one character each."""


def write(state: State, place: Place) -> str:
    """Write a place in the list of jobs in a state; letters, digits, hyphens and underscores only."""
    return base64.urlsafe_b64encode(to_json((state.value, *place))).decode("ascii").rstrip("=")


def read(state: State, cursor: str) -> Place:
    """Read what `write` wrote. Raises ValueError for what isn't a cursor of a list of jobs in that state."""
    wrong = f"this cursor isn't one of the {state.value} jobs of this queue: begin without a cursor"
    try:
        words: Any = from_json(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error) as error:
        raise ValueError(wrong) from error
    match words:
        case [state.value, str(kind), *rest] if kind in _SHAPES[state] and _fits(rest, _SHAPES[state][kind]):
            if kind != "after" or _SCORE.fullmatch(rest[0]):
                return (kind, *cast("list[str | int]", rest))
            raise ValueError(wrong)
        case _:
            raise ValueError(wrong)


_BY_SCORE: dict[str, tuple[type, ...]] = {"after": (str, str)}
_SHAPES: dict[State, dict[str, tuple[type, ...]]] = {
    State.PENDING: {"list": (int, int, int, str, str), "lines": (str,)},
    State.INFLIGHT: {"receipt": (str,)},
    State.DELAYED: _BY_SCORE,
    State.DONE: _BY_SCORE,
    State.DEAD: _BY_SCORE,
    State.CANCELLED: _BY_SCORE,
}
"""What follows the kind of a place."""
_MOST = 2**52
_SCORE = re.compile(r"-?(?:inf|[0-9]{1,24}(?:\.[0-9]{1,24})?(?:e[+-][0-9]{1,3})?)")


def _fits(words: list[Any], shape: tuple[type, ...]) -> bool:
    if [type(word) for word in words] != list(shape):
        return False
    return all(0 <= word < _MOST if type(word) is int else _is_latin(word) for word in words)


def _is_latin(word: str) -> bool:
    return all(ord(character) < 256 for character in word)
