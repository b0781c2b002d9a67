"""Job data as people may see it: secrets, addresses and names are masked by rule unless somebody asks to see them."""

import json
from typing import Any, NamedTuple

from pydantic_core import from_json

from edworkers.core.redact import Redactor

PREVIEW_CHARACTERS = 160
LONGEST_DOCUMENT = 256 * 1024
"""Characters of a document that are shown."""


class Shown(NamedTuple):
    """Data as it is shown."""

    text: str
    is_json: bool
    is_cut: bool
    """Whether there is more of it than is shown."""


class Mask:
    """Hides what a Redactor's rules name; `reveal` shows it as it is."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def value(self, value: Any, *, reveal: bool = False) -> Any:
        """Give a JSON value to be shown."""
        return value if reveal else self._redactor.redact(value)

    def text(self, text: str | None, *, reveal: bool = False) -> str:
        """Give a text to be shown, such as an error's message."""
        return "" if text is None else text if reveal else str(self._redactor.redact(text))

    def preview(self, data: bytes) -> str:
        """Give one line of the beginning of a job's data, which may end anywhere; always masked."""
        try:
            value = from_json(data, allow_partial="trailing-strings", allow_inf_nan=True)
        except ValueError:
            return _short(str(self._redactor.redact(data.decode(errors="replace"))))
        return _short(_compact(self._redactor.redact(_data_of(value))))

    def document(self, data: bytes | Any, *, reveal: bool = False) -> Shown:
        """Give data in full and indented: bytes as they came, or a JSON value; what isn't JSON is shown as text."""
        is_json = True
        if isinstance(data, bytes):
            try:
                value = from_json(data, allow_inf_nan=True)
            except ValueError:
                value, is_json = data.decode(errors="backslashreplace"), False
        else:
            value = data
        value = self.value(value, reveal=reveal)
        text = json.dumps(value, indent=2, ensure_ascii=False) if is_json else str(value)
        return Shown(text[:LONGEST_DOCUMENT], is_json, len(text) > LONGEST_DOCUMENT)


def _data_of(value: Any) -> Any:
    """Give what the work is about: of an envelope its data."""
    if isinstance(value, dict):
        fields: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        return fields["data"] if isinstance(fields.get("data"), dict) else fields
    return value


def _compact(value: Any) -> str:
    if isinstance(value, dict) and value:
        fields: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        return ", ".join(f"{name}: {_scalar(part)}" for name, part in fields.items())
    return _scalar(value)


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= PREVIEW_CHARACTERS else f"{line[: PREVIEW_CHARACTERS - 1]}…"
