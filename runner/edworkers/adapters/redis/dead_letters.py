"""The dead letters of one queue, as its ledger reads them."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar, cast

import redis
from pydantic_core import from_json

from edworkers.adapters.redis.calls import Client, run_script
from edworkers.adapters.redis.connection import CONNECTION_ERRORS, explain
from edworkers.core.errors import QueueUnavailableError
from edworkers.core.job import group_of
from edworkers.core.keys import QueueKeys
from edworkers.ports import DeadLetter, Finished, Unrecorded

TURN_MS = 15_000
MARGIN_MS = 2_000
"""Behind the present the mark stays so far: a Redis that takes over may have a clock that is a little behind."""
_FIELDS = (*("state", "type", "attempts", "queuedAt", "startedAt", "finishedAt", "seconds", "error", "payload"),)

Result = TypeVar("Result")


class RedisDeadLetters:
    """The `DeadLetters` port on Redis. Raises QueueUnavailableError at once where Redis is away."""

    def __init__(self, client: Client, queue: str, *, runner: str, group_by: str | None = None) -> None:
        self._client = client
        self._keys = QueueKeys(queue)
        self._runner = runner
        self._group_by = group_by

    async def unrecorded(self, at_most: int) -> Unrecorded:
        """Find those that aren't in the ledger; none while another runner is at it."""
        keys = (self._keys.dead, self._keys.ledger)
        now, *found = await _asked(run_script(self._client, "unrecorded", keys, (self._runner, TURN_MS, at_most)))
        ids: Sequence[bytes] = found[::2]
        records = await _asked(asyncio.gather(*(self._read(job_id) for job_id in ids)))
        letters = [
            letter for job_id, fields in zip(ids, records, strict=True) if (letter := self._letter(job_id, fields))
        ]
        mark = min(round(float(found[-1])), int(now) - MARGIN_MS) if found else 0
        return Unrecorded(letters, mark, len(ids) < at_most)

    async def _read(self, job_id: bytes) -> list[bytes | None]:
        key = self._keys.job("").encode() + job_id
        return cast("list[bytes | None]", await self._client.execute_command("HMGET", key, *_FIELDS))

    def _letter(self, job_id: bytes, fields: Sequence[bytes | None]) -> DeadLetter | None:
        """Read a record; None for one that was replayed or dropped meanwhile."""
        known = {name: value for name, value in zip(_FIELDS, fields, strict=True) if value}
        if known.get("state") != b"dead" or "finishedAt" not in known:
            return None
        payload = known.get("payload", b"")
        job = Finished(
            queue=self._keys.queue,
            id=job_id.decode(errors="replace"),
            outcome="buried",
            finished_at=int(known["finishedAt"]),
            type=known["type"].decode(errors="replace") if "type" in known else None,
            attempts=int(known.get("attempts", 0)),
            queued_at=_whole(known.get("queuedAt")),
            started_at=_whole(known.get("startedAt")),
            seconds=float(known["seconds"]) if "seconds" in known else None,
            group=group_of(payload, self._group_by) or None,
        )
        return DeadLetter(job, _error(known.get("error", b"")), payload)

    async def recorded(self, mark: int, *, is_over: bool = False) -> None:
        """Note that all up to `mark` are in the ledger."""
        keys = (self._keys.dead, self._keys.ledger)
        await _asked(run_script(self._client, "recorded", keys, (self._runner, mark, int(is_over))))


async def _asked(call: Awaitable[Result]) -> Result:
    try:
        return await call
    except (*CONNECTION_ERRORS, redis.RedisError) as error:
        raise QueueUnavailableError(f"Redis can't be used: {explain(error)}") from error


def _whole(value: bytes | None) -> int | None:
    return None if value is None else int(value)


def _error(body: bytes) -> dict[str, Any]:
    try:
        read: Any = from_json(body)
    except ValueError:
        read = None
    if isinstance(read, dict) and "kind" in read and "message" in read:
        return cast("dict[str, Any]", read)
    return {"kind": "unknown", "message": body.decode(errors="replace")}
