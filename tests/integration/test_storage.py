"""What holds for objects wherever they are stored: in S3 (moto's server) and in a folder."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.servers.storage import S3Server, StorageFolder

from edworkers.adapters.storage import Measured, Store, open_store, read_file
from edworkers.core.errors import NotStoredError, StorageRefusedError

MIB = 1024 * 1024


@dataclass
class Place:
    """A store, and what the URLs of its objects begin with."""

    store: Store
    base: str

    def url(self, name: str) -> str:
        return f"{self.base}/{name}"

    async def names(self) -> list[str]:
        return [stored.url.removeprefix(self.base) for stored in await self.store.list(f"{self.base}/")]


@pytest.fixture(params=["s3", "folder"])
async def place(request: pytest.FixtureRequest, s3: S3Server, storage_folder: StorageFolder) -> AsyncGenerator[Place]:
    server: S3Server | StorageFolder = s3 if request.param == "s3" else storage_folder
    async with open_store(server.env) as store:
        yield Place(store, server.url().removesuffix("/"))


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def many(mebibytes: int) -> AsyncIterator[bytes]:
    for number in range(mebibytes):
        yield bytes([number]) * MIB


async def test_what_is_written_is_read_and_its_size_and_checksum_are_known(place: Place) -> None:
    measured = Measured(stream(b"how ", b"", b"are you"))
    assert await place.store.write(place.url("a/b.txt"), measured) == 11
    assert (measured.bytes, measured.sha256) == (11, hashlib.sha256(b"how are you").hexdigest())
    assert await place.store.size(place.url("a/b.txt")) == 11
    assert b"".join([chunk async for chunk in place.store.read(place.url("a/b.txt"))]) == b"how are you"


async def test_an_object_of_many_parts_is_the_same_when_it_comes_back(place: Place, tmp_path: Path) -> None:
    sent, back = Measured(many(21)), tmp_path / "back"
    assert await place.store.write(place.url("large"), sent) == 21 * MIB
    assert await place.store.download(place.url("large"), back, at_most=21 * MIB) == 21 * MIB
    kept = Measured(read_file(back))
    async for _ in kept:
        pass
    assert kept.sha256 == sent.sha256
    assert await place.store.upload(back, place.url("again")) == 21 * MIB
    assert await place.store.size(place.url("again")) == 21 * MIB


@pytest.mark.parametrize("size", [0, 1, 8 * MIB, 8 * MIB + 1])
async def test_sizes_at_the_edge_of_a_part_are_kept(place: Place, size: int) -> None:
    assert await place.store.write(place.url("edge"), stream(bytes(size))) == size
    assert sum([len(chunk) async for chunk in place.store.read(place.url("edge"))]) == size


async def test_a_job_that_runs_again_writes_the_same_object_again(place: Place) -> None:
    for _ in range(2):
        assert await place.store.write(place.url("result.pdf"), stream(b"the same")) == 8
    await place.store.write(place.url("result.pdf"), stream(b"new"))
    assert b"".join([chunk async for chunk in place.store.read(place.url("result.pdf"))]) == b"new"
    assert await place.names() == ["/result.pdf"]


@pytest.mark.parametrize(
    "name",
    [
        "class 5/my report.pdf",
        "größe/Ωmega/数学.pdf",
        "a&b+c=d;e@f$g,h!(i)'j'.pdf",
        "q[~]{}*`^|<>.pdf",
        ".hidden",
        "back\\slash",
    ],
)
async def test_odd_names_are_kept_and_found_again_by_the_url_that_the_list_gives(place: Place, name: str) -> None:
    await place.store.write(place.url(name), stream(b"here"))
    [stored] = await place.store.list(f"{place.base}/")
    assert stored.bytes == 4
    assert await place.store.size(stored.url) == 4
    await place.store.delete(stored.url)
    with pytest.raises(NotStoredError):
        await place.store.size(place.url(name))


async def test_a_list_holds_what_is_below_a_folder_and_nothing_beside_it(place: Place) -> None:
    for name in ("a/2", "a/1", "a/b/3", "ab", "c"):
        await place.store.write(place.url(name), stream(b"x"))
    for folder in ("a", "a/"):
        found = await place.store.list(place.url(folder))
        assert [stored.url for stored in found] == [place.url("a/1"), place.url("a/2"), place.url("a/b/3")]
    assert all(datetime.now(UTC) - stored.modified < timedelta(minutes=5) for stored in found)
    assert await place.store.list(place.url("none/")) == []


async def test_what_was_deleted_is_gone_and_may_be_deleted_again(place: Place) -> None:
    await place.store.write(place.url("old"), stream(b"x"))
    for _ in range(2):
        await place.store.delete(place.url("old"))
    assert await place.names() == []


async def test_an_object_that_is_not_there_is_named(place: Place, tmp_path: Path) -> None:
    with pytest.raises(NotStoredError, match=r"there is no .*missing"):
        await place.store.size(place.url("missing"))
    with pytest.raises(NotStoredError, match=r"there is no .*missing"):
        await place.store.download(place.url("missing"), tmp_path / "out", at_most=9)
    assert not (tmp_path / "out").exists()


async def test_too_large_an_object_is_refused_while_it_comes_and_leaves_no_file(place: Place, tmp_path: Path) -> None:
    await place.store.write(place.url("large"), many(3))
    with pytest.raises(StorageRefusedError, match="large is larger than 1,048,576 bytes, which is the limit"):
        await place.store.download(place.url("large"), tmp_path / "out", at_most=MIB)
    assert not (tmp_path / "out").exists()
    assert await place.store.download(place.url("large"), tmp_path / "out", at_most=3 * MIB) == 3 * MIB


@pytest.mark.parametrize("mebibytes", [1, 20])
async def test_a_source_that_breaks_leaves_what_was_there(place: Place, mebibytes: int) -> None:
    async def broken() -> AsyncIterator[bytes]:
        async for chunk in many(mebibytes):
            yield chunk
        raise EOFError("the dump ended early")

    await place.store.write(place.url("backup"), stream(b"yesterday's"))
    with pytest.raises(EOFError, match="the dump ended early"):
        await place.store.write(place.url("backup"), broken())
    assert b"".join([chunk async for chunk in place.store.read(place.url("backup"))]) == b"yesterday's"
    assert await place.names() == ["/backup"]


async def test_a_write_that_is_cancelled_while_its_source_waits_leaves_nothing(place: Place) -> None:
    waiting = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        async for chunk in many(20):
            yield chunk
        waiting.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(place.store.write(place.url("backup"), slow()))
    await waiting.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await place.names() == []


async def test_an_address_that_means_nothing_here_is_refused_in_words(place: Place) -> None:
    for url in (place.url("../up"), place.url("a//b"), "ftp://school/a"):
        with pytest.raises(StorageRefusedError, match="can't be used: it must"):
            await place.store.size(url)


async def test_a_storage_that_is_not_set_up_is_refused_by_name() -> None:
    async with open_store({}) as store:
        with pytest.raises(StorageRefusedError, match="S3 is not set up"):
            await store.size("s3://school/a")
        with pytest.raises(StorageRefusedError, match="no folder is set up"):
            await store.size("file:///data/a")
