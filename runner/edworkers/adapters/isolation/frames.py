"""Messages between a runner, its zygote and the processes of jobs: a head as JSON, and bytes passed on as they are."""

import struct
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json, to_json

Message = tuple[dict[str, Any], bytes]

SIGN = struct.Struct("!d")
"""A sign of life: when (by the machine's steady clock) the last renewal of leases was begun that Redis answered."""

_SIZES = struct.Struct("!II")


def write_frame(head: dict[str, Any], body: bytes = b"") -> bytes:
    """Write one message."""
    text = to_json(head)
    return b"".join((_SIZES.pack(len(text), len(body)), text, body))


class Frames:
    """Messages out of bytes that arrive in pieces of any size."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, piece: bytes) -> Iterator[Message]:
        """Take the next bytes; gives each message that is complete by now."""
        self._buffer += piece
        while (message := self._next()) is not None:
            yield message

    def _next(self) -> Message | None:
        buffer, start = self._buffer, _SIZES.size
        if len(buffer) < start:
            return None
        head_size, body_size = _SIZES.unpack_from(buffer)
        middle, end = start + head_size, start + head_size + body_size
        if len(buffer) < end:
            return None
        message = from_json(bytes(buffer[start:middle])), bytes(buffer[middle:end])
        del buffer[:end]
        return message
