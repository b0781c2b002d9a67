"""What one queue keeps in memory, and the steps that several verbs share."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from edworkers.core.job import Entry, write_entry
from edworkers.core.lifecycle import State
from edworkers.ports import Enqueue
from edworkers.testing.clock import MemoryClock
from edworkers.testing.failures import Failures
from edworkers.testing.fair import Fair
from edworkers.testing.texts import Text

RECORD_GRACE_MS = 86_400_000
"""How long a record outlives its place among the finished or dead, so that the one who trims these finds it."""
_RECORD_OVERHEAD_BYTES = 300


class Kept(NamedTuple):
    """When a job ended (Unix ms), and how many bytes its record takes."""

    at: int
    bytes: int


Index = dict[str, Kept]
"""Ids of jobs that ended."""


class Listener(Protocol):
    """A lifeline, as the queue sees it."""

    def hear_cancel(self, job_id: str) -> None:
        """Hear that a job is to be cancelled."""
        ...

    def hear_resume(self) -> None:
        """Hear that the queue is open again."""
        ...


@dataclass(slots=True)
class Record:
    """What is known of one job; times are Unix ms, bodies are JSON."""

    state: State = State.PENDING
    origin: str = ""
    receipt: str = ""
    unique: str = ""
    type: str | None = None
    attempts: int = 0
    queued_at: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    due_at: int | None = None
    seconds: float | None = None
    progress: bytes = b""
    result: bytes = b""
    error: bytes = b""
    payload: bytes | None = None
    expires_at: int | None = None
    past: list[bytes] = field(default_factory=list[bytes])
    """Of each attempt that ended without the job being done what Redis keeps of it; the latest 20."""
    past_count: int = 0
    logs: bytes = b""
    follow_ups: bytes = b""
    parent: str = ""
    fingerprint: str = ""


@dataclass(slots=True)
class Store:
    """One queue. The right end of `pending` is its front; every place is named as its Redis key."""

    name: str
    clock: MemoryClock
    pending: deque[bytes] = field(default_factory=deque[bytes])
    arrived: deque[bytes] = field(default_factory=deque[bytes])
    inflight: dict[str, bytes] = field(default_factory=dict[str, bytes])
    lease: dict[str, int] = field(default_factory=dict[str, int])
    delayed: dict[str, int] = field(default_factory=dict[str, int])
    entries: dict[str, bytes] = field(default_factory=dict[str, bytes])
    dead: Index = field(default_factory=dict[str, Kept])
    finished: Index = field(default_factory=dict[str, Kept])
    outbox: deque[bytes] = field(default_factory=deque[bytes])
    fair: Fair = field(default_factory=Fair)
    paused: bool = False
    gate_until: int = 0
    throttled_until: int = 0
    cancel: dict[str, int] = field(default_factory=dict[str, int])
    unique: dict[str, str] = field(default_factory=dict[str, str])
    failures: Failures = field(default_factory=Failures)
    totals: Counter[str] = field(default_factory=Counter[str])
    runners: dict[str, int] = field(default_factory=dict[str, int])
    records: dict[str, Record] = field(default_factory=dict[str, Record])
    texts: dict[str, Text] = field(default_factory=dict[str, Text])
    waiting: deque[Callable[[], None]] = field(default_factory=deque[Callable[[], None]])
    """Of each runner that waits for a job, what wakes it; the longest waiting first."""
    listeners: list[Listener] = field(default_factory=list[Listener])

    # Records.

    def find(self, job_id: str) -> Record | None:
        """Look up a record that hasn't expired."""
        record = self.records.get(job_id)
        if record is not None and record.expires_at is not None and record.expires_at <= self.clock.now():
            del self.records[job_id]
            return None
        return record

    def record(self, job_id: str) -> Record:
        """Look up a record, or begin one."""
        record = self.find(job_id)
        if record is None:
            record = self.records[job_id] = Record()
        return record

    def text(self, job_id: str) -> Text | None:
        """Look up a text that hasn't expired."""
        text = self.texts.get(job_id)
        if text is not None and text.expires_at <= self.clock.now():
            del self.texts[job_id]
            return None
        return text

    def keep(self, index: Index, job_id: str, size: int, milliseconds: int) -> None:
        """List the record of a job that ended, whose contents take `size` bytes."""
        now = self.clock.now()
        kept = Kept(now, size + len(job_id) + _RECORD_OVERHEAD_BYTES)
        index[job_id] = kept
        self.record(job_id).expires_at = now + milliseconds + RECORD_GRACE_MS
        self.totals["recordBytes"] += kept.bytes

    def unkeep(self, index: Index, job_id: str) -> None:
        """Take a job off the list of those that ended."""
        kept = index.pop(job_id, None)
        if kept is not None:
            self.totals["recordBytes"] -= kept.bytes
        if index is self.dead:
            self.failures.forget(job_id)

    def free_unique(self, key: str, job_id: str) -> None:
        """Let another job have a unique key, if this one holds it."""
        if key and self.unique.get(key) == job_id:
            del self.unique[key]

    # Jobs.

    def put_off(self, job_id: str, entry: Entry, due: int) -> None:
        """Keep an entry until it is due (Unix ms)."""
        self.delayed[job_id] = due
        self.entries[job_id] = write_entry(entry)

    def hand_back(self) -> None:
        """Let another runner have the jobs that woke runners."""
        while self.arrived:
            self.pending.append(self.arrived.pop())

    def wake(self) -> None:
        """Wake one waiting runner a job."""
        while self.waiting and self.pending:
            self.arrived.append(self.pending.pop())
            self.waiting.popleft()()

    def wake_for_lines(self) -> None:
        """Wake every runner for a job that went back to its group's line: nothing else would."""
        if self.fair.turns:
            for listener in list(self.listeners):
                listener.hear_resume()

    def push(self, payloads: Sequence[bytes], *, urgent: bool = False) -> None:
        """Add bytes to the back of the list, or to its front."""
        (self.pending.extend if urgent else self.pending.extendleft)(payloads)
        self.wake()

    def enqueue(self, job: Enqueue, dead_ms: int) -> bool:
        """Add a job unless it is known already or its unique key is taken."""
        if not self._is_new(job):
            return False
        now = self.clock.now()
        record = Record(queued_at=now, unique=job.unique_key, parent=job.parent)
        record.expires_at = max(job.due - now, 0) + now + dead_ms
        self.records[job.job_id] = record
        if job.due > now:
            self.put_off(job.job_id, Entry(job.payload, due=job.due, origin=job.job_id), job.due)
            record.state, record.origin, record.due_at = State.DELAYED, job.job_id, job.due
        else:
            self.push([job.payload], urgent=job.urgent)
        return True

    def _is_new(self, job: Enqueue) -> bool:
        record = self.find(job.job_id)
        if record is not None and (record.state is not State.DEAD or not job.revive):
            return False
        if job.unique_key and self.unique.setdefault(job.unique_key, job.job_id) != job.job_id:
            return False
        self.unkeep(self.dead, job.job_id)
        return True
