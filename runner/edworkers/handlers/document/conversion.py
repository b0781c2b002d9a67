"""One attempt at one job: fetches the sources, converts them, and stores what comes of it."""

import asyncio
import hashlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edworkers.adapters.storage import Store
from edworkers.handlers.document.conversions import Kind, route_of
from edworkers.handlers.document.errors import UnusableDocumentError
from edworkers.handlers.document.fetch import Fetcher
from edworkers.handlers.document.finish import Made, finish
from edworkers.handlers.document.kind import kind_of
from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.produce import Producer
from edworkers.handlers.document.request import DocumentData, name_of, page_url
from edworkers.ports import JobContext

_FETCHED, _CONVERTED, _MADE = 0.2, 0.7, 0.9
"""How far the work is after these steps."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source that was fetched."""

    path: Path
    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Conversion:
    """What one attempt works with; `folder` is its own."""

    env: Mapping[str, str]
    store: Store
    limits: Limits
    data: DocumentData
    job: JobContext
    folder: Path

    async def run(self) -> dict[str, Any]:
        """Fetch, convert and store; gives what the result says of it. Raises EdworkersError of many kinds."""
        sources = await self._fetch_all()
        producer = Producer(self.env, self.folder, self.limits, self.job)
        produced = [await self._produce(producer, number, sources) for number in range(1, len(sources) + 1)]
        await self.job.progress(_CONVERTED, f"making {self.data.to}")
        is_pdf = all(source.kind is Kind.PDF for source in sources)
        made = await asyncio.to_thread(finish, self.data, produced, self.folder, self.limits, is_pdf=is_pdf)
        await self.job.progress(_MADE, "storing the result")
        kinds = ", ".join(dict.fromkeys(source.kind.value for source in sources))
        missing = {"missing": producer.missing} if producer.missing else {}
        return {"kind": kinds, "pages": made.pages, **await self._store(made), **missing}

    async def _fetch_all(self) -> list[Source]:
        fetcher = Fetcher(self.store, self.env, self.limits)
        urls = self.data.all_sources
        left = self.limits.max_bytes
        found: list[Source] = []
        for number, url in enumerate(urls, start=1):
            await self.job.progress(_FETCHED * (number - 1) / len(urls), f"fetching {_which(number, len(urls))}")
            path = self.folder / f"source{number}"
            with _about(number, len(urls)):
                left -= await fetcher.fetch(url, path, left)
                kind = await asyncio.to_thread(kind_of, path, name_of(url))
                route_of(kind, self.data.to)
            found.append(Source(path, kind, name_of(url)))
        return found

    async def _produce(self, producer: Producer, number: int, sources: Sequence[Source]) -> Path:
        source, count = sources[number - 1], len(sources)
        done = _FETCHED + (_CONVERTED - _FETCHED) * (number - 1) / count
        await self.job.progress(done, f"converting {_which(number, count)} from {source.kind}")
        with _about(number, count):
            return await producer.produce(source.path, source.kind, route_of(source.kind, self.data.to), source.name)

    async def _store(self, made: Made) -> dict[str, Any]:
        if made.numbers is None:
            [path] = made.files
            size = await self.store.upload(path, self.data.destination)
            return {"url": self.data.destination, "bytes": size, "sha256": await asyncio.to_thread(_sha256, path)}
        urls = [page_url(self.data.destination, number) for number in made.numbers]
        sizes = [await self.store.upload(path, url) for path, url in zip(made.files, urls, strict=True)]
        sums = [await asyncio.to_thread(_sha256, path) for path in made.files]
        return {"urls": urls, "bytes": sum(sizes), "sha256": sums}


def _which(number: int, count: int) -> str:
    return "the source" if count == 1 else f"source {number} of {count}"


@contextmanager
def _about(number: int, count: int) -> Generator[None]:
    """Say which of several sources it is that nothing can be done with."""
    try:
        yield
    except UnusableDocumentError as error:
        if count == 1:
            raise
        raise UnusableDocumentError(f"source {number}: {error.reason}") from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
