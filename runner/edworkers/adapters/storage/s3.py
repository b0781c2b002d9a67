"""Objects in S3-compatible storage."""

from collections.abc import AsyncGenerator, AsyncIterable
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, cast

from edworkers.adapters.storage.places import S3Place
from edworkers.adapters.storage.s3_errors import translated
from edworkers.adapters.storage.settings import S3Settings
from edworkers.adapters.storage.store import Stored
from edworkers.adapters.storage.upload import Source
from edworkers.core.errors import StorageRefusedError, StorageUnavailableError

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Store

PART_BYTES = 8 * 1024 * 1024
"""The size of a part of an upload; what is smaller goes in one request."""
_PARTS_AT_ONCE = 2
_MOST_PARTS = 10_000  # as S3 has it


class S3:
    """The buckets at one endpoint."""

    def __init__(self, settings: S3Settings | None) -> None:
        self._settings = settings
        self._buckets: dict[str, S3Store] = {}

    @property
    def is_used(self) -> bool:
        """Say whether anything was asked of it."""
        return bool(self._buckets)

    async def size(self, place: S3Place) -> int:
        """Give an object's size in bytes."""
        import obstore

        bucket = self._bucket(place)
        with translated(place, self._where):
            return (await obstore.head_async(bucket, place.key))["size"]

    async def read(self, place: S3Place) -> AsyncGenerator[bytes]:
        """Give an object's bytes. Raises StorageUnavailableError when they end too early."""
        import obstore

        bucket = self._bucket(place)
        with translated(place, self._where):
            found = await obstore.get_async(bucket, place.key)
        left = found.meta["size"]
        chunks = aiter(found.stream(PART_BYTES // 8))
        while True:
            with translated(place, self._where):
                chunk = await anext(chunks, None)
            if chunk is None:
                break
            left -= len(chunk)
            yield bytes(chunk)
        if left:
            raise StorageUnavailableError(f"{place.url} ended before its end: {self._where} sent too few bytes")

    async def write(self, place: S3Place, chunks: AsyncIterable[bytes]) -> None:
        """Write an object: what is small in one request, else part by part as it comes."""
        import obstore

        bucket = self._bucket(place)
        source = Source(chunks, PART_BYTES, PART_BYTES * _MOST_PARTS)
        start = await source.start()
        if source.ended:
            with translated(place, self._where):
                await obstore.put_async(bucket, place.key, start, use_multipart=False)
            return
        with translated(place, self._where):
            await source.passed_to(
                obstore.put_async(
                    bucket, place.key, source, chunk_size=PART_BYTES, max_concurrency=_PARTS_AT_ONCE, use_multipart=True
                )
            )

    async def list_below(self, prefix: S3Place) -> list[Stored]:
        """List the objects below a folder."""
        import obstore

        bucket = self._bucket(prefix)
        found: list[Stored] = []
        with translated(prefix, self._where):
            async for chunk in obstore.list(bucket, prefix.key.removesuffix("/") or None):
                found += [_stored(prefix, dict(meta)) for meta in chunk]
        return sorted(found, key=lambda stored: stored.url)

    async def delete(self, place: S3Place) -> None:
        """Remove an object; one that isn't there is no error."""
        import obstore

        bucket = self._bucket(place)
        with translated(place, self._where):
            await obstore.delete_async(bucket, place.key)

    @property
    def _where(self) -> str:
        return (self._settings and self._settings.endpoint) or "Amazon S3"

    def _bucket(self, place: S3Place) -> "S3Store":
        if self._settings is None:
            raise StorageRefusedError(
                f"{place.url} can't be used: S3 is not set up (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"
            )
        if place.bucket not in self._buckets:
            self._buckets[place.bucket] = _connected(place.bucket, self._settings)
        return self._buckets[place.bucket]


def _connected(bucket: str, settings: S3Settings) -> "S3Store":
    from obstore.store import S3Store

    config: dict[str, Any] = dict(settings.credentials)
    if settings.endpoint is not None:
        config["endpoint"] = settings.endpoint
    return S3Store(
        bucket,
        config=cast("S3Config", config),
        region=settings.region,
        virtual_hosted_style_request=settings.endpoint is None,
        client_options={
            "allow_http": (settings.endpoint or "").startswith("http://"),
            "connect_timeout": timedelta(seconds=5),
            "read_timeout": timedelta(seconds=30),
            # How long a whole answer takes is not for this to say: it depends on the size and on the reader.
            "timeout": timedelta(hours=6),
        },
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=30)},
    )


def _stored(prefix: S3Place, meta: dict[str, Any]) -> Stored:
    return Stored(S3Place(prefix.bucket, meta["path"]).url, meta["size"], meta["last_modified"].astimezone(UTC))
