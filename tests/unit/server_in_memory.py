"""A server's ports in memory: one queue that really holds jobs, and the books of all servers."""

# ruff: noqa: ARG002

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pydantic_core import from_json, to_json

from edworkers.core.job import read_entry
from edworkers.core.lifecycle import State
from edworkers.core.settings import PoolSpec
from edworkers.ports import Enqueue, Usage
from edworkers.ports.books import BulkOperation, Deed, Sample
from edworkers.ports.browse import FailureGroup, Found, JobDetail, JobPage, JobSummary, Wanted
from edworkers.server.platform import Platform, ServedQueue
from edworkers.testing.clock import MemoryClock
from edworkers.testing.control import MemoryControl
from edworkers.testing.store import Record, Store


def fits(job: JobSummary, wanted: Wanted) -> bool:
    """Whether a job is wanted, as the port has it."""
    text = f"{job.id} {job.type} {job.group} {job.error_kind} {job.error_message} {job.data!r}".lower()
    return (
        (wanted.text is None or wanted.text.lower() in text)
        and wanted.type in (None, job.type)
        and wanted.error_kind in (None, job.error_kind)
        and wanted.fingerprint in (None, job.fingerprint)
        and (wanted.before is None or (job.at is not None and job.at <= wanted.before))
        and (wanted.after is None or (job.at is not None and job.at >= wanted.after))
    )


@dataclass
class BrowserInMemory:
    """The `QueueBrowser` port over a queue in memory; a cursor says which job was looked at last."""

    store: Store
    steps: int = 0

    def _all(self, state: State) -> list[JobSummary]:
        store = self.store
        if state is State.PENDING:
            read = [read_entry(raw).payload for raw in reversed(store.pending)]
            named = [(from_json(raw).get("id", ""), raw) for raw in read]
            return [
                JobSummary(i, state, at=store.records.get(i, Record(state)).queued_at, data=raw) for i, raw in named
            ]
        if state is State.DELAYED:
            return [JobSummary(job_id, state, at=due) for job_id, due in sorted(store.delayed.items())]
        index = store.dead if state is State.DEAD else store.finished
        jobs = [self._ended(job_id, at, store.records[job_id]) for job_id, (at, _) in index.items()]
        return sorted(jobs, key=_latest_first)

    def _waiting(self, job_id: str, raw: bytes) -> JobSummary:
        record = self.store.records.get(job_id)
        return JobSummary(job_id, State.PENDING, at=None if record is None else record.queued_at, data=raw)

    def _ended(self, job_id: str, at: int, record: Record) -> JobSummary:
        error = from_json(record.error) if record.error else {}
        kind, message = error.get("kind"), error.get("message")
        return JobSummary(
            job_id, record.state, record.type, at=at, error_kind=kind, error_message=message, data=record.payload or b""
        )

    async def page(self, state: State, cursor: str | None, count: int) -> JobPage:
        found = await self.search(state, Wanted(), cursor, count)
        return JobPage(found.jobs, len(self._all(state)), found.next)

    async def detail(self, job_id: str) -> JobDetail | None:
        record = await MemoryControl(self.store, PoolSpec(queue="q", handlers="h").retention).find(job_id)
        return None if record is None else JobDetail(record)

    async def failures(self, count: int) -> Sequence[FailureGroup]:
        return ()

    async def search(self, state: State, wanted: Wanted, cursor: str | None, at_most: int) -> Found:
        self.steps += 1
        if cursor is not None and not cursor.startswith("after "):
            raise ValueError("not a cursor")
        jobs = self._all(state)
        if state is State.DEAD:
            left = [job for job in jobs if cursor is None or f"after {_latest_first(job)}" > cursor]
        else:
            start = int(cursor.removeprefix("after ")) if cursor else 0
            left = jobs[start:]
        looked_at = left[:at_most]
        more = len(left) > at_most
        end = f"after {_latest_first(looked_at[-1])}" if more and state is State.DEAD else None
        if more and end is None:
            end = f"after {len(jobs) - len(left) + at_most}"
        return Found([job for job in looked_at if fits(job, wanted)], len(looked_at), end)


