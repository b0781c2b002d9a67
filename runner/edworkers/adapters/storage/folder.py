"""Objects as files below one folder."""

import asyncio
import os
import secrets
import stat
import time
from collections.abc import AsyncGenerator, AsyncIterable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from edworkers.adapters.storage.places import FilePlace
from edworkers.adapters.storage.store import Stored
from edworkers.adapters.storage.streams import CHUNK_BYTES
from edworkers.core.errors import NotStoredError, StorageRefusedError, StorageUnavailableError

_PART = ".edworkers-part-"
"""How the names of files begin that are being written."""
_ABANDONED_AFTER_SECONDS = 24 * 60 * 60.0


class Folder:
    """The files below one folder; links that lead out of it are refused."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    async def size(self, place: FilePlace) -> int:
        """Give a file's size in bytes."""
        return await asyncio.to_thread(self._size, place)

    def _size(self, place: FilePlace) -> int:
        with self._open(place) as file:
            return os.fstat(file.fileno()).st_size

    async def read(self, place: FilePlace) -> AsyncGenerator[bytes]:
        """Give a file's bytes."""
        file = await asyncio.to_thread(self._open, place)
        try:
            with _translated(place):
                while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                    yield chunk
        finally:
            await asyncio.to_thread(file.close)

    async def write(self, place: FilePlace, chunks: AsyncIterable[bytes]) -> None:
        """Write to a file beside the real one, which it replaces when everything is on disk."""
        target = await asyncio.to_thread(self._target, place)
        part = target.parent / f"{_PART}{secrets.token_hex(8)}"
        with _translated(place):
            file = await asyncio.to_thread(part.open, "xb")
        try:
            try:
                async for chunk in chunks:
                    with _translated(place):
                        await asyncio.to_thread(file.write, chunk)
                with _translated(place):
                    await asyncio.to_thread(_finish, file, part, target)
            finally:
                await asyncio.to_thread(file.close)
        except BaseException:
            await asyncio.to_thread(part.unlink, missing_ok=True)
            raise

    async def list_below(self, prefix: FilePlace) -> list[Stored]:
        """List the files below a folder; links are left out."""
        return await asyncio.to_thread(self._list, prefix)

    def _list(self, prefix: FilePlace) -> list[Stored]:
        found: list[Stored] = []
        with _translated(prefix):
            top = self._resolved(prefix)
            for folder, _, names in os.walk(top):
                found += [_stored(Path(folder) / name, top, prefix) for name in names if _is_object(folder, name)]
        return sorted(found, key=lambda stored: stored.url)

    async def delete(self, place: FilePlace) -> None:
        """Remove a file; one that isn't there is no error."""
        await asyncio.to_thread(self._delete, place)

    def _delete(self, place: FilePlace) -> None:
        with _translated(place):
            target = self._resolved(place)
            if target.is_dir():
                raise StorageRefusedError(f"{place.url} is a folder, and only files are deleted")
            target.unlink(missing_ok=True)

    def _open(self, place: FilePlace) -> BinaryIO:
        with _translated(place):
            # Without O_NONBLOCK a named pipe would be waited for until someone writes to it.
            descriptor = os.open(self._resolved(place), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise StorageRefusedError(f"{place.url} is not a file")
            return os.fdopen(descriptor, "rb")

    def _target(self, place: FilePlace) -> Path:
        """Find where to write, and make the folders on the way there."""
        with _translated(place):
            target = self._resolved(place)
            if target.is_dir():
                raise StorageRefusedError(f"{place.url} is a folder, and a file can't take its place")
            target.parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(target.parent)
            return target

    def _resolved(self, place: FilePlace) -> Path:
        """Follow every link. Raises StorageRefusedError for what lies outside of the folder."""
        if self._folder is None:
            raise StorageRefusedError(f"{place.url} can't be used: no folder is set up (STORAGE_FOLDER)")
        path = Path(place.path)
        if not path.is_relative_to(self._folder):
            raise StorageRefusedError(f"{place.url} is not below the folder {self._folder} (STORAGE_FOLDER)")
        resolved = path.resolve()
        if not resolved.is_relative_to(self._folder.resolve()):
            raise StorageRefusedError(f"{place.url} is a link that leads out of the folder {self._folder}")
        return resolved


def _finish(file: BinaryIO, part: Path, target: Path) -> None:
    """Make sure that the bytes are on disk before the name is, and the name before anyone is told of it."""
    file.flush()
    os.fsync(file.fileno())
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _remove_abandoned(folder: Path) -> None:
    """Remove what writers left behind that were killed long ago."""
    oldest = time.time() - _ABANDONED_AFTER_SECONDS
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_PART) and entry.stat(follow_symlinks=False).st_mtime < oldest:
                Path(entry.path).unlink(missing_ok=True)


def _is_object(folder: str, name: str) -> bool:
    return not name.startswith(_PART) and stat.S_ISREG(os.lstat(Path(folder) / name).st_mode)


def _stored(path: Path, top: Path, prefix: FilePlace) -> Stored:
    found = path.lstat()
    url = FilePlace(prefix.path / path.relative_to(top)).url
    return Stored(url, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))


@contextmanager
def _translated(place: FilePlace) -> Generator[None]:
    """Put the system's errors into words that say what to do."""
    try:
        yield
    except FileNotFoundError:
        raise NotStoredError(f"there is no file {place.url}") from None
    except (PermissionError, NotADirectoryError, IsADirectoryError, FileExistsError) as error:
        raise StorageRefusedError(f"{place.url} can't be used: {error.strerror}") from None
    except RuntimeError:  # what pathlib makes of ELOOP
        raise StorageRefusedError(f"{place.url} has links that lead in a circle") from None
    except OSError as error:
        raise StorageUnavailableError(f"{place.url} can't be used just now: {error.strerror}") from None
