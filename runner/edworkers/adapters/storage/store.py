"""The one face of all storage: objects by their URLs."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

from edworkers.adapters.storage.places import FilePlace, Place, S3Place, place_of, prefix_of
from edworkers.adapters.storage.streams import Measured, read_file, write_file
from edworkers.core.errors import StorageRefusedError

P_contra = TypeVar("P_contra", bound=Place, contravariant=True)


@dataclass(frozen=True, slots=True)
class Stored:
    """An object that a listing found."""

    url: str
    bytes: int
    modified: datetime
    """In UTC."""


Listing = list[Stored]


class Backend(Protocol[P_contra]):
    """One kind of storage. Its errors are those of `core.errors`."""

    async def size(self, place: P_contra) -> int:
        """Give an object's size in bytes."""
        ...

    def read(self, place: P_contra) -> AsyncGenerator[bytes]:
        """Give an object's bytes."""
        ...

    async def write(self, place: P_contra, chunks: AsyncIterable[bytes]) -> None:
        """Write an object whole, or leave what was there."""
        ...

    async def list_below(self, prefix: P_contra) -> list[Stored]:
        """List what is below a folder, by URL."""
        ...

    async def delete(self, place: P_contra) -> None:
        """Remove an object; one that isn't there is no error."""
        ...


class Store:
    """Reads and writes objects. Every method raises the three kinds of StorageError and says in words what happened.

    StorageRefusedError also for a URL that is none, or that lies in a storage which isn't set up.
    """

    def __init__(self, s3: Backend[S3Place], folder: Backend[FilePlace]) -> None:
        self._s3 = s3
        self._folder = folder

    async def size(self, url: str) -> int:
        """Give an object's size in bytes. Raises NotStoredError when there is none."""
        match _checked(url):
            case S3Place() as place:
                return await self._s3.size(place)
            case FilePlace() as place:
                return await self._folder.size(place)

    async def read(self, url: str, *, at_most: int | None = None) -> AsyncGenerator[bytes]:
        """Give an object's bytes in chunks of some MiB; refused as soon as there are more than `at_most` bytes."""
        match _checked(url):
            case S3Place() as place:
                chunks = self._s3.read(place)
            case FilePlace() as place:
                chunks = self._folder.read(place)
        async with aclosing(chunks):
            async for chunk in Measured(chunks, at_most=at_most, name=url):
                yield chunk

    async def write(self, url: str, chunks: AsyncIterable[bytes]) -> int:
        """Write an object, over one that may be there, and return its size in bytes.

        Whole or not at all: what `chunks` raises is raised, and then nothing was written.
        """
        measured = Measured(chunks, name=url)
        match _checked(url):
            case S3Place() as place:
                await self._s3.write(place, measured)
            case FilePlace() as place:
                await self._folder.write(place, measured)
        return measured.bytes

    async def download(self, url: str, path: Path, at_most: int) -> int:
        """Copy an object to a local file, and return its size; when that fails there is no file.

        Raises StorageRefusedError for an object of more than `at_most` bytes, however large it says it is.
        """
        async with aclosing(self.read(url, at_most=at_most)) as chunks:
            measured = Measured(chunks)
            try:
                await write_file(path, measured)
            except BaseException:
                await asyncio.to_thread(path.unlink, missing_ok=True)
                raise
        return measured.bytes

    async def upload(self, path: Path, url: str) -> int:
        """Copy a local file to an object, and return its size. Raises OSError when the file can't be read."""
        async with aclosing(read_file(path)) as chunks:
            return await self.write(url, chunks)

    async def list(self, url_prefix: str) -> Listing:
        """List the objects below a folder, sorted by URL; of none, where there is no such folder."""
        match _checked(url_prefix, folder=True):
            case S3Place() as place:
                return await self._s3.list_below(place)
            case FilePlace() as place:
                return await self._folder.list_below(place)

    async def delete(self, url: str) -> None:
        """Remove an object; one that isn't there is no error."""
        match _checked(url):
            case S3Place() as place:
                await self._s3.delete(place)
            case FilePlace() as place:
                await self._folder.delete(place)


def _checked(url: str, *, folder: bool = False) -> Place:
    try:
        return prefix_of(url) if folder else place_of(url)
    except ValueError as error:
        raise StorageRefusedError(f"the address {url[:200]!r} can't be used: it {error}") from None
