"""Of which kind the variables of a line of a template are, for whoever gave one of a kind that it can't use."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_EXPRESSION = re.compile(r"\{[{%](.*?)[}%]\}")
_NAME = re.compile(r"(?<![\w.\"'])[A-Za-z_]\w*")
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "text"),
    (list, "a list"),
    (dict, "an object"),
)


def kinds_on(file: Path, line: int, variables: Mapping[str, Any]) -> str:
    """Say of each variable that a line uses what it is: ` (items is a number)`; nothing where it uses none."""
    try:
        text = file.read_text(encoding="utf-8").splitlines()[line - 1]
    except (OSError, UnicodeDecodeError, IndexError):
        return ""
    used = [name for inner in _EXPRESSION.findall(text) for name in _NAME.findall(inner) if name in variables]
    told = [f"{name} is {_kind(variables[name])}" for name in dict.fromkeys(used)]
    return f" ({', '.join(told)})" if told else ""


def _kind(value: Any) -> str:
    return next((words for kinds, words in _KINDS if isinstance(value, kinds)), "null")
