"""What people did, as it lies in its stream."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json

from edworkers.ports.books import Deed

_PLACE = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")


def start_of(before: str | None) -> str:
    """Say from where to read back. Raises ValueError for a place that isn't one."""
    if before is None:
        return "+"
    if not _PLACE.fullmatch(before):
        raise ValueError("this isn't a place in the list of what was done: begin without one")
    return f"({before}"


def read_deeds(entries: Sequence[Any], count: int) -> tuple[Sequence[Deed], str | None]:
    """Read up to `count` entries, and say where the next part begins where there are more."""
    shown = entries[:count]
    deeds = tuple(_read(fields) for _, fields in shown)
    return deeds, shown[-1][0].decode() if len(entries) > count else None


def _read(fields: Mapping[bytes, bytes] | Sequence[bytes]) -> Deed:
    """Read one; fields are a map or, as Redis sends them, names and values in turn."""
    body = fields[b"d"] if isinstance(fields, Mapping) else fields[1]
    return Deed(*from_json(body))
