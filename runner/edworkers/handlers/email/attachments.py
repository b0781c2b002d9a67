"""The files that go with a mail, from the job itself or from storage."""

import base64
import mimetypes
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from urllib.parse import unquote

from edworkers.adapters.storage import Store, open_store
from edworkers.handlers.email.message import File
from edworkers.handlers.email.request import Attachment

_UNKNOWN = "application/octet-stream"
_KEPT_CHARACTERS = 60


class TooLargeError(Exception):
    """Files that are more than a message may hold."""


async def load_files(attachments: Sequence[Attachment], env: Mapping[str, str], most_bytes: int) -> list[File]:
    """Load the files; none is read that would make the message too large.

    Raises TooLargeError and the errors of storage.
    """
    files: list[File] = []
    room = most_bytes * 3 // 4  # base64 makes four bytes of three
    async with AsyncExitStack() as stack:
        stored = any(attachment.url is not None for attachment in attachments)
        store = await stack.enter_async_context(open_store(env)) if stored else None
        for attachment in attachments:
            content = await _load(attachment, store, room, most_bytes)
            room -= len(content)
            files.append(_file(attachment, content))
    return files


async def _load(attachment: Attachment, store: Store | None, room: int, most_bytes: int) -> bytes:
    if attachment.url is None or store is None:
        return base64.b64decode(attachment.content or "")
    size = await store.size(attachment.url)
    if size <= room:
        content = bytearray()
        async for chunk in store.read(attachment.url):
            content += chunk
            if len(content) > room:  # it has grown since it was asked for its size
                break
        if len(content) <= room:
            return bytes(content)
    raise TooLargeError(
        f"{attachment.url} has {size} bytes and makes the message larger than the {most_bytes} bytes that"
        " MAIL_MAX_BYTES allows (a file takes a third more in a mail): send a link instead"
    )


def _file(attachment: Attachment, content: bytes) -> File:
    name = attachment.filename or _name_in(attachment.url or "")
    kind = attachment.content_type or mimetypes.guess_type(name, strict=False)[0] or _UNKNOWN
    return File(content, kind, name, attachment.inline)


def _name_in(url: str) -> str:
    """Take the file's name from its URL; what no name may have in it is left out."""
    name = unquote(url.rpartition("/")[2]) if url.startswith("file:") else url.rpartition("/")[2]
    kept = "".join(character for character in name if character.isprintable() and character not in "/\\")
    return kept[-_KEPT_CHARACTERS:].strip(" .") or "attachment"
