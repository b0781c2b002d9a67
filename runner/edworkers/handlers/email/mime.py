"""The parts of a message (MIME), in the shape that any relay passes on unchanged: lines of ASCII, none too long."""

import base64
import hashlib
import quopri
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

_PLAIN_NAME = re.compile(r"[A-Za-z0-9._ -]{1,60}")
_BREAKS = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Part:
    """A part: its headers, which are whole lines, and its body; both with CRLF."""

    headers: bytes
    body: bytes

    @property
    def whole(self) -> bytes:
        """The part as it lies within another."""
        return self.headers + b"\r\n" + self.body


def text_part(subtype: str, text: str) -> Part:
    """Make a part of text in UTF-8, as quoted-printable or base64, whichever is shorter."""
    raw = _BREAKS.sub("\n", text).encode()
    quoted, encoded = quopri.encodestring(raw), base64.encodebytes(_BREAKS.sub("\r\n", text).encode())
    name, body = ("quoted-printable", quoted) if len(quoted) <= len(encoded) else ("base64", encoded)
    headers = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {name}\r\n"
    return Part(headers.encode("ascii"), _crlf(body))


def file_part(content: bytes, content_type: str, filename: str, content_id: str | None = None) -> Part:
    """Make a part of a file; with `content_id` one that the HTML shows as `cid:…`."""
    disposition = "attachment" if content_id is None else "inline"
    headers = (
        f"Content-Type: {content_type}\r\n"
        f"Content-Disposition: {disposition};\r\n {_filename(filename)}\r\n"
        "Content-Transfer-Encoding: base64\r\n"
    )
    if content_id is not None:
        headers += f"Content-ID: <{content_id}>\r\n"
    return Part(headers.encode("ascii"), _crlf(base64.encodebytes(content)))


def multipart(subtype: str, parts: Sequence[Part], seed: str, *, more: str = "") -> Part:
    """Put parts together. The boundary is made from `seed`, so that each attempt writes the same message."""
    # "=_" is in no part: neither quoted-printable nor base64 can have it.
    boundary = f"=_{hashlib.sha256(f'{subtype} {seed}'.encode()).hexdigest()[:40]}"
    headers = f'Content-Type: multipart/{subtype};{more}\r\n boundary="{boundary}"\r\n'
    line = boundary.encode("ascii")
    body = b"".join(b"--" + line + b"\r\n" + part.whole + b"\r\n" for part in parts)
    return Part(headers.encode("ascii"), body + b"--" + line + b"--\r\n")


def _filename(name: str) -> str:
    """Write a name as RFC 2231 has it where it is more than plain letters."""
    if _PLAIN_NAME.fullmatch(name):
        return f'filename="{name}"'
    return f"filename*=utf-8''{quote(name, safe='')}"


def _crlf(body: bytes) -> bytes:
    return body.replace(b"\n", b"\r\n")
