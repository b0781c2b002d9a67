"""Takes secrets and personal data out of what is logged, and of what the ledger keeps: by name, and by shape.

A field whose name tells a secret loses its value, whatever that is. Content that people write, such as prompts and
mails, is told only by its length. Every other text is gone through for what looks like a secret (`redact_text`).
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from edworkers.core.redact_text import LONGEST, redact_text

REDACTED = "[redacted]"
MORE_NAMES = "EDWORKERS_REDACT"
"""The variable with more names of fields."""
_LONGEST_GROUP = 180
_DEEPEST = 20
_MOST_ITEMS = 200
_CUT = "…"

_SECRETS = re.compile(
    r"pass(word|wd|phrase|code)|secret|token|authori[sz]ation|apikey|accesskey|privatekey|signingkey|cookie|credential"
    r"|session(id|key)|signature|otp$|^pin$|^auth$"
)
_PERSONAL = re.compile(
    r"e?mail(address)?$|phone|mobile|telephone|(first|last|full|family|given)name|birth|ssn|iban"
    r"|cardnumber|^cv[cv]$|(street|home|postal)address|postcode|zipcode|^ip(address)?$"
)
_RECEIVERS = re.compile(r"^(to|cc|bcc|replyto)$")
"""Names of somebody's address, or of something else: what stands there tells."""
_LIKE_ADDRESS = re.compile(r"@|^[+(]?\d[\d ().-]{5,}$")
_CONTENT = re.compile(r"^(prompt|content|html|text|body|subject|variables|assessmentdata|answers?|essay|note)$")
_WRITTEN = re.compile(r"^(prompt|answers?)$")
"""Of content: beside counts of tokens, a number of this name is such a count."""
_COUNTS = re.compile(r"tokens$|(count|limit|bytes|seconds|ms)$")
_REFERENCES = re.compile(r"ref$")


class Redactor:
    """The rules, with more names of fields if somebody gives some."""

    def __init__(self, more_names: Iterable[str] = ()) -> None:
        self._more = {plain for name in more_names if (plain := _plain(name))}
        self._known: dict[str, str] = {}

    def redact(self, value: Any, longest: int = LONGEST) -> Any:
        """Give a JSON value without secrets; it is JSON still, and stays as it is if given again."""
        return self._value(value, longest, 0)

    def field(self, name: str, value: Any, longest: int = LONGEST) -> Any:
        """Give the value of a field of this name without secrets."""
        return self._field(name, value, longest, 0)

    def group(self, name: str) -> str:
        """Give the name of a job's group without secrets; where that changes it, with a short hash that tells it apart.

        The same name always becomes the same, at most 200 characters long.
        """
        shown = redact_text(name, _LONGEST_GROUP)
        if shown == name:
            return name
        return f"{shown} #{hashlib.sha256(name.encode(errors='backslashreplace')).hexdigest()[:8]}"

    def _value(self, value: Any, longest: int, depth: int) -> Any:
        if isinstance(value, str):
            return redact_text(value, longest)
        if depth >= _DEEPEST and isinstance(value, Mapping | list | tuple):
            return _CUT
        if isinstance(value, Mapping):
            fields: Mapping[Any, Any] = value  # pyright: ignore[reportUnknownVariableType]
            items = list(fields.items())
            kept = {
                redact_text(str(name), 200): self._field(str(name), part, longest, depth + 1)
                for name, part in items[:_MOST_ITEMS]
            }
            return kept if len(items) <= _MOST_ITEMS else {**kept, _CUT: len(items) - _MOST_ITEMS}
        if isinstance(value, list | tuple):
            parts = cast("Sequence[Any]", value)
            return [self._value(part, longest, depth + 1) for part in parts[:_MOST_ITEMS]] + (
                [_CUT] if len(parts) > _MOST_ITEMS else []
            )
        return value

    def _field(self, name: str, value: Any, longest: int, depth: int) -> Any:
        kind = self._known.get(name)
        if kind is None:
            kind = self._kind(_plain(name))
            if len(self._known) < 1000:
                self._known[name] = kind
        if kind == "" or value is None or isinstance(value, bool):
            return self._value(value, longest, depth)
        if kind == "receiver" and not _has_address(value):
            return self._value(value, longest, depth)
        if kind == "content" and isinstance(value, int | float) and _WRITTEN.search(_plain(name)):
            return value
        if kind == "content" and isinstance(value, str):
            return value if _is_length(value) else f"[{len(value)} characters]"
        return REDACTED

    def _kind(self, plain: str) -> str:
        if plain in self._more:
            return "secret"
        if _COUNTS.search(plain) or _REFERENCES.search(plain):
            return ""
        if _SECRETS.search(plain) or _PERSONAL.search(plain):
            return "secret"
        if _RECEIVERS.search(plain):
            return "receiver"
        return "content" if _CONTENT.search(plain) else ""


def _has_address(value: Any) -> bool:
    """Whether a text, or one of a list, looks like an address of mail or a phone number."""
    texts = cast("Sequence[Any]", value if isinstance(value, list | tuple) else (value,))
    return any(isinstance(text, str | int) and _LIKE_ADDRESS.search(str(text)) for text in texts)


def _plain(name: str) -> str:
    """Write a name as all ways to write it are: apiKey, API_KEY and api-key are one."""
    return "".join(sign for sign in name.lower() if sign.isalnum())


_LENGTH = re.compile(r"\[\d+ characters\]|\[redacted\]")


def _is_length(text: str) -> bool:
    return _LENGTH.fullmatch(text) is not None


def names_in(text: str) -> list[str]:
    """Read names of fields from a setting: with commas or spaces between them."""
    return [name for name in re.split(r"[,\s]+", text) if name]
