"""Which jobs are wanted, held against what is known of each."""

import re
from json import dumps

from edworkers.ports.browse import JobSummary, Wanted

_ESCAPES = re.compile(rb"(?:\\u[0-9a-fA-F]{4})+")
_PLAIN = re.compile(r"[A-Za-z0-9 _.:,;@!?()*=#$%~-]+")
"""Texts that JSON writes as they are, whoever writes it."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Sieve:
    """Lets those jobs through that are wanted."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        text = (wanted.text or "").casefold()
        self._text = text
        # In a payload, quotes, backslashes and line ends are written with a backslash before them.
        quoted = dumps(text, ensure_ascii=False)[1:-1].encode(errors="replace")
        self._forms = (text, _ESCAPES.sub(_unescape, quoted).decode()) if text else ()
        self._ascii = (text.encode(), quoted) if (wanted.text or "").isascii() else ()
        self.needles = tuple(_needles(wanted))
        """What Redis can look for in the bytes of a job: without all of these, it isn't wanted."""

    def has_text(self, raw: bytes | None) -> bool:
        """Whether bytes have the text in them; all have where no text is wanted."""
        if not self._forms:
            return True
        if not raw:
            return False
        if self._ascii:
            low = raw.lower()
            if any(form in low for form in self._ascii):
                return True
        elif not raw.isascii():
            return self._has_form(raw)
        # What is written in ASCII only may have the text as escapes.
        return b"\\u" in raw and self._has_form(raw)

    def _has_form(self, raw: bytes) -> bool:
        body = _ESCAPES.sub(_unescape, raw).decode(errors="replace").casefold()
        return any(form in body for form in self._forms)

    def may_pass(self, kind: str | None, group: str | None) -> bool:
        """Whether a job of this type and group may be wanted."""
        return self._wanted.type in {None, kind} and self._wanted.group in {None, group}

    def is_in_time(self, at: int | None) -> bool:
        """Whether a time (Unix ms) is within those that are wanted."""
        before, after = self._wanted.before, self._wanted.after
        if before is None and after is None:
            return True
        return at is not None and (before is None or at <= before) and (after is None or at >= after)

    def passes(self, job: JobSummary, *, has_text: bool) -> bool:
        """Whether a job is wanted; `has_text` is what was found of its payload and its error."""
        wanted = self._wanted
        return (
            self.may_pass(job.type, job.group)
            and wanted.error_kind in {None, job.error_kind}
            and wanted.fingerprint in {None, job.fingerprint}
            and self.is_in_time(job.at)
            and (has_text or self._names_text(job))
        )

    def _names_text(self, job: JobSummary) -> bool:
        return any(self._text in name.casefold() for name in (job.id, job.type, job.group) if name)


def _needles(wanted: Wanted) -> list[str]:
    """Take what stands in the bytes of a job, or of its record, as it is given; a group may be given by its digest."""
    group = None if wanted.group is None or _DIGEST.fullmatch(wanted.group) else wanted.group
    texts = (wanted.text, wanted.type, group, wanted.error_kind, wanted.fingerprint)
    return [text.lower() for text in texts if text and _PLAIN.fullmatch(text)]


def _unescape(match: re.Match[bytes]) -> bytes:
    units = bytes.fromhex(match[0].replace(b"\\u", b"").decode("ascii"))
    return units.decode("utf-16-be", errors="replace").encode()
