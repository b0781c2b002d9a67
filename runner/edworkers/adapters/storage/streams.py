"""Streams of bytes: measured while they pass, and bounded."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterable
from pathlib import Path

from edworkers.core.errors import StorageRefusedError

CHUNK_BYTES = 1024 * 1024
"""How much is read of a file at once."""


class Measured:
    """A stream that counts its bytes and makes their checksum while they pass, and ends where they are too many."""

    def __init__(self, chunks: AsyncIterable[bytes], *, at_most: int | None = None, name: str = "it") -> None:
        self._chunks = chunks
        self._at_most = at_most
        self._name = name
        self._hash = hashlib.sha256()
        self.bytes = 0
        """How many have passed until now."""

    @property
    def sha256(self) -> str:
        """The checksum of what has passed, in hexadecimal digits."""
        return self._hash.hexdigest()

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """Give the chunks. Raises StorageRefusedError before the chunk that is too much is handed on."""
        async for chunk in self._chunks:
            self.bytes += len(chunk)
            check_size(self._name, self.bytes, self._at_most)
            self._hash.update(chunk)
            yield chunk


def check_size(name: str, size: int, at_most: int | None) -> None:
    """Refuse what has more bytes than it may have."""
    if at_most is not None and size > at_most:
        raise StorageRefusedError(f"{name} is larger than {at_most:,} bytes, which is the limit")


async def read_file(path: Path) -> AsyncGenerator[bytes]:
    """Give a local file's bytes, a chunk at a time. Raises OSError."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk
    finally:
        await asyncio.to_thread(file.close)


async def write_file(path: Path, chunks: AsyncIterable[bytes]) -> None:
    """Write a local file, over one that may be there. Raises OSError."""
    file = await asyncio.to_thread(path.open, "wb")
    try:
        async for chunk in chunks:
            await asyncio.to_thread(file.write, chunk)
    finally:
        await asyncio.to_thread(file.close)
