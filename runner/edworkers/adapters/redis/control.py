"""One queue on Redis, as producers and operators use it; an unreachable Redis is an error at once."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import redis.asyncio
from pydantic_core import from_json
from redis.exceptions import OutOfMemoryError

from edworkers.adapters.redis.asking import ask
from edworkers.adapters.redis.calls import enqueue_arguments, run_script
from edworkers.adapters.redis.depths import depth_commands, read_depths
from edworkers.core.job import check_id
from edworkers.core.keys import QueueKeys
from edworkers.core.lifecycle import State
from edworkers.core.settings import Retention
from edworkers.ports import Depths, Enqueue, JobRecord

Result = TypeVar("Result")


class RedisControl:
    """The `QueueControl` port on Redis. Raises QueueUnavailableError."""

    def __init__(self, client: "redis.asyncio.Redis", queue: str, retention: Retention) -> None:
        self._client: Any = client
        self._keys = QueueKeys(queue)
        self._result_ms = retention.result_seconds * 1000
        self._dead_ms = retention.dead_seconds * 1000
        self._keeps_data = retention.keep_data

    async def _ask(self, call: Callable[[], Awaitable[Result]]) -> Result:
        return await ask(self._client, call)

    async def _run(self, name: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        return await self._ask(lambda: run_script(self._client, name, keys, args))

    async def _read_together(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Read in one step, for a job that moves must not be seen in both places, nor in none.

        A Redis whose memory is full takes no transaction, not even of reads: then another step may come between.
        """
        try:
            return await self._read(commands, transaction=True)
        except OutOfMemoryError:
            return await self._read(commands, transaction=False)

    async def _read(self, commands: Sequence[tuple[Any, ...]], *, transaction: bool) -> list[Any]:
        async with self._client.pipeline(transaction=transaction) as pipe:
            for words in commands:
                pipe.execute_command(*words)
            return list(await pipe.execute())

    async def enqueue(self, jobs: Sequence[Enqueue]) -> list[bool]:
        """Add jobs; False for each that is a duplicate."""
        keys, args = enqueue_arguments(self._keys, jobs, self._dead_ms)
        return [bool(added) for added in await self._run("enqueue", keys, args)]

    async def depths(self) -> Depths:
        """Count the queue."""
        k = self._keys

        async def count() -> Depths:
            *replies, (seconds, microseconds) = await self._read_together([*depth_commands(k), ("TIME",)])
            return await read_depths(self._client, k, replies, seconds * 1000 + microseconds // 1000)

        return await self._ask(count)

    async def find(self, job_id: str) -> JobRecord | None:
        """Look up the record of a job."""
        k = self._keys

        async def read() -> list[Any]:
            names = await self._client.hmget(k.job(job_id), "origin", "receipt")
            while True:
                origin = names[0] or b""
                held = ("ZSCORE", k.lease, names[1] or origin)
                places = [("ZSCORE", k.delayed, job_id), ("ZSCORE", k.delayed, origin), held]
                found = await self._read_together([("HGETALL", k.job(job_id)), *places])
                seen = [found[0].get(b"origin"), found[0].get(b"receipt")]
                if seen == names:
                    return found
                names = seen  # delivered anew meanwhile

        fields, due, due_again, lease = await self._ask(read)
        # A job whose runner was lost waits under the receipt of its first delivery: its id isn't known there.
        at = due_again if due is None else due
        return read_record(k.queue, job_id, fields, due_at=at, held=lease is not None) if fields else None

    async def cancel(self, job_id: str) -> str:
        """Cancel a job: `cancelled` at once, `requested` (it ends when a runner meets it) or `finished` before."""
        k = self._keys
        keys = (k.job(job_id), k.cancel, k.delayed, k.entries, k.unique, k.finished, k.totals, k.events)
        answer: bytes = await self._run("cancel", keys, (job_id, self._result_ms, int(self._keeps_data)))
        return answer.decode()

    async def pause(self, *, paused: bool) -> bool:
        """Pause or resume claims; False if it was so already. To resume opens a queue that a limit closed, too."""
        k = self._keys

        async def change() -> bool:
            if paused:
                return bool(await self._client.sadd(k.paused, "paused"))
            changed = bool(await self._client.delete(k.paused, k.throttled))
            await self._client.publish(k.events, "resume")
            return changed

        return await self._ask(change)

    async def dead(self, offset: int, count: int) -> list[JobRecord]:
        """List dead letters, the latest first."""
        k = self._keys

        async def read() -> list[JobRecord]:
            members = await self._client.zrevrange(k.dead, offset, offset + count - 1)
            ids = [member.partition(b":")[2].decode() for member in members]
            async with self._client.pipeline(transaction=False) as pipe:
                for job_id in ids:
                    pipe.hgetall(k.job(job_id))
                records: list[dict[bytes, bytes]] = await pipe.execute() if ids else []
            return [read_record(k.queue, i, fields) for i, fields in zip(ids, records, strict=True) if fields]

        return await self._ask(read)

    async def replay(self, job_id: str) -> bool:
        """Put a dead job back on the list; False if it isn't dead, or another job has its unique key by now."""
        return await self._replay(job_id)

    async def edit(self, job_id: str, payload: bytes, unique_key: str = "") -> bool:
        """Replay a dead job with another payload; raises ValueError where that names another id."""
        check_id(job_id, payload)
        return await self._replay(job_id, payload, unique_key)

    async def _replay(self, job_id: str, *instead: str | bytes) -> bool:
        k = self._keys
        keys = (k.job(job_id), k.dead, k.pending, k.totals, k.unique, k.failures, k.fingerprints)
        return bool(await self._run("replay", keys, (job_id, self._dead_ms, *instead)))

    async def drop(self, job_id: str) -> bool:
        """Delete a dead job for good; False if it isn't dead."""
        k = self._keys
        keys = (k.job(job_id), k.dead, k.totals, k.failures, k.fingerprints, k.text(job_id))
        return bool(await self._run("drop", keys, (job_id,)))


def read_record(
    queue: str, job_id: str, fields: dict[bytes, bytes], *, due_at: float | None = None, held: bool = False
) -> JobRecord:
    """Read a record; what it says of a job that waits or runs is held against where the job really is.

    A job whose lease ran out, or that was promoted, is moved without its record: its id isn't known there.
    """
    state = State(fields.get(b"state", b"pending").decode())
    if state is State.DELAYED or (state is State.INFLIGHT and not held):
        state = State.PENDING if due_at is None else State.DELAYED
    kind = fields.get(b"type")
    return JobRecord(
        id=job_id,
        queue=queue,
        state=state,
        type=kind.decode() if kind else None,
        attempts=int(fields.get(b"attempts", 0)),
        queued_at=_number(fields, b"queuedAt"),
        started_at=_number(fields, b"startedAt"),
        finished_at=_number(fields, b"finishedAt"),
        due_at=round(due_at) if due_at is not None and state is State.DELAYED else None,
        seconds=float(fields[b"seconds"]) if b"seconds" in fields else None,
        progress=_json(fields, b"progress"),
        result=_json(fields, b"result"),
        error=_json(fields, b"error"),
        payload=fields.get(b"payload"),
    )


def _number(fields: dict[bytes, bytes], name: bytes) -> int | None:
    value = fields.get(name)
    return None if value is None else int(value)


def _json(fields: dict[bytes, bytes], name: bytes) -> Any:
    value = fields.get(name)
    return from_json(value) if value else None
