"""Fetches sources: from storage, and from the web through the guard against addresses that are none of its business."""

import asyncio
import email.utils
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edworkers.adapters import guarded_http
from edworkers.adapters.storage import Store
from edworkers.core.errors import EdworkersError
from edworkers.handlers.document.errors import UnusableDocumentError
from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.settings import WEB
from edworkers.handlers.endpoint import host_of

_ANSWER_SECONDS = 60.0
"""How long a server may say nothing at all."""
_MOST_WAIT = 3600.0
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_OK, _REDIRECT, _ERROR = 200, 300, 400
_WHY = {401: "asks for a password", 403: "refuses it", 404: "has no such document", 410: "has it no more"}


class SourceError(EdworkersError):
    """A source on the web that couldn't be fetched. `retryable` tells whether it is worth another attempt."""

    def __init__(self, message: str, *, retryable: bool, after_seconds: float | None = None) -> None:
        self.retryable = retryable
        self.after_seconds = after_seconds
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Copies sources to files."""

    store: Store
    env: Mapping[str, str]
    limits: Limits

    async def fetch(self, url: str, path: Path, at_most: int) -> int:
        """Copy a source into a file and return its size in bytes; never more than `at_most` of them.

        Raises UnusableDocumentError, SourceError, AddressRefusedError and StorageError.
        """
        if url.startswith("https://"):
            return await self._from_web(url, path, at_most)
        size = await self.store.size(url)
        if size > at_most:
            raise self._too_large(size)
        return await self.store.download(url, path, at_most)

    def _too_large(self, size: int | None = None) -> UnusableDocumentError:
        has = "it has more than" if size is None else f"it has {size} bytes, and"
        return UnusableDocumentError(f"{has} the {self.limits.max_bytes} bytes that are allowed (DOCUMENT_MAX_BYTES)")

    async def _from_web(self, url: str, path: Path, at_most: int) -> int:
        import httpx2

        client = await asyncio.to_thread(guarded_http.make_client, self.env, names=WEB)
        try:
            async with client:
                response = await _patient(client.send(client.build_request("GET", url), stream=True), host_of(url))
                async with aclosing(response):
                    _check(response, host_of(url))
                    return await self._write(response.aiter_bytes(), path, at_most, host_of(url))
        except httpx2.InvalidURL as error:
            raise SourceError(f"{host_of(url)}: {error}", retryable=False) from None
        except httpx2.HTTPError as error:
            message = f"{host_of(url)} can't be reached, or hung up: {error or type(error).__name__}"
            raise SourceError(message, retryable=True) from None

    async def _write(self, chunks: AsyncIterator[bytes], path: Path, at_most: int, host: str) -> int:
        size = 0
        with path.open("wb") as file:
            while (chunk := await _patient(anext(chunks, None), host)) is not None:
                size += len(chunk)
                if size > at_most:
                    raise self._too_large()
                file.write(chunk)
        return size


async def _patient(awaitable: Any, host: str) -> Any:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await awaitable
    except TimeoutError:
        raise SourceError(f"{host} said nothing for {_ANSWER_SECONDS:.3g} s", retryable=True) from None


def _check(response: Any, host: str) -> None:
    status = response.status_code
    if status == _OK:
        return
    if _REDIRECT <= status < _ERROR:
        where = response.headers.get("location", "")[:200]
        raise SourceError(f"{host} answers {status} and names another address ({where}): give that", retryable=False)
    if status in _TRY_AGAIN:
        wait = _seconds(response.headers.get("retry-after", ""), datetime.now(UTC))
        raise SourceError(f"{host} answers {status}", retryable=True, after_seconds=wait)
    raise SourceError(f"{host} {_WHY.get(status, 'gives no document')} ({status})", retryable=False)


def _seconds(text: str, now: datetime) -> float | None:
    """Read a Retry-After: seconds, or a date."""
    if text.strip().isdecimal():
        return min(float(text[:9]), _MOST_WAIT)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((zoned - now).total_seconds(), 0.0), _MOST_WAIT)
