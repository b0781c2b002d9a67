"""A mail as it travels: the headers, and the body that holds the text, the HTML and the files."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime

from edworkers.handlers.email.headers import address_header, raw_header, text_header
from edworkers.handlers.email.mime import Part, file_part, multipart, text_part
from edworkers.handlers.email.own_headers import unsubscribe_headers
from edworkers.handlers.email.plain_text import text_of
from edworkers.handlers.email.request import EmailData
from edworkers.handlers.mail_addresses import Address, parse_address

_ATOM = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_LONGEST_ID = 128
NOBODY = "undisclosed-recipients:;"


@dataclass(frozen=True, slots=True)
class File:
    """A file that goes with a mail; with `inline` one that the HTML shows as `cid:…`."""

    content: bytes = field(repr=False)
    content_type: str
    filename: str
    inline: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """What a mail says."""

    subject: str
    html: str | None
    text: str | None


def message_id(job_id: str, key: str | None, domain: str) -> str:
    """Make a Message-ID: the same for every attempt at a job, or for every job with the same key.

    Ids are printable ASCII; one that couldn't stand as it is before the @ is hashed, as keys are.
    """
    if key is not None:
        return f"<key.{hashlib.sha256(key.encode()).hexdigest()[:40]}@{domain}>"
    if _ATOM.fullmatch(job_id) and len(job_id) <= _LONGEST_ID:
        return f"<job.{job_id}@{domain}>"
    return f"<job-hash.{hashlib.sha256(job_id.encode()).hexdigest()[:40]}@{domain}>"


def write_message(
    data: EmailData,
    content: Content,
    files: Sequence[File],
    *,
    sender: Address,
    message_id: str,
    unsubscribe: Sequence[str],
    now: datetime,
) -> bytes:
    """Write a message, with CRLF at each line's end. Raises ValueError where a header can't be written."""
    body = _body(content, files, message_id)
    head = [
        raw_header("Date", format_datetime(now)),
        address_header("From", [sender]),
        *_addresses(data),
        text_header("Subject", content.subject),
        raw_header("Message-ID", message_id),
        *(raw_header(name, *pieces) for name, pieces in unsubscribe_headers(unsubscribe)),
        *(text_header(name, value) for name, value in data.headers.items()),
        raw_header("MIME-Version", "1.0"),
        body.headers,
    ]
    message = b"".join(head) + b"\r\n" + body.body
    return message if message.endswith(b"\r\n") else message + b"\r\n"


def _addresses(data: EmailData) -> list[bytes]:
    """Write who gets it; those of `bcc` are on the envelope alone."""
    named = (("Reply-To", data.reply_to), ("To", data.to), ("Cc", data.cc))
    written = [address_header(name, [parse_address(one) for one in given]) for name, given in named if given]
    return written if data.to or data.cc else [*written, raw_header("To", NOBODY)]


def _body(content: Content, files: Sequence[File], seed: str) -> Part:
    """Nest the parts as mail programs expect them: mixed, in it related, in it alternative, each only where needed."""
    html = content.html
    text = content.text if content.text is not None else text_of(html or "")
    part = text_part("plain", text)
    shown = [file for file in files if file.inline is not None and html is not None]
    if html is not None:
        part = multipart("alternative", [part, text_part("html", html)], seed)
    if shown:
        part = multipart("related", [part, *map(_file, shown)], seed, more=' type="multipart/alternative";')
    kept = [file for file in files if file not in shown]
    return multipart("mixed", [part, *map(_file, kept)], seed) if kept else part


def _file(file: File) -> Part:
    return file_part(file.content, file.content_type, file.filename, file.inline)
