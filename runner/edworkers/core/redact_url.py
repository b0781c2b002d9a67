"""Secrets in addresses of the web: in the path of services that put them there, and wherever a part looks like a token.

What a login, a named parameter or a key of known shape gives away `redact_text` knows by itself.
"""

import re
from itertools import pairwise

_REDACTED = "[redacted]"
_KNOWN: tuple[re.Pattern[str], ...] = (
    re.compile(r"(?i)(\bhooks\.slack(?:-gov)?\.com/services/[^\s/?#]+/[^\s/?#]+/)[\w-]+"),
    re.compile(r"(?i)(\bhooks\.slack(?:-gov)?\.com/(?:workflows|triggers)/)[\w/-]+"),
    re.compile(r"(?i)(\bdiscord(?:app)?\.com/api(?:/v\d+)?/webhooks/[^\s/?#]+/)[\w-]+"),
    re.compile(r"(?i)(\.webhook\.office\.com/webhookb2/)[\w@/-]+"),
    re.compile(r"(?i)(\bapi\.telegram\.org/(?:file/)?bot)[\w:-]+"),
    re.compile(r"(?i)(\bhooks\.zapier\.com/hooks/catch/[^\s/?#]+/)[\w-]+"),
)
"""Addresses whose last part is the secret, whatever it looks like; what is before it names the receiver."""
_URL = re.compile(r"(?i)(?<=://)[^\s\"'<>/?#]*[/?#][^\s\"'<>]*")
_PARAMETER = re.compile(r"(?i)(?<=[?&])((?:key|code|auth|pwd|pass|otp)=)[^\s\"'<>&#\[]{6,}")
_PART = re.compile(r"[A-Za-z0-9_-]{20,}")
_BETWEEN = re.compile(r"[_-]+")
_WORD = re.compile(r"[A-Z]?[a-z]*|[A-Z]+|[0-9]+")
_SHORTEST = 16
_LEAST_CHANGES = 0.4
"""How often, a character, letters and digits follow each other in a token; in words put together it is less."""


def redact_urls(text: str) -> str:
    """Give a text without the secrets in its addresses. What it gives stays as it is if given again."""
    for pattern in _KNOWN:
        text = pattern.sub(rf"\g<1>{_REDACTED}", text)
    return _URL.sub(_url, text)


def _url(found: re.Match[str]) -> str:
    return _PART.sub(_part, _PARAMETER.sub(rf"\g<1>{_REDACTED}", found[0]))


def _part(found: re.Match[str]) -> str:
    return _REDACTED if is_token(found[0]) else found[0]


def is_token(part: str) -> bool:
    """Whether a part of an address looks like a token: long, of capitals, small letters and digits, all mixed.

    UUIDs, ULIDs and checksums have letters of one kind, and words change theirs seldom: these name something.
    """
    mixed = "".join(piece for piece in _BETWEEN.split(part) if not _WORD.fullmatch(piece))
    kinds = [_kind(sign) for sign in mixed]
    if len(mixed) < _SHORTEST or len(set(kinds)) < 3:
        return False
    changes = sum(one != other for one, other in pairwise(kinds))
    return changes >= _LEAST_CHANGES * len(mixed)


def _kind(sign: str) -> str:
    if sign.isdigit():
        return "0"
    return "A" if sign.isupper() else "a"
