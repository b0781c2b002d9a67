"""What is handed to an upload, piece by piece."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from edworkers.adapters.storage.upload import Source
from edworkers.core.errors import StorageRefusedError


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_what_ends_within_one_part_is_known_at_the_start() -> None:
    source = Source(stream(b"abc", b"", b"def"), part_bytes=10, most_bytes=100)
    assert await source.start() == b"abcdef"
    assert source.ended


async def test_what_is_longer_is_handed_on_whole_and_no_sooner_than_it_is_wanted() -> None:
    asked = []

    async def counted() -> AsyncIterator[bytes]:
        for number in range(10):
            asked.append(number)
            yield b"12345"

    source = Source(counted(), part_bytes=10, most_bytes=100)
    await source.start()
    assert not source.ended
    assert asked == [0, 1, 2]
    chunks = aiter(source)
    assert await anext(chunks) == b"12345" * 3
    assert asked == [0, 1, 2]
    assert b"".join([chunk async for chunk in chunks]) == b"12345" * 7


async def test_more_than_s3_takes_is_refused_and_that_is_what_the_writer_hears() -> None:
    source = Source(stream(*[b"12345"] * 10), part_bytes=10, most_bytes=25)
    await source.start()

    async def upload() -> None:
        try:
            async for _ in source:
                pass
        except StorageRefusedError as error:
            raise OSError("the library says something else") from error

    with pytest.raises(StorageRefusedError, match="at most 25 bytes"):
        await source.passed_to(upload())


async def test_an_upload_that_fails_by_itself_is_heard_as_it_is() -> None:
    source = Source(stream(*[b"12345"] * 10), part_bytes=10, most_bytes=100)
    await source.start()

    async def upload() -> None:
        await asyncio.sleep(0)
        raise OSError("no route")

    with pytest.raises(OSError, match="no route"):
        await source.passed_to(upload())
