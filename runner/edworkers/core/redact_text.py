"""Secrets and personal data in free text, known by their shape: each is replaced by a word for what it was."""

import re

from edworkers.core.luhn import is_card_number
from edworkers.core.redact_url import redact_urls

LONGEST = 4_000
"""Characters of a text that are kept, unless it is told otherwise."""
_MOST_ROUNDS = 10
"""What is left after one round may look like a secret itself."""

_B64 = r"[A-Za-z0-9_-]"
_WORDS = r"pass(?:word|wd|phrase)|secret|token|(?:api|access|private)[_-]?key|authorization|cookie|credential"

_HINTS = (
    *("@", "://", "eyj", "whsec_", "akia", "asia", "aiza", "-----begin", "sk-", "sk_", "ghp_", "gho_", "ghu_", "ghs_"),
    *("ghr_", "github_", "xox", "glpat-", "bearer", "basic", "passw", "passphrase", "secret", "token", "key"),
    *(".com/", ".org/", "authorization", "cookie", "credential", "sig", "+"),
)
"""What every text has that any rule but that of cards could change; most have none, and cost little."""
_DIGITS = re.compile(r"\d{2}[ -]?\d{2}")

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----.*?(?:-----END [A-Z0-9 ]*-----|\Z)", re.DOTALL), "[key]"),
    (re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#@\"'<>]*(?:@[^\s/?#@\"'<>]*)*@"), r"\1[redacted]@"),
    (re.compile(rf"eyJ{_B64}{{5,}}(?:\.{_B64}*){{1,4}}"), "[token]"),
    (re.compile(r"(?i)\b(bearer|basic)[ \t]+(?!\[redacted\])[A-Za-z0-9._~+/=-]{6,}"), r"\1 [redacted]"),
    (re.compile(r"whsec_[A-Za-z0-9+/=_-]+"), "[key]"),
    (re.compile(r"(?<![A-Za-z0-9])A(?:KIA|SIA)[A-Z0-9]{12,}"), "[key]"),
    (re.compile(rf"(?<![A-Za-z0-9])AIza{_B64}{{20,}}"), "[key]"),
    (re.compile(rf"(?<![A-Za-z0-9])(?:sk[-_]|gh[pousr]_|github_pat_|xox[a-z]-|glpat-){_B64}{{10,}}"), "[key]"),
    (re.compile(r"[^\s@\"'<>()\[\],;:=&?/]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)+"), "[email]"),
    (re.compile(r"(?<![\w+])\+\d(?:[ ().-]{0,2}\d){7,14}(?!\d)"), "[phone]"),
)
_NAME = (
    rf"(?i)((?<![A-Za-z0-9])[\w.-]{{0,40}}(?:{_WORDS}|signature|(?<![a-z])sig(?=[\"'=:]))[\w-]{{0,20}}"
    r"\\?[\"']?\s{0,3}[:=]\s{0,3})"
)
_QUOTED = re.compile(_NAME + r"(\\?[\"'])(?:(?!\2).)+\2")
_BARE = re.compile(_NAME + r"((?:(?:bearer|basic)\s+)?[^\s\"'\\,;&{}<>()]{3,})")
_COUNT = re.compile(r"(?i)tokens\\?[\"']?\s*[:=]\s*$")
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")


def redact_text(text: str, longest: int = LONGEST) -> str:
    """Give a text without what looks like a secret or somebody's data, and no longer than this.

    It can be given what it gave: that stays as it is.
    """
    text = text[: 4 * longest]  # before, for the rules take time; what is halved by this is not in what is kept
    for _ in range(_MOST_ROUNDS):
        changed = _once(text)
        changed = changed if len(changed) <= longest else f"{changed[: longest - 1]}…"
        if changed == text:
            break
        text = changed
    return text


def _once(text: str) -> str:
    lowered = text.lower()
    if any(hint in lowered for hint in _HINTS):
        for pattern, word in _RULES:
            text = pattern.sub(word, text)
        if "://" in text or ".com/" in lowered or ".org/" in lowered:
            text = redact_urls(text)
        text = _BARE.sub(_bare, _QUOTED.sub(r"\1\2[redacted]\2", text))
    if _DIGITS.search(text) is not None:
        text = _CARD.sub(_card, text)
    return text


def _bare(found: re.Match[str]) -> str:
    name, value = found.groups()
    if _COUNT.search(name) and value.rstrip(".").isdigit():
        return found[0]  # how many, and not which
    return f"{name}[redacted]"


def _card(found: re.Match[str]) -> str:
    return "[card]" if is_card_number(found[0]) else found[0]
