"""The books of all servers of one Redis."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from pydantic import TypeAdapter
from pydantic_core import to_json

from edworkers.adapters.redis.asking import ask
from edworkers.adapters.redis.books import ring as rings
from edworkers.adapters.redis.books.deeds import read_deeds, start_of
from edworkers.adapters.redis.books.ring import RINGS, SAMPLE_BYTES, Ring
from edworkers.adapters.redis.calls import Client, run_script
from edworkers.core.keys import ServerKeys
from edworkers.ports.books import BulkOperation, Deed, Sample

MAX_DEEDS = 10_000
MAX_OPERATIONS = 1000
_KEEP_OPERATION_MS = 7 * 86_400_000
_operation: TypeAdapter[BulkOperation] = TypeAdapter(BulkOperation)

Result = TypeVar("Result")


class RedisBooks:
    """The `ServerBooks` port on Redis; on a cluster its client is one for the keys of `ServerKeys`.

    The rings of one queue take 152,112 bytes, and go 7 days after their last sample.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._keys = ServerKeys()

    async def _ask(self, call: Callable[[], Awaitable[Result]]) -> Result:
        return await ask(self._client, call)

    async def _send(self, *words: Any) -> Any:
        return await self._ask(lambda: self._client.execute_command(*words))

    async def _run(self, name: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        return await self._ask(lambda: run_script(self._client, name, keys, args))

    async def add_sample(self, queue: str, sample: Sample) -> None:
        """Keep a sample; that of another server for the same time makes way.

        What is made of it for wider steps is reckoned anew from the finer ones, so that to write it twice counts once.
        """
        at = RINGS[0].floor(sample.at)
        sample = sample._replace(at=at)
        for ring, wider in zip(RINGS, (*RINGS[1:], None), strict=True):
            step = wider or ring
            first = step.floor(at)
            last = first + step.step_ms - ring.step_ms
            data = await self._write_sample(queue, ring, sample, (first, last))
            if wider is not None:
                finer = tuple(rings.read(data, first, last))
                sample = rings.together(finer or (sample,), first)

    async def _write_sample(self, queue: str, ring: Ring, sample: Sample, span: tuple[int, int]) -> bytes:
        key = self._keys.series(queue, ring.step_seconds)
        begin, end = ring.offset(span[0]), ring.offset(span[1]) + SAMPLE_BYTES - 1
        where = (sample.at // 1000, ring.offset(sample.at), rings.write(sample))
        found: bytes = await self._run("write_sample", (key,), (*where, begin, end, ring.span_ms // 1000))
        return found

    async def series(self, queue: str, since: int, until: int) -> Sequence[Sample]:
        """Give samples between two times (Unix ms), the oldest first: at most 400, in wider steps for more.

        A sample of a wider step has its beginning as its time, so that the first may have one before `since`.
        """
        latest = await self._send("GETRANGE", self._keys.series(queue, RINGS[-1].step_seconds), 0, 9)
        if not latest:
            return ()
        fine = await self._send("GETRANGE", self._keys.series(queue, RINGS[0].step_seconds), 0, 9)
        choice = rings.choose(since, until, int(fine or latest) * 1000)
        key = self._keys.series(queue, choice.ring.step_seconds)
        found: list[Sample] = []
        for first, last in choice.ring.parts(choice.since, choice.until):
            data: bytes = await self._send("GETRANGE", key, first, last)
            found += rings.read(data, choice.ring.floor(choice.since), choice.until)
        return rings.widen(found, choice.step_ms)

    async def note(self, deed: Deed) -> None:
        """Keep what somebody did; of more than 10,000 the latest."""
        await self._send("XADD", self._keys.deeds, "MAXLEN", "~", MAX_DEEDS, "*", "d", to_json(deed))

    async def deeds(self, before: str | None, count: int) -> tuple[Sequence[Deed], str | None]:
        """List what was done, the latest first, and give where the next part begins.

        Raises ValueError for a place that isn't one.
        """
        found = await self._send("XREVRANGE", self._keys.deeds, start_of(before), "-", "COUNT", count + 1)
        return read_deeds(found, count)

    async def save(self, operation: BulkOperation, *, only_if: str | None = None) -> bool:
        """Keep an operation for 7 days; with `only_if` only where its status is still this one.

        Returns whether it did.
        """
        keys = (self._keys.operation(operation.id), self._keys.operations)
        args = (
            *(operation.id, operation.created_at, operation.status, to_json(operation), only_if or ""),
            *(_KEEP_OPERATION_MS, MAX_OPERATIONS),
        )
        return bool(await self._run("save_operation", keys, args))

    async def operation(self, operation_id: str) -> BulkOperation | None:
        """Look up one operation."""
        body = await self._send("HGET", self._keys.operation(operation_id), "body")
        return _operation.validate_json(body) if body else None

    async def operations(self, count: int) -> Sequence[BulkOperation]:
        """List operations, the latest first."""
        ids: list[bytes] = await self._send("ZREVRANGE", self._keys.operations, 0, count - 1)
        keys = [self._keys.operation(operation_id.decode()) for operation_id in ids]
        bodies: list[bytes | None] = await self._run("read_operations", keys, ()) if keys else []
        return [_operation.validate_json(body) for body in bodies if body]

    async def take_turn(self, operation_id: str, server: str, milliseconds: int) -> bool:
        """Let one server at a time work on an operation, for so long; False while another does."""
        return bool(await self._run("take_turn", (self._keys.turn(operation_id),), (server, milliseconds)))

    async def once(self, key: str, value: bytes, seconds: int) -> bytes | None:
        """Keep a value under the key of a request unless there is one; returns that which was there."""
        found: bytes | None = await self._run("keep_once", (self._keys.once(key),), (value, seconds))
        return found

    async def count(self, key: str, window_seconds: int) -> int:
        """Count a call in its window; returns how many there were in it, with this one.

        A window begins at each multiple of its length since 1970, by Redis' clock.
        """
        return int(await self._run("count_call", (self._keys.count(key),), (window_seconds,)))
