"""Mail addresses, by a strict grammar: `ada@school.example`, or `Ada Lovelace <ada@school.example>`.

The part before the @ is a dot-atom, whose letters may be beyond ASCII (then the server has to know SMTPUTF8); quoted
ones, comments and routes are refused, for each reader understands them otherwise. Domains may be international; they
are written in ASCII (punycode) wherever mail travels.
"""

import re
from dataclasses import dataclass

_LOCAL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u00a1-\U0010ffff]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u00a1-\U0010ffff]+)*"
)
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_NAMED = re.compile(r"(?P<name>[^<>]*?)\s*<(?P<address>[^<>]*)>")
_JOINERS = "\u200c\u200d"
"""They make letters and pictures of several characters, and are the only ones in names that nobody sees."""
_LONGEST_LOCAL, _LONGEST_DOMAIN, _LONGEST_ADDRESS, _LONGEST_NAME = 64, 253, 254, 128
_SHAPE = "must be one address such as ada@school.example or Ada Lovelace <ada@school.example>"


@dataclass(frozen=True, slots=True)
class Address:
    """An address. `domain` is in ASCII and small letters, `local` as it was given, `name` may be empty."""

    local: str
    domain: str
    name: str = ""

    @property
    def bare(self) -> str:
        """The address without the name, as mail servers are told it."""
        return f"{self.local}@{self.domain}"

    @property
    def is_utf8(self) -> bool:
        """Whether it needs a server that knows SMTPUTF8."""
        return not self.local.isascii()


def parse_address(text: str) -> Address:
    """Read an address. Raises ValueError, which says what is wrong."""
    if not is_one_line(text):
        raise ValueError("must be one line without control characters")
    text = text.strip()
    named = _NAMED.fullmatch(text)
    if named is None:
        return _bare(text)
    address = _bare(named["address"])
    name = _name(named["name"])
    if "@" in name:
        if name.casefold() != named["address"].casefold():
            raise ValueError("must not have an @ in its name, which would look like another address")
        name = ""
    return Address(address.local, address.domain, name)


def is_one_line(text: str) -> bool:
    """Whether each character can be seen, or is a space or a joiner between characters."""
    return all(character.isprintable() or character in _JOINERS for character in text)


def _name(text: str) -> str:
    name = text.strip()
    if len(name) >= 2 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1]).strip()
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"must have a name of at most {_LONGEST_NAME} characters")
    return name


def _bare(text: str) -> Address:
    local, at, domain = text.rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or not _is_text(local):
        raise ValueError(_SHAPE)
    ascii_domain = _domain(domain)
    if len(local.encode()) > _LONGEST_LOCAL:
        raise ValueError(f"must have at most {_LONGEST_LOCAL} bytes before the @")
    if len(local.encode()) + 1 + len(ascii_domain) > _LONGEST_ADDRESS:
        raise ValueError(f"must be at most {_LONGEST_ADDRESS} bytes long")
    return Address(local, ascii_domain)


def _is_text(local: str) -> bool:
    return all(character.isprintable() and not character.isspace() for character in local)


def _domain(text: str) -> str:
    domain = text.lower() if text.isascii() else _international(text)
    labels = domain.split(".")
    if len(domain) > _LONGEST_DOMAIN or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{_SHAPE}: {text[:60]!r} is no domain")
    if domain != "localhost" and (len(labels) < 2 or labels[-1].isdigit()):
        raise ValueError(f"{_SHAPE}: {text[:60]!r} is no domain of the internet")
    return domain


def _international(text: str) -> str:
    import idna

    try:
        return idna.encode(text, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise ValueError(f"{_SHAPE}: {text[:60]!r} is no domain") from None
