"""One queue in memory, as producers and operators use it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic_core import from_json

from edworkers.core.job import Entry, check_id, read_entry, write_entry
from edworkers.core.lifecycle import State
from edworkers.core.settings import Retention
from edworkers.ports import Depths, Enqueue, JobRecord
from edworkers.testing.depths import read_depths
from edworkers.testing.history import history_bytes, note_past
from edworkers.testing.store import Record, Store

_OF_THE_DEAD: dict[str, Any] = {
    "attempts": 0,
    "started_at": None,
    "finished_at": None,
    "due_at": None,
    "seconds": None,
    "error": b"",
    "payload": None,
    "fingerprint": "",
}
"""Fields that a job has no more once it is replayed."""


class MemoryControl:
    """The `QueueControl` port in memory."""

    def __init__(self, store: Store, retention: Retention) -> None:
        self._store = store
        self._result_ms = retention.result_seconds * 1000
        self._dead_ms = retention.dead_seconds * 1000
        self._keeps_data = retention.keep_data

    async def enqueue(self, jobs: Sequence[Enqueue]) -> list[bool]:
        """Add jobs; False for each that is a duplicate."""
        return [self._store.enqueue(job, self._dead_ms) for job in jobs]

    async def depths(self) -> Depths:
        """Count the queue."""
        return read_depths(self._store)

    async def find(self, job_id: str) -> JobRecord | None:
        """Look up the record of a job."""
        record = self._store.find(job_id)
        return None if record is None else self._read(job_id, record)

    def _read(self, job_id: str, record: Record) -> JobRecord:
        """Read a record; what it says of a job that waits or runs is held against where the job really is."""
        state = record.state
        due_at = self._store.delayed.get(job_id, self._store.delayed.get(record.origin))
        if state is State.DELAYED or (state is State.INFLIGHT and record.receipt not in self._store.lease):
            state = State.PENDING if due_at is None else State.DELAYED
        return JobRecord(
            id=job_id,
            queue=self._store.name,
            state=state,
            type=record.type,
            attempts=record.attempts,
            queued_at=record.queued_at,
            started_at=record.started_at,
            finished_at=record.finished_at,
            due_at=due_at if state is State.DELAYED else None,
            seconds=record.seconds,
            progress=_json(record.progress),
            result=_json(record.result),
            error=_json(record.error),
            payload=record.payload,
        )

    async def cancel(self, job_id: str) -> str:
        """Cancel a job: `cancelled` at once, `requested` (it ends when a runner meets it) or `finished` before."""
        store = self._store
        record = store.find(job_id)
        if record is not None and record.state.is_final:
            return "finished"
        if job_id in store.delayed:
            self._cancel_delayed(job_id)
            return "cancelled"
        store.cancel[job_id] = store.clock.now()
        for listener in list(store.listeners):
            listener.hear_cancel(job_id)
        return "requested"

    def _cancel_delayed(self, job_id: str) -> None:
        store = self._store
        del store.delayed[job_id]
        raw, record = store.entries.pop(job_id), store.record(job_id)
        record.payload = read_entry(raw).payload if self._keeps_data else None
        store.free_unique(record.unique, job_id)
        record.state, record.finished_at = State.CANCELLED, store.clock.now()
        size = history_bytes(record) + len(record.payload or b"")
        store.keep(store.finished, job_id, size, self._result_ms)
        store.totals["cancel"] += 1

    async def pause(self, *, paused: bool) -> bool:
        """Pause or resume claims; False if it was so already. To resume opens a queue that a limit closed, too."""
        store = self._store
        changed = store.paused is not paused
        store.paused = paused
        if not paused:
            changed |= store.throttled_until > store.clock.now()
            store.throttled_until = 0
            for listener in list(self._store.listeners):
                listener.hear_resume()
        return changed

    async def dead(self, offset: int, count: int) -> list[JobRecord]:
        """List dead letters, the latest first."""
        dead = self._store.dead
        ids = sorted(dead, key=lambda job_id: (dead[job_id].at, f"{dead[job_id].bytes}:{job_id}"), reverse=True)
        records = [(job_id, self._store.find(job_id)) for job_id in ids[offset : offset + count]]
        return [self._read(job_id, record) for job_id, record in records if record is not None]

    async def replay(self, job_id: str) -> bool:
        """Put a dead job back on the list; False if it isn't dead, or another job has its unique key by now."""
        return self._replay(job_id, None)

    async def edit(self, job_id: str, payload: bytes, unique_key: str = "") -> bool:
        """Replay a dead job with another payload; raises ValueError where that names another id."""
        check_id(job_id, payload)
        return self._replay(job_id, (payload, unique_key))

    def _replay(self, job_id: str, instead: tuple[bytes, str] | None) -> bool:
        store, record = self._store, self._store.find(job_id)
        if record is None or record.state is not State.DEAD or record.payload is None:
            return False
        payload, unique = instead or (record.payload, record.unique)
        if unique and store.unique.setdefault(unique, job_id) != job_id:
            return False
        store.unkeep(store.dead, job_id)
        note_past(record, "bury", record.finished_at or store.clock.now(), record.error)
        store.records[job_id] = replace(
            record,
            state=State.PENDING,
            origin=job_id,
            unique=unique,
            type=record.type if instead is None else None,
            expires_at=store.clock.now() + self._dead_ms,
            **_OF_THE_DEAD,
        )
        store.totals["replay"] += 1
        store.push([write_entry(Entry(payload, origin=job_id))])
        return True

    async def drop(self, job_id: str) -> bool:
        """Delete a dead job for good; False if it isn't dead."""
        record = self._store.find(job_id)
        if record is None or record.state is not State.DEAD:
            return False
        self._store.unkeep(self._store.dead, job_id)
        del self._store.records[job_id]
        self._store.texts.pop(job_id, None)
        return True


def _json(body: bytes) -> Any:
    return from_json(body) if body else None
