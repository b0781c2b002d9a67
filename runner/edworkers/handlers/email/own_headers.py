"""Headers that a job may bring: those that make no other message of it."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from edworkers.handlers.email.headers import text_header
from edworkers.handlers.mail_addresses import is_one_line, parse_address

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,75}")
_ALLOWED = frozenset(
    {
        "auto-submitted",
        "comments",
        "content-language",
        "feedback-id",
        "importance",
        "in-reply-to",
        "keywords",
        "list-archive",
        "list-help",
        "list-id",
        "list-owner",
        "organization",
        "precedence",
        "priority",
        "references",
    }
)
_LONGEST_VALUE = 4096
_LONGEST_URI = 900
_URI = re.compile(r"[!-;=?-~]+")


def check_headers(headers: dict[str, str]) -> dict[str, str]:
    """Refuse headers that would make another message of it. Raises ValueError."""
    lower = [name.lower() for name in headers]
    if len(set(lower)) < len(lower):
        raise ValueError("the same name is there twice, in capitals and in small letters")
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not (name.lower().startswith("x-") or name.lower() in _ALLOWED):
            allowed = ", ".join(sorted(_ALLOWED))
            raise ValueError(f"{name[:76]!a} can't be set; what can is X-… and {allowed}")
        if len(value) > _LONGEST_VALUE or not value.strip() or not is_one_line(value):
            raise ValueError(f"{name}: must be one line of 1 to {_LONGEST_VALUE} characters")
        text_header(name, value)
    return headers


def check_unsubscribe(uris: Sequence[str]) -> list[str]:
    """Refuse what is no https or mailto address for unsubscribing. Raises ValueError."""
    return [_check_uri(uri) for uri in uris]


def _check_uri(uri: str) -> str:
    if not _URI.fullmatch(uri) or len(uri) > _LONGEST_URI:
        raise ValueError(f"must be URLs of at most {_LONGEST_URI} characters, without spaces, < and >")
    parts = urlsplit(uri)
    if parts.scheme == "mailto":
        parse_address(parts.path)
    elif parts.scheme != "https" or not parts.hostname:
        raise ValueError("must be https:// or mailto: URLs, such as https://school.example/unsubscribe?id=1")
    return uri


def unsubscribe_headers(uris: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Write List-Unsubscribe, and where there is an https URL say that one click is enough (RFC 8058)."""
    if not uris:
        return []
    pieces = tuple(f"<{uri}>{',' if number < len(uris) else ''}" for number, uri in enumerate(uris, start=1))
    found: list[tuple[str, tuple[str, ...]]] = [("List-Unsubscribe", pieces)]
    if any(uri.startswith("https:") for uri in uris):
        found.append(("List-Unsubscribe-Post", ("List-Unsubscribe=One-Click",)))
    return found
