"""The Lua scripts as the server knows them: each file with what it includes, and its SHA-1."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_INCLUDE = re.compile(r"^--@include (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """A script's text and the name under which Redis keeps it."""

    text: str
    sha: str


def _read(name: str) -> str:
    return (files(__package__ or "") / "lua" / f"{name}.lua").read_text(encoding="utf-8")


def _included(names: Sequence[str]) -> str:
    return "\n".join(_read(name) for name in names)


@cache
def script(name: str) -> Script:
    """Load `lua/<name>.lua` with the parts that it includes."""
    text = _INCLUDE.sub(lambda match: _included(match[1].split()), _read(name))
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
