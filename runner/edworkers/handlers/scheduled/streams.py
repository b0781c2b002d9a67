"""Bytes that are there already, as the streams that storage takes."""

from collections.abc import AsyncIterator


async def once(content: bytes) -> AsyncIterator[bytes]:
    """Give all of them at once."""
    yield content