def _latest_first(job: JobSummary) -> str:
    return f"{10**15 - (job.at or 0):016d} {job.id}"


@dataclass
class BooksInMemory:
    """The `ServerBooks` port."""

    clock: MemoryClock
    kept: dict[str, BulkOperation] = field(default_factory=dict[str, BulkOperation])
    notes: list[Deed] = field(default_factory=list[Deed])
    turns: dict[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])
    saves_until_lost: int | None = None
    """After how many more saves the server that saves is killed."""

    async def add_sample(self, queue: str, sample: Sample) -> None: ...

    async def series(self, queue: str, since: int, until: int) -> Sequence[Sample]:
        return ()

    async def note(self, deed: Deed) -> None:
        self.notes.insert(0, deed)

    async def deeds(self, before: str | None, count: int) -> tuple[Sequence[Deed], str | None]:
        start = int(before or 0)
        end = start + count
        return self.notes[start:end], str(end) if end < len(self.notes) else None

    async def save(self, operation: BulkOperation, *, only_if: str | None = None) -> bool:
        if self.saves_until_lost is not None:
            self.saves_until_lost -= 1
            if self.saves_until_lost < 0:
                raise KilledError
        there = self.kept.get(operation.id)
        if only_if is not None and (there is None or there.status != only_if):
            return False
        self.kept[operation.id] = replace(operation, wanted=from_json(to_json(operation.wanted)))
        return True

    async def operation(self, operation_id: str) -> BulkOperation | None:
        return self.kept.get(operation_id)

    async def operations(self, count: int) -> Sequence[BulkOperation]:
        return list(reversed(self.kept.values()))[:count]

    async def take_turn(self, operation_id: str, server: str, milliseconds: int) -> bool:
        holder, until = self.turns.get(operation_id, (server, 0))
        if holder != server and until > self.clock.now():
            return False
        self.turns[operation_id] = (server, self.clock.now() + milliseconds)
        return True

    async def once(self, key: str, value: bytes, seconds: int) -> bytes | None:
        return None

    async def count(self, key: str, window_seconds: int) -> int:
        return 1


class KilledError(BaseException):
    """A server that ends without a word."""


class World:
    """A platform with one queue, `work`, and what a test does to it."""

    def __init__(self) -> None:
        self.clock = MemoryClock()
        self.store = Store("work", self.clock)
        self.spec = PoolSpec(queue="work", handlers="handlers_for_nothing")
        self.control = MemoryControl(self.store, self.spec.retention)
        self.browser = BrowserInMemory(self.store)
        self.books = BooksInMemory(self.clock)
        served = ServedQueue(self.spec, self.control, self.browser, _nothing_used)
        names = (f"op{number}" for number in itertools.count(1))
        self.platform = Platform(lambda: {"work": served}, self.books, self.clock, lambda: next(names))

    async def enqueue(self, *ids: str, due: int = 0) -> None:
        await self.control.enqueue([Enqueue(i, to_json({"id": i, "data": {"user": f"u-{i}"}}), due=due) for i in ids])

    def bury(self, *ids: str, kind: str = "timeout") -> None:
        """Have jobs dead that were never on the list, each a millisecond after the one before."""
        for job_id in ids:
            self.clock.advance(0.001)
            payload = to_json({"id": job_id, "data": {"user": f"u-{job_id}"}})
            now = self.clock.now()
            error = to_json({"kind": kind, "message": f"{kind} of {job_id}"})
            self.store.records[job_id] = Record(State.DEAD, payload=payload, error=error, finished_at=now)
            self.store.keep(self.store.dead, job_id, 0, 10**9)

    def pending(self) -> list[str]:
        return [from_json(read_entry(raw).payload)["id"] for raw in reversed(self.store.pending)]


async def _nothing_used() -> Sequence[Usage]:
    return ()
