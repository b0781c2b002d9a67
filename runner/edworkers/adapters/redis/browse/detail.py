"""Everything about one job."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import redis.asyncio

from edworkers.adapters.redis.browse.found import Found
from edworkers.adapters.redis.browse.peek import Peek
from edworkers.adapters.redis.browse.seen import Read, read_job, runner_of
from edworkers.adapters.redis.control import RedisControl
from edworkers.adapters.redis.record_fields import read_history
from edworkers.core.lifecycle import State
from edworkers.core.settings import Retention
from edworkers.ports import JobRecord
from edworkers.ports.browse import JobDetail

MAX_PIECES = 10_000
"""How many pieces of a streamed text are read."""


class Detail:
    """Reads all that one queue says of a job."""

    def __init__(self, client: "redis.asyncio.Redis", peek: Peek) -> None:
        self._peek = peek
        self._found = Found(peek)
        self._control = RedisControl(client, peek.keys.queue, Retention())

    async def tell(self, job_id: str) -> JobDetail | None:
        """Tell everything about one job; None where no record is, nor itself near an end of the list."""
        record = await self._control.find(job_id)
        if record is None:
            return await self._without_record(job_id)
        fields: Mapping[bytes, bytes] = await self._peek.send("HGETALL", self._peek.keys.job(job_id))
        names = [name for name in (fields.get(b"receipt"), fields.get(b"origin")) if name]
        read = await self._found.find(job_id, record.state, names)
        payload = record.payload if read is None else read.entry.payload
        history = read_history(fields)
        return JobDetail(
            record=replace(record, payload=payload),
            past=history.past,
            logs=history.logs,
            related=history.related,
            fingerprint=history.fingerprint,
            group=read_job(payload, len(payload), job_id, self._peek.group_by).group if payload else None,
            runner=runner_of(names[0].decode(errors="replace")) if record.state is State.INFLIGHT and names else None,
            text=await self._text(job_id),
        )

    async def _without_record(self, job_id: str) -> JobDetail | None:
        read = await self._found.find(job_id, State.PENDING, ())
        if read is None:
            return None
        return JobDetail(_record_of(read, self._peek.keys.queue), group=read.group)

    async def _text(self, job_id: str) -> str | None:
        entries: Sequence[Any] = await self._peek.send(
            "XRANGE", self._peek.keys.text(job_id), "-", "+", "COUNT", MAX_PIECES
        )
        return b"".join(_piece(fields) for _, fields in entries).decode(errors="replace") if entries else None


def _record_of(read: Read, queue: str) -> JobRecord:
    """Say of a job that a producer pushed, and no runner has met, what it says itself."""
    return JobRecord(
        id=read.id,
        queue=queue,
        state=State.PENDING,
        type=read.type,
        attempts=read.entry.attempts,
        payload=read.entry.payload,
    )


def _piece(fields: Mapping[bytes, bytes] | Sequence[bytes]) -> bytes:
    """Read a piece; fields are a map or, as Redis sends them, names and values in turn."""
    known = fields if isinstance(fields, Mapping) else dict(zip(fields[::2], fields[1::2], strict=True))
    return known.get(b"t", b"")
