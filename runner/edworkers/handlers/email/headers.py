"""Headers as they travel: ASCII, folded, with encoded words (RFC 2047) for what is beyond ASCII.

They are written here rather than by Python's `email`, whose folding of long lists of names has broken addresses in
several releases; the tests read them back with it.
"""

import base64
import re
from collections.abc import Sequence

from edworkers.handlers.mail_addresses import Address, is_one_line

_LINE = 76
_LONGEST_LINE = 998
_WORD_OVERHEAD = len("=?utf-8?b?" + "?=")
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+( [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_TOKEN = re.compile(r" *[^ ]+")


def text_header(name: str, value: str) -> bytes:
    """Write a header of free text. Raises ValueError where it isn't one line, or has a word that can't be folded."""
    if not is_one_line(value):
        raise ValueError(f"{name}: must be one line without control characters")
    value = value.strip()
    if value.isascii() and "=?" not in value:
        return f"{name}: {_folded(value, len(name) + 2)}\r\n".encode("ascii")
    return f"{name}: {_encoded(value, len(name) + 2)}\r\n".encode("ascii")


def raw_header(name: str, *pieces: str) -> bytes:
    """Write a header of pieces that are ASCII and well formed already, folded between them where it is too long."""
    lines = [f"{name}:"]
    for piece in pieces:
        if len(lines[-1]) + 1 + len(piece) <= _LINE or lines[-1] == f"{name}:":
            lines[-1] += f" {piece}"
        else:
            lines.append(f" {piece}")
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


def address_header(name: str, addresses: Sequence[Address]) -> bytes:
    """Write a header of addresses, each on a line of its own; in UTF-8 where one of them is beyond ASCII."""
    room = len(name) + 2
    written = [_mailbox(address, room if number == 0 else 1) for number, address in enumerate(addresses)]
    return f"{name}: {f',{_FOLD}'.join(written)}\r\n".encode()


_FOLD = "\r\n "


def _mailbox(address: Address, used: int) -> str:
    if not address.name:
        return address.bare
    phrase = _phrase(address.name, used)
    _, fold, last = phrase.rpartition(_FOLD)
    length = (1 if fold else used) + len(last) + len(f" <{address.bare}>,")
    between = " " if length <= _LINE else _FOLD
    return f"{phrase}{between}<{address.bare}>"


def _phrase(name: str, used: int) -> str:
    if not name.isascii() or "=?" in name:
        return _encoded(name, used)
    if _ATOM.fullmatch(name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _folded(value: str, used: int) -> str:
    """Break before spaces, so that what is read without the breaks is what was written."""
    lines = [""]
    for token in _TOKEN.findall(value):
        room = _LINE - (used if len(lines) == 1 else 0)
        if lines[-1] and len(lines[-1]) + len(token) > room:
            lines.append("")
        lines[-1] += token
    if any(len(line) > _LONGEST_LINE - used for line in lines):
        raise ValueError(f"must not have a word of more than {_LONGEST_LINE - used} characters")
    return "\r\n".join(lines)


def _encoded(text: str, used: int) -> str:
    """Write encoded words; none is cut within a character, and no line is longer than 76."""
    words: list[str] = []
    chunk = b""
    room = _room(used)
    for character in text:
        more = character.encode()
        if len(chunk) + len(more) > room:
            words.append(_word(chunk))
            chunk, room = b"", _room(1)
        chunk += more
    return _FOLD.join([*words, _word(chunk)])


def _room(used: int) -> int:
    return max((_LINE - used - _WORD_OVERHEAD) // 4 * 3, 4)


def _word(chunk: bytes) -> str:
    return f"=?utf-8?b?{base64.b64encode(chunk).decode('ascii')}?="
