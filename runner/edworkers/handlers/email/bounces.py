"""What a mail server's refusal means, by its code and its enhanced code (RFC 3463), and whether to try again."""

import re
from dataclasses import dataclass

LONGEST_WAIT_SECONDS = 3600.0

_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_WAIT = re.compile(
    r"(?:try again|retry|wait|come back|greylist\w*)\D{0,40}?"
    r"(?P<number>\d{1,5})\s*(?P<unit>s|sec|seconds?|m|min|minutes?|h|hours?)\b",
    re.IGNORECASE,
)
_GREYLISTED = re.compile(r"gr[ae]y-?list", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_QUOTED_CHARACTERS = 500

# Subject and detail of the enhanced code: the kind of failure, and what it says to people.
_BY_ENHANCED: dict[str, tuple[str, str]] = {
    "1.0": ("unknown-recipient", "there is something wrong with the address"),
    "1.1": ("unknown-recipient", "there is no such mailbox"),
    "1.2": ("unknown-recipient", "there is no such domain for mail"),
    "1.3": ("unknown-recipient", "the server can't read the address"),
    "1.4": ("unknown-recipient", "the address stands for more than one mailbox"),
    "1.6": ("unknown-recipient", "the mailbox has moved, and nobody knows where to"),
    "1.7": ("sender-refused", "the sender's address is not accepted"),
    "1.8": ("sender-refused", "the sender's domain is not accepted"),
    "1.10": ("unknown-recipient", "the domain takes no mail"),
    "2.1": ("mailbox-disabled", "the mailbox is switched off"),
    "2.2": ("mailbox-full", "the mailbox is full"),
    "2.3": ("too-large", "the message is too large for the mailbox"),
    "3.1": ("busy", "the mail system is full"),
    "3.2": ("busy", "the mail system takes no messages just now"),
    "3.4": ("too-large", "the message is too large for the server"),
    "4.1": ("unreachable", "the receiving server doesn't answer"),
    "4.2": ("unreachable", "the connection to the receiving server broke"),
    "4.3": ("unreachable", "the receiving domain can't be looked up"),
    "4.4": ("unreachable", "there is no way to the receiving server"),
    "4.5": ("busy", "the mail system has too much to do"),
    "4.6": ("loop", "the message goes round in circles"),
    "4.7": ("unreachable", "the message was not delivered in time"),
    "5.3": ("too-many-recipients", "there are too many recipients for one message"),
    "6.1": ("content-refused", "the server doesn't take this kind of content"),
    "6.7": ("needs-smtputf8", "the server doesn't take addresses with letters beyond ASCII"),
    "7.0": ("policy", "the server's rules don't allow it"),
    "7.1": ("policy", "the server's rules don't allow this sender, recipient or message"),
    "7.8": ("login", "the server doesn't accept the login"),
    "7.9": ("login", "the server wants a stronger login"),
    "7.20": ("authentication", "the DKIM signature isn't accepted"),
    "7.21": ("authentication", "there is no DKIM signature that is accepted"),
    "7.22": ("authentication", "the DKIM signature isn't the author's"),
    "7.23": ("authentication", "SPF doesn't allow this server to send for the domain"),
    "7.24": ("authentication", "SPF can't be checked"),
    "7.25": ("authentication", "the sending server has no name in DNS"),
    "7.26": ("authentication", "neither SPF nor DKIM vouches for the message (DMARC)"),
    "7.27": ("sender-refused", "the sender's domain takes no mail, so it sends none"),
    "7.28": ("busy", "there were too many messages"),
}
_BY_SUBJECT: dict[str, tuple[str, str]] = {
    "1": ("unknown-recipient", "there is something wrong with an address"),
    "2": ("mailbox-disabled", "the mailbox takes no messages"),
    "3": ("server", "there is something wrong with the mail system"),
    "4": ("unreachable", "the message can't be passed on"),
    "5": ("server", "the servers don't understand each other"),
    "6": ("content-refused", "the server doesn't take this content"),
    "7": ("policy", "the server's rules don't allow it"),
}
_BY_CODE: dict[int, tuple[str, str]] = {
    421: ("busy", "the server takes no mail just now"),
    450: ("mailbox-busy", "the mailbox can't be had just now, or the server wants to be asked again (greylisting)"),
    451: ("server", "the server failed at it"),
    452: ("busy", "the server has no room"),
    454: ("server", "the server can't do it just now"),
    455: ("server", "the server can't do it just now"),
    523: ("too-large", "the message is too large for the server"),
    530: ("login", "the server wants a login, or TLS"),
    535: ("login", "the server doesn't accept the login"),
    550: ("unknown-recipient", "there is no such mailbox, or it is closed to this sender"),
    551: ("unknown-recipient", "the mailbox is elsewhere"),
    552: ("mailbox-full", "the mailbox is full, or the message too large for it"),
    553: ("unknown-recipient", "the address is not accepted"),
    554: ("policy", "the server doesn't accept the message"),
    555: ("server", "the server doesn't know an option of the address"),
    556: ("unknown-recipient", "the domain takes no mail"),
}


@dataclass(frozen=True, slots=True)
class Bounce:
    """A refusal: what kind it is, what it says to people, whether to try again, and when at the earliest."""

    kind: str
    words: str
    code: int
    enhanced: str | None
    said: str
    retryable: bool
    after_seconds: float | None = None

    @property
    def message(self) -> str:
        """The meaning, and the server's own words."""
        said = f"{self.code} {self.said}".rstrip()
        return f"{self.words} (the server said: {said})"


def read_bounce(code: int, text: str) -> Bounce:
    """Read a refusal. The first digit of the code decides whether to try again, whatever the text says."""
    said = one_line(text)
    found = _ENHANCED.search(said)
    enhanced = None if found is None else found[0]
    kind, words = _meaning(code, said, found)
    retryable = not 500 <= code <= 599
    return Bounce(kind, words, code, enhanced, said, retryable, _wait(said) if retryable else None)


def _meaning(code: int, said: str, found: re.Match[str] | None) -> tuple[str, str]:
    if code < 500 and _GREYLISTED.search(said):
        return "greylisted", "the server wants to be asked again later (greylisting)"
    if found is not None and found[2] != "0" and found[1] == str(code)[0]:
        known = _BY_ENHANCED.get(f"{found[2]}.{found[3]}") or _BY_SUBJECT.get(found[2])
        if known is not None:
            return known
    usual = "the server refused it" if code >= 500 else "the server can't do it just now"
    return _BY_CODE.get(code, ("refused" if code >= 500 else "server", usual))


def _wait(said: str) -> float | None:
    """Read how long the server wants to be left alone, such as "try again in 5 minutes"; never more than an hour."""
    found = _WAIT.search(said)
    if found is None:
        return None
    return min(float(found["number"]) * _SECONDS[found["unit"][0].lower()], LONGEST_WAIT_SECONDS)


def one_line(text: str) -> str:
    """Make a stranger's text fit for a log line: printable, on one line and not long."""
    printable = "".join(character if character.isprintable() else " " for character in text[: 4 * _QUOTED_CHARACTERS])
    line = " ".join(printable.split())
    return line if len(line) <= _QUOTED_CHARACTERS else f"{line[:_QUOTED_CHARACTERS]}…"
