"""What is being uploaded: handed on chunk by chunk, and taken back when it breaks or is no longer wanted."""

import asyncio
from asyncio import Future
from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from typing import Any

from edworkers.core.errors import StorageRefusedError

_SECONDS_TO_TAKE_BACK = 5.0


class Source:
    """The chunks of an object, for a library that takes an upload back when its source raises."""

    def __init__(self, chunks: AsyncIterable[bytes], part_bytes: int, most_bytes: int) -> None:
        self._chunks = aiter(chunks)
        self._part_bytes = part_bytes
        self._most_bytes = most_bytes
        self._start = b""
        self.ended = False
        """Whether the start was all there is."""
        self._broken: BaseException | None = None
        self._stop: Future[None] = asyncio.get_running_loop().create_future()

    async def start(self) -> bytes:
        """Read until there is more than one part, or the end."""
        gathered = bytearray()
        while len(gathered) <= self._part_bytes and not self.ended:
            chunk = await anext(self._chunks, None)
            self.ended = chunk is None
            gathered += chunk or b""
        self._start = bytes(gathered)
        return self._start

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give all chunks, from the start."""
        passed = 0
        chunk: bytes | None
        chunk, self._start = self._start, b""
        while chunk is not None:
            passed += len(chunk)
            if passed > self._most_bytes:
                self._broken = StorageRefusedError(f"S3 takes at most {self._most_bytes:,} bytes this way")
                raise self._broken
            yield chunk
            chunk = await self._next()

    async def _next(self) -> bytes | None:
        """Wait for the next chunk, but no longer than the upload is wanted."""
        coming: Future[bytes | None] = asyncio.ensure_future(anext(self._chunks, None))
        waited: set[Future[Any]] = {coming, self._stop}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if self._stop.done():
            coming.cancel()
            await asyncio.wait({coming})
            raise ConnectionAbortedError
        try:
            return coming.result()
        except BaseException as error:
            self._broken = error
            raise

    async def passed_to(self, upload: Awaitable[Any]) -> None:
        """Wait for the upload; where this is cancelled, also until what has been sent is taken back.

        Raises what the source raised, rather than what the library makes of it.
        """
        task = asyncio.ensure_future(upload)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            self._stop.set_result(None)
            await asyncio.wait({task}, timeout=_SECONDS_TO_TAKE_BACK)
            if task.done() and not task.cancelled():
                task.exception()  # it was our own doing
            task.cancel()
            raise
        except Exception:
            if self._broken is not None:
                raise self._broken from None
            raise
