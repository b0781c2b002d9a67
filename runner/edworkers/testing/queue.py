"""One queue in memory, as runners and keepers use it."""

import asyncio
import hashlib
import itertools
from collections.abc import Callable, Sequence

from pydantic_core import to_json

from edworkers.core.fingerprint import cause, fingerprint
from edworkers.core.follow_up import NO_FOLLOW_UP, read_follow_up, read_parent, write_children
from edworkers.core.group_bounds import GroupBounds
from edworkers.core.job import group_of, is_anonymous, read_entry, write_entry
from edworkers.core.lifecycle import State
from edworkers.core.settings import MAX_PAYLOAD_BYTES, Groups, Retention
from edworkers.ports import CircuitChange, Cycle, Delivery, Depths, Enqueue, Settlement, Start
from edworkers.testing.depths import read_depths
from edworkers.testing.history import history_bytes, note_logs, note_past
from edworkers.testing.store import Index, Record, Store
from edworkers.testing.texts import Text

_LONG_GATE_MS = 60_000
_REAP_PAUSE_MS = 5000
_DAY_MS = 86_400_000


class MemoryQueue:
    """The `JobQueue` port in memory."""

    def __init__(
        self,
        store: Store,
        others: Callable[[str], Store],
        *,
        runner: str,
        lease_ms: int,
        retention: Retention,
        groups: Groups | None = None,
        max_inflight: int | None = None,
        begins: bool = False,
    ) -> None:
        self._begins = begins
        self._is_fair = groups is not None
        self._group_by = groups.by if groups is not None else None
        self._bounds = GroupBounds.of(groups)
        self._max_inflight = max_inflight
        self.store = store
        self.runner = runner
        self.lease_ms = lease_ms
        self._others = others
        self._result_ms = retention.result_seconds * 1000
        self._dead_ms = retention.dead_seconds * 1000
        self._max_bytes = retention.max_bytes
        self._keeps_data = retention.keep_data
        self._calls = itertools.count(1)
        self._settle_by = {
            "ack": self._ack,
            "retry": self._put_off,
            "defer": self._put_off,
            "bury": self._bury,
            "cancel": self._cancel,
            "duplicate": self._drop_duplicate,
        }

    async def cycle(self, settlements: Sequence[Settlement], starts: Sequence[Start], want: int) -> Cycle:
        """Settle what ended, start what is about to run and claim up to `want` jobs, in one step."""
        await asyncio.sleep(0)  # Others get a turn, as they would while Redis works.
        return self.cycle_now(settlements, starts, want)

    def cycle_now(self, settlements: Sequence[Settlement], starts: Sequence[Start], want: int) -> Cycle:
        """Do a cycle without giving others a turn."""
        store = self.store
        token = f"{self.runner}.{next(self._calls):x}"
        changes: list[CircuitChange] = []
        lost = tuple(s.receipt for s in settlements if not self._settle(s, changes))
        admissions = tuple(self._start(start) for start in starts)
        closed = self._closed_ms()
        if closed:
            store.hand_back()
        deliveries = () if closed or want <= 0 else tuple(self._claim(token, want))
        waiting = len(store.pending) + len(store.fair)
        is_given_back = any(s.verb == "release" and s.receipt not in lost for s in settlements)
        if is_given_back or any(change.failures == 0 for change in changes):
            store.wake_for_lines()
        store.wake()
        return Cycle(lost, admissions, deliveries, closed, waiting, store.clock.now(), tuple(changes))

    def _closed_ms(self) -> int:
        return -1 if self.store.paused else max(self.store.gate_until - self.store.clock.now(), 0)

    # Claims and starts.

    def _claim(self, token: str, want: int) -> list[Delivery]:
        store = self.store
        deliveries: list[Delivery] = []
        if self._max_inflight is not None:
            want = min(want, self._max_inflight - len(store.inflight))
        if self._is_fair or len(store.fair):
            store.fair.open_shut(store.clock.now(), self._bounds)
        while len(deliveries) < want and (taken := store.fair.take(self._bounds)):
            group, raw = taken
            receipt = f"{token}.{len(deliveries) + 1}"
            store.fair.grouped[receipt] = group
            deliveries.append(self._hold(receipt, raw))
        store.fair.forget_shares()
        for source in () if self._is_fair else (store.arrived, store.pending):
            while source and len(deliveries) < want:
                deliveries.append(self._hold(f"{token}.{len(deliveries) + 1}", source.pop()))
        if self._is_fair or want <= 0:
            store.hand_back()
        return deliveries

    def _hold(self, receipt: str, raw: bytes) -> Delivery:
        store = self.store
        store.inflight[receipt] = raw
        store.lease[receipt] = store.clock.now() + self.lease_ms
        size = len(read_entry(raw).payload)
        if size > MAX_PAYLOAD_BYTES:
            return Delivery(receipt, b"", size)
        is_begun = self._begins and is_anonymous(raw)
        if is_begun:
            self._begin(Start(receipt, receipt, receipt, 1), None)
        return Delivery(receipt, raw, is_begun=is_begun)

    def _start(self, start: Start) -> str:
        store = self.store
        if start.receipt not in store.lease:
            return "lost"
        record = store.find(start.job_id)
        if record is not None and not _is_same_job(record, start):
            return "duplicate"
        key = start.unique_key
        if key and store.unique.setdefault(key, start.job_id) != start.job_id:
            return "duplicate"
        self._begin(start, record)
        return "cancel" if start.job_id in store.cancel else "start"

    def _begin(self, start: Start, record: Record | None) -> None:
        store = self.store
        if record is not None and record.state is State.DEAD:
            store.unkeep(store.dead, start.job_id)
            del store.records[start.job_id]
        record = store.record(start.job_id)
        if record.state is State.INFLIGHT and record.receipt != start.receipt:
            note_past(record, "lost", store.clock.now())
        record.state, record.expires_at = State.INFLIGHT, None
        record.origin, record.receipt, record.attempts = start.origin, start.receipt, start.attempt
        record.started_at = store.clock.now()
        record.type = start.type or record.type
        record.unique = start.unique_key or record.unique

    # Settlements.

    def _settle(self, s: Settlement, changes: list[CircuitChange]) -> bool:
        raw = self.store.inflight.pop(s.receipt, None)
        if raw is None:
            return False
        self.store.lease.pop(s.receipt, None)
        group = self.store.fair.leave(s.receipt)
        if s.verb == "release":
            self._release(s, raw, group)
        else:
            self._settle_by[s.verb](s, raw)
        if group is not None:
            changes += self._note_service(s, group)
            self.store.fair.line_up(group, self._bounds)
        self.store.totals[s.verb] += 1
        return True

    def _note_service(self, s: Settlement, group: str) -> list[CircuitChange]:
        if s.service_down is None or not (group and self._bounds.failures):
            return []
        now = self.store.clock.now()
        change = self.store.fair.note_service(group, now, self._bounds, down=s.service_down)
        return [] if change is None else [change]

    def _finish(self, s: Settlement, state: State, index: Index, size: int, milliseconds: int) -> Record:
        store = self.store
        record = store.record(s.job_id)
        note_logs(record, s)
        record.follow_ups = write_children(s.follow_ups)
        size += history_bytes(record)
        record.state, record.finished_at = state, store.clock.now()
        record.attempts, record.seconds = s.begun, round(s.seconds, 6)
        store.keep(index, s.job_id, size, milliseconds)
        store.free_unique(s.unique_key, s.job_id)
        store.cancel.pop(s.job_id, None)
        return record

    def _ack(self, s: Settlement, raw: bytes) -> None:
        data = read_entry(raw).payload if self._keeps_data else None
        record = self._finish(s, State.DONE, self.store.finished, len(s.body) + len(data or b""), self._result_ms)
        record.result, record.payload = s.body, data
        self.store.outbox.extendleft(s.follow_ups)

    def _bury(self, s: Settlement, raw: bytes) -> None:
        payload = read_entry(raw).payload
        record = self._finish(s, State.DEAD, self.store.dead, len(payload) + len(s.body), self._dead_ms)
        record.error, record.payload, record.fingerprint = s.body, payload, s.fingerprint
        self.store.failures.note(s.job_id, s.fingerprint, self.store.clock.now(), s.cause)

    def _cancel(self, s: Settlement, raw: bytes) -> None:
        data = read_entry(raw).payload if self._keeps_data else None
        record = self._finish(s, State.CANCELLED, self.store.finished, len(data or b""), self._result_ms)
        record.payload = data

    def _drop_duplicate(self, s: Settlement, raw: bytes) -> None:
        """Leave the record alone: it is that of the job that was there before."""

    def _release(self, s: Settlement, raw: bytes, group: str | None) -> None:
        if group is not None and s.shut_ms > 0:
            self.store.fair.shut_until(group, self.store.clock.now() + s.shut_ms)
        self._put_first(write_entry(read_entry(raw)._replace(origin=s.origin)), group)
        if s.started:
            record = self.store.record(s.job_id)
            record.state, record.attempts = State.PENDING, s.begun
            note_logs(record, s)

    def _put_first(self, raw: bytes, group: str | None) -> None:
        if group is None:
            self.store.pending.append(raw)
        else:
            self.store.fair.join(group, raw, self._bounds, front=True)

    def _put_off(self, s: Settlement, raw: bytes) -> None:
        store = self.store
        due = s.due or store.clock.now() + s.delay_ms
        entry = read_entry(raw)._replace(attempts=s.attempts, due=due, origin=s.origin)
        store.put_off(s.job_id, entry, due)
        record = store.record(s.job_id)
        if s.verb == "retry" or s.begun != s.attempts:
            note_past(record, s.verb, store.clock.now(), s.body)
        note_logs(record, s)
        record.state, record.due_at, record.attempts, record.error = State.DELAYED, due, s.begun, s.body
        record.expires_at = due + self._dead_ms
        if s.gate_ms > 0:
            self._close_gate(s.gate_ms)

    def _close_gate(self, milliseconds: int) -> None:
        store, until = self.store, self.store.clock.now() + milliseconds
        store.gate_until = max(store.gate_until, until)
        if milliseconds > _LONG_GATE_MS:
            store.throttled_until = max(store.throttled_until, until)

    # What keepers do.

    async def hand_back(self) -> None:
        """Let another runner have the job that woke this one."""
        self.store.hand_back()
        self.store.wake()

    async def reap(self, at_most: int) -> int:
        """Put jobs whose lease ran out back to the front, or off for a while; returns how many."""
        store = self.store
        store.hand_back()
        ended = _due(store.lease, store.clock.now(), at_most)
        for receipt in ended:
            del store.lease[receipt]
            group = store.fair.leave(receipt)
            self._take_back(receipt, store.inflight.pop(receipt), group)
            if group is not None:
                store.fair.line_up(group, self._bounds)
        if ended:
            store.totals["reap"] += len(ended)
            store.wake_for_lines()
        store.wake()
        return len(ended)

    def _take_back(self, receipt: str, raw: bytes, group: str | None) -> None:
        entry = read_entry(raw)
        entry = entry._replace(deliveries=entry.deliveries + 1, origin=entry.origin or receipt)
        if entry.deliveries == 1:
            self._put_first(write_entry(entry), group)
        else:
            pause = _REAP_PAUSE_MS * 2 ** min(entry.deliveries - 2, 10)
            self.store.put_off(entry.origin, entry, self.store.clock.now() + pause)

    async def sort(self, at_most: int) -> int:
        """Where the queue is fair, move jobs that wait in the list to the lines of their groups; returns how many."""
        store, moved = self.store, 0
        if not self._is_fair:
            return 0
        store.hand_back()
        while store.pending and moved < at_most:
            raw = store.pending.pop()
            too_large = len(read_entry(raw).payload) > MAX_PAYLOAD_BYTES
            store.fair.join("" if too_large else group_of(raw, self._group_by), raw, self._bounds)
            moved += 1
        return moved

    async def promote(self, at_most: int) -> int:
        """Move due delayed jobs to the list; returns how many."""
        store = self.store
        ids = _due(store.delayed, store.clock.now(), at_most)
        for job_id in ids:
            del store.delayed[job_id]
            store.pending.appendleft(store.entries.pop(job_id))
        store.wake()
        return len(ids)

    async def trim(self, at_most: int) -> int:
        """Forget records beyond their retention in time or bytes; returns how many."""
        store, now, forgotten = self.store, self.store.clock.now(), 0
        for index, kept_ms in ((store.finished, self._result_ms), (store.dead, self._dead_ms)):
            ends = {f"{kept.bytes}:{job_id}": kept.at + kept_ms for job_id, kept in index.items()}
            for member in _due(ends, now, at_most - forgotten):
                self._forget(index, member.partition(":")[2])
                forgotten += 1
        while forgotten < at_most and store.totals["recordBytes"] > self._max_bytes:
            index = store.finished or store.dead
            self._forget(index, min(index, key=lambda job_id: (index[job_id].at, f"{index[job_id].bytes}:{job_id}")))
            forgotten += 1
        store.cancel = {job_id: at for job_id, at in store.cancel.items() if at > now - self._dead_ms}
        return forgotten

    def _forget(self, index: Index, job_id: str) -> None:
        self.store.unkeep(index, job_id)
        self.store.records.pop(job_id, None)
        self.store.texts.pop(job_id, None)

    async def forward(self, at_most: int) -> int:
        """Pass follow-up jobs on to their queues; returns how many."""
        count = min(at_most, len(self.store.outbox))
        for _ in range(count):
            item = self.store.outbox.pop()
            found = read_follow_up(item)
            if found is None:
                self._set_aside(item)
            else:
                job = Enqueue(found.job_id, found.payload, revive=False, parent=read_parent(found.payload))
                self._others(found.queue).enqueue(job, self._dead_ms)
        return count

    def _set_aside(self, item: bytes) -> None:
        """Put what is no follow-up job among the dead letters."""
        store = self.store
        job_id = f"outbox.{hashlib.sha256(item).hexdigest()[:16]}"
        what = {"kind": "outbox", "message": NO_FOLLOW_UP}
        error = to_json(what)
        store.unkeep(store.dead, job_id)
        record = store.records[job_id] = Record(State.DEAD, error=error, payload=item, fingerprint=fingerprint(what))
        record.queued_at = record.finished_at = store.clock.now()
        store.keep(store.dead, job_id, len(item) + len(error), self._dead_ms)
        store.failures.note(job_id, record.fingerprint, store.clock.now(), to_json(cause(what)))
        store.totals["repair"] += 1

    async def repair(self, at_most: int) -> int:
        """Free unique keys whose jobs have ended or are gone; nothing else can break in memory."""
        store = self.store
        if self._is_fair:
            store.fair.forget_services(store.clock.now() - _DAY_MS, self._bounds)
        is_empty = not (store.pending or store.arrived or store.inflight or len(store.fair))
        broken = [
            key
            for key, job_id in list(store.unique.items())[:at_most]
            if (is_empty if (record := store.find(job_id)) is None else record.state.is_final)
        ]
        for key in broken:
            del store.unique[key]
        if broken:
            store.totals["repair"] += len(broken)
        return len(broken)

    async def sample(self) -> Depths:
        """Count the queue, for those who watch it."""
        return read_depths(self.store)

    async def report_progress(self, job_id: str, receipt: str, progress: bytes) -> bool:
        """Keep the progress (JSON) of a running job; False if `receipt` doesn't hold it any more."""
        if receipt not in self.store.lease:
            return False
        self.store.record(job_id).progress = progress
        return True

    async def append_text(self, job_id: str, receipt: str, text: bytes, *, restart: bool) -> bool:
        """Add a piece (UTF-8) to the text that a running job writes; False if `receipt` doesn't hold it any more."""
        if receipt not in self.store.lease:
            return False
        now = self.store.clock.now()
        if restart or self.store.text(job_id) is None:
            self.store.texts[job_id] = Text()
        self.store.texts[job_id].add(text, now)
        return True

    async def throttle(self, milliseconds: int, reason: str) -> None:  # noqa: ARG002 - the port's
        """Tell the autoscaler that nothing can be claimed for so long."""
        self.store.throttled_until = max(self.store.throttled_until, self.store.clock.now() + milliseconds)


def _is_same_job(record: Record, start: Start) -> bool:
    """Tell a job that was here before from another with the same id."""
    if record.state is State.DEAD or record.origin == start.origin:
        return True
    return not record.origin and record.state is State.PENDING


def _due(times: dict[str, int], now: int, at_most: int) -> list[str]:
    """Name those whose time has come, the earliest first."""
    return sorted((name for name, at in times.items() if at <= now), key=lambda name: (times[name], name))[:at_most]
