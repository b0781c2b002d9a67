"""Many jobs of one queue, looked at in one step by those who follow them until their end."""

from collections.abc import Mapping, Sequence
from typing import Any

from edworkers.adapters.redis.asking import ask
from edworkers.adapters.redis.control import read_record
from edworkers.core.keys import QueueKeys
from edworkers.core.lifecycle import State
from edworkers.ports.watch import Glimpse, Piece

_FIELDS = (
    *("state", "type", "attempts", "queuedAt", "startedAt", "finishedAt", "seconds", "progress"),
    *("origin", "receipt"),
)
"""Of a record: those that are short, for they are read several times a second."""
_PLACES = (State.DELAYED, State.INFLIGHT)
_MOST_PIECES = 500

Fields = dict[bytes, bytes]


class RedisWatch:
    """The `JobWatch` port on Redis; `client` is redis-py's."""

    def __init__(self, client: Any, queue: str) -> None:
        self._client = client
        self._keys = QueueKeys(queue)

    async def look(self, jobs: Mapping[str, str]) -> Mapping[str, Glimpse]:
        """Look at many jobs at once. Raises QueueUnavailableError."""
        return await ask(self._client, lambda: self._look(jobs))

    async def _look(self, jobs: Mapping[str, str]) -> dict[str, Glimpse]:
        records, pieces = await self._read(jobs)
        moving = [job_id for job_id, fields in records.items() if fields[b"state"].decode() in _PLACES]
        places = await self._place(moving, records)
        settled = {job_id: (None, False) for job_id in records if job_id not in moving}
        return {
            job_id: Glimpse(
                read_record(self._keys.queue, job_id, records[job_id], due_at=due, held=held), pieces[job_id]
            )
            for job_id, (due, held) in {**settled, **places}.items()
        }

    async def _read(self, jobs: Mapping[str, str]) -> tuple[dict[str, Fields], dict[str, list[Piece]]]:
        """Read the records that there are, and what is new of the jobs' texts."""
        async with self._client.pipeline(transaction=False) as pipe:
            for job_id, last in jobs.items():
                pipe.hmget(self._keys.job(job_id), _FIELDS)
                pipe.xrange(self._keys.text(job_id), f"({last}" if last else "-", "+", _MOST_PIECES)
            replies: list[Any] = await pipe.execute()
        records = {job_id: _named(values) for job_id, values in zip(jobs, replies[::2], strict=True)}
        pieces = {job_id: [_piece(entry) for entry in found] for job_id, found in zip(jobs, replies[1::2], strict=True)}
        return {job_id: fields for job_id, fields in records.items() if b"state" in fields}, pieces

    async def _place(self, jobs: Sequence[str], records: Mapping[str, Fields]) -> dict[str, tuple[float | None, bool]]:
        """Find when delayed jobs are due, and whether running ones are held; those that move meanwhile are left out."""
        if not jobs:
            return {}
        k = self._keys
        async with self._client.pipeline(transaction=True) as pipe:
            for job_id in jobs:
                origin = records[job_id].get(b"origin", b"")
                pipe.hmget(k.job(job_id), ("state", "receipt"))
                pipe.zscore(k.delayed, job_id)
                pipe.zscore(k.delayed, origin)
                pipe.zscore(k.lease, records[job_id].get(b"receipt", origin))
            replies: list[Any] = await pipe.execute()
        placed: dict[str, tuple[float | None, bool]] = {}
        for at, job_id in enumerate(jobs):
            seen, due, due_again, lease = replies[at * 4 : at * 4 + 4]
            if seen == [records[job_id].get(b"state"), records[job_id].get(b"receipt")]:
                placed[job_id] = (due_again if due is None else due, lease is not None)
        return placed


def _named(values: Sequence[bytes | None]) -> Fields:
    return {name.encode(): value for name, value in zip(_FIELDS, values, strict=True) if value is not None}


def _piece(entry: tuple[bytes, Mapping[bytes, bytes]]) -> Piece:
    place, fields = entry
    return Piece(place.decode(), fields.get(b"t", b"").decode(errors="replace"), restart=b"restart" in fields)
