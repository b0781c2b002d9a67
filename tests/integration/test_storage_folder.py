"""Objects as files: nothing outside of the folder is touched, by whatever name or link."""

import asyncio
import os
import resource
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from pathlib import Path

import pytest
from tests.servers.storage import StorageFolder

from edworkers.adapters.storage import Store, open_store
from edworkers.core.errors import NotStoredError, StorageRefusedError, StorageUnavailableError


@pytest.fixture
async def store(storage_folder: StorageFolder) -> AsyncGenerator[Store]:
    async with open_store(storage_folder.env) as store:
        yield store


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def everything_is_refused(store: Store, url: str, why: str) -> None:
    with pytest.raises(StorageRefusedError, match=why):
        await store.size(url)
    with pytest.raises(StorageRefusedError, match=why):
        await store.write(url, stream(b"mine"))
    with pytest.raises(StorageRefusedError, match=why):
        await store.delete(url)
    with pytest.raises(StorageRefusedError, match=why):
        await store.list(url)


async def test_files_outside_of_the_folder_are_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush")
    await everything_is_refused(store, f"file://{tmp_path}/secret", "is not below the folder")
    await everything_is_refused(store, "file:///etc/passwd", "is not below the folder")
    beside = tmp_path / "storage-of-others"
    beside.mkdir()
    await everything_is_refused(store, f"file://{beside}/a", "is not below the folder")
    assert (tmp_path / "secret").read_text() == "hush"
    assert list(beside.iterdir()) == []


async def test_links_out_of_the_folder_are_refused_wherever_they_are_on_the_way(
    store: Store, storage_folder: StorageFolder, tmp_path: Path
) -> None:
    secret = tmp_path / "outside" / "secret"
    secret.parent.mkdir()
    secret.write_text("hush")
    (storage_folder.path / "to-a-file").symlink_to(secret)
    (storage_folder.path / "to-a-folder").symlink_to(secret.parent)
    (storage_folder.path / "to-nothing").symlink_to(tmp_path / "outside" / "new")
    for name in ("to-a-file", "to-a-folder/secret", "to-a-folder/new", "to-nothing"):
        await everything_is_refused(store, storage_folder.url(name), "is a link that leads out of the folder")
    assert secret.read_text() == "hush"
    assert [path.name for path in secret.parent.iterdir()] == ["secret"]


async def test_a_link_within_the_folder_is_followed_but_not_listed(store: Store, storage_folder: StorageFolder) -> None:
    await store.write(storage_folder.url("2026/report"), stream(b"now"))
    (storage_folder.path / "latest").symlink_to("2026")
    assert await store.size(storage_folder.url("latest/report")) == 3
    assert [stored.url for stored in await store.list(storage_folder.url())] == [storage_folder.url("2026/report")]


async def test_links_in_a_circle_are_refused(store: Store, storage_folder: StorageFolder) -> None:
    (storage_folder.path / "here").symlink_to("there")
    (storage_folder.path / "there").symlink_to("here")
    with pytest.raises(StorageRefusedError, match="links that lead in a circle"):
        await store.size(storage_folder.url("here"))


async def test_what_is_no_file_is_refused_without_waiting_for_it(store: Store, storage_folder: StorageFolder) -> None:
    os.mkfifo(storage_folder.path / "pipe")
    (storage_folder.path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(StorageRefusedError, match="is not a file"):
            await store.size(storage_folder.url(name))
    with pytest.raises(StorageRefusedError, match="is a folder"):
        await store.write(storage_folder.url("folder"), stream(b"x"))
    with pytest.raises(StorageRefusedError, match="is a folder"):
        await store.delete(storage_folder.url("folder"))


async def test_a_file_where_a_folder_would_have_to_be_is_refused(store: Store, storage_folder: StorageFolder) -> None:
    await store.write(storage_folder.url("a"), stream(b"x"))
    with pytest.raises(StorageRefusedError, match="can't be used"):
        await store.write(storage_folder.url("a/b"), stream(b"x"))


async def test_a_folder_that_is_gone_is_a_missing_object(store: Store, storage_folder: StorageFolder) -> None:
    storage_folder.path.rmdir()
    with pytest.raises(NotStoredError, match="there is no file"):
        await store.size(storage_folder.url("a"))


async def test_a_folder_that_is_a_link_itself_is_used(storage_folder: StorageFolder, tmp_path: Path) -> None:
    (tmp_path / "mount").symlink_to(storage_folder.path)
    async with open_store({"STORAGE_FOLDER": str(tmp_path / "mount")}) as store:
        assert await store.write(f"file://{tmp_path}/mount/a", stream(b"x")) == 1
        assert [stored.url for stored in await store.list(f"file://{tmp_path}/mount/")] == [
            f"file://{tmp_path}/mount/a"
        ]
    assert (storage_folder.path / "a").read_bytes() == b"x"


@pytest.fixture
def little_room() -> Generator[None]:
    """No file may grow beyond 1 MiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * 1024, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("little_room")
async def test_a_disk_without_room_is_to_be_tried_again_and_keeps_nothing(
    store: Store, storage_folder: StorageFolder
) -> None:
    with pytest.raises(StorageUnavailableError, match="can't be used just now: File too large"):
        await store.write(storage_folder.url("a"), stream(bytes(1000), bytes(2 * 1024 * 1024)))
    assert list(storage_folder.path.iterdir()) == []


async def test_what_a_killed_writer_left_is_not_listed_and_removed_a_day_later(
    store: Store, storage_folder: StorageFolder
) -> None:
    reached = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"half"
        reached.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(store.write(storage_folder.url("a"), slow()))
    await reached.wait()
    [part] = storage_folder.path.iterdir()
    assert await store.list(storage_folder.url()) == []
    old = storage_folder.path / f"{part.name}-of-yesterday"
    old.write_bytes(b"half")
    os.utime(old, (0, 0))
    await store.write(storage_folder.url("b"), stream(b"x"))
    assert part.exists()  # its writer lives
    assert not old.exists()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert [path.name for path in storage_folder.path.iterdir()] == ["b"]
