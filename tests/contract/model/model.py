"""What the queue is expected to do, told as plainly as can be: where each job is, and what a call answers.

It knows nothing of how either world keeps its jobs. Whose turn it is among groups it doesn't foretell: it only judges.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.contract.model.circuits import Circuits
from tests.contract.model.jobs import LOG_LINE, Held, Job, Kept, Known, Phase, Setting

from edworkers.core.lifecycle import State
from edworkers.core.settings import Retention
from edworkers.ports import CircuitChange, Cycle, Enqueue, Settlement, Start

GRACE_MS = 86_400_000
OVERHEAD = 300
LONG_GATE_MS = 60_000


@dataclass(slots=True)
class Model:
    """One queue. The right end of `pending` is its front, the left end of a line is its front."""

    now: Callable[[], int]
    setting: Setting
    retention: Retention
    lease_ms: int
    jobs: list[Job] = field(default_factory=list[Job])
    pending: deque[Job] = field(default_factory=deque[Job])
    arrived: deque[Job] = field(default_factory=deque[Job])
    lines: dict[str, deque[Job]] = field(default_factory=dict[str, deque[Job]])
    held: dict[str, Held] = field(default_factory=dict[str, Held])
    delayed: dict[str, tuple[int, Job]] = field(default_factory=dict[str, tuple[int, Job]])
    known: dict[str, Known] = field(default_factory=dict[str, Known])
    unique: dict[str, str] = field(default_factory=dict[str, str])
    cancels: dict[str, int] = field(default_factory=dict[str, int])
    finished: dict[str, Kept] = field(default_factory=dict[str, Kept])
    dead: dict[str, Kept] = field(default_factory=dict[str, Kept])
    outbox: deque[tuple[bytes, Job]] = field(default_factory=deque[tuple[bytes, Job]])
    totals: Counter[str] = field(default_factory=Counter[str])
    paused: bool = False
    gate_until: int = 0
    throttled_until: int = 0
    circuits: Circuits = field(init=False)

    def __post_init__(self) -> None:
        self.circuits = Circuits(self.now, self.setting.circuit)

    # What is known.

    def find(self, job_id: str) -> Known | None:
        known = self.known.get(job_id)
        if known is not None and known.expires is not None and known.expires <= self.now():
            del self.known[job_id]
            return None
        return known

    def state_of(self, job_id: str) -> State | None:
        """Say what anyone who asks is to be told: until it is begun, a job that was claimed still waits.

        Of one that was claimed, lost and put off without being begun, only its receipt is known where it is put off.
        """
        known = self.find(job_id)
        if known is None:
            return None
        if known.job.id not in {"", job_id}:
            return known.state  # buried under its receipt, as another has its id; once replayed, it goes by its id
        if known.job.state not in {State.INFLIGHT, State.DELAYED}:
            return known.job.state or known.state
        if known.job.state is State.DELAYED:
            return State.PENDING if known.state is State.PENDING else State.DELAYED
        phases = [held.phase for held in self.held.values() if held.job is known.job]
        return State.INFLIGHT if {Phase.STARTED, Phase.CANCELLED} & {*phases} else State.PENDING

    def closed(self) -> int:
        if self.paused:
            return -1
        return 1 if self.gate_until > self.now() else 0

    @property
    def waiting(self) -> int:
        return len(self.pending) + sum(map(len, self.lines.values()))

    # Producers.

    def push(self, job: Job, *, urgent: bool = False) -> None:
        if job not in self.jobs:
            self.jobs.append(job)
        job.state = State.PENDING
        (self.pending.append if urgent else self.pending.appendleft)(job)

    def enqueue(self, job: Job, asked: Enqueue) -> bool:
        """Expect a job with its id to be taken, unless it is known or its unique key is another's."""
        if job not in self.jobs:
            self.jobs.append(job)
        known = self.find(asked.job_id)
        if known is not None and (known.state is not State.DEAD or not asked.revive):
            job.end(None, "its id is known")
            return False
        if asked.unique_key and self.unique.setdefault(asked.unique_key, asked.job_id) != asked.job_id:
            job.end(None, "its unique key is taken")
            return False
        self._displace(asked.job_id)
        now = self.now()
        expires = max(asked.due - now, 0) + now + self._dead_ms
        known = self.known[asked.job_id] = Known(job, State.PENDING, unique=asked.unique_key, expires=expires)
        if asked.due > now:
            known.state, known.origin, job.origin = State.DELAYED, asked.job_id, asked.job_id
            self._put_off(asked.job_id, job, asked.due)
        else:
            self.push(job, urgent=asked.urgent)
        return True

    def _displace(self, job_id: str) -> None:
        """Let a dead job make way for a new one of its id."""
        known = self.find(job_id)
        if known is not None and known.state is State.DEAD:
            self._forget(self.dead, job_id)
            known.job.end(None, "another job took the id of this dead one")

    # Runners.

    def cycle(self, runner: int, settlements: Sequence[Settlement], starts: Sequence[Start], answer: Cycle) -> Cycle:
        """Say what a cycle is to answer; of its deliveries, `answer` only has to be one of those that are right."""
        changes: list[CircuitChange] = []
        lost = tuple(s.receipt for s in settlements if not self.settle(runner, s, changes))
        admissions = tuple(self.start(start) for start in starts)
        closed = self.closed()
        if closed:
            assert not answer.deliveries, "claimed from a queue that is closed"
            self.hand_back()
        return answer._replace(lost=lost, admissions=admissions, closed_ms=closed, circuits=tuple(changes))

    def start(self, start: Start) -> str:
        held = self.held.get(start.receipt)
        if held is None:
            return "lost"
        known = self.find(start.job_id)
        if (known is not None and not _is_same(known, held)) or self._is_taken(start.unique_key, start.job_id):
            held.phase = Phase.DUPLICATE
            return "duplicate"
        if start.unique_key:
            self.unique[start.unique_key] = start.job_id
        self._displace(start.job_id)
        known = self.find(start.job_id) or Known(held.job, State.INFLIGHT)
        if known.state is State.INFLIGHT and known.receipt not in {"", held.receipt}:
            known.history.note("lost")
        known.job, known.state, known.origin, known.receipt = held.job, State.INFLIGHT, held.origin, held.receipt
        known.has_started = True
        # The record of a job that runs is not forgotten while it runs.
        known.attempts, known.unique, known.expires = start.attempt, start.unique_key or known.unique, None
        self.known[start.job_id] = known
        held.job.begun = max(held.job.begun, start.attempt)
        held.phase = Phase.CANCELLED if start.job_id in self.cancels else Phase.STARTED
        return "cancel" if start.job_id in self.cancels else "start"

    def _is_taken(self, key: str, job_id: str) -> bool:
        return bool(key) and self.unique.get(key, job_id) != job_id

    def settle(self, runner: int, s: Settlement, changes: list[CircuitChange]) -> bool:
        held = self.held.pop(s.receipt, None)
        if held is None:
            return False
        changes += self._note_service(runner, s, held.group)
        self.totals[s.verb] += 1
        job = held.job
        match s.verb:
            case "ack":
                self._finish(s, job, State.DONE, len(s.body))
                self._follow_up(s)
            case "bury":
                self._finish(s, job, State.DEAD, len(job.payload) + len(s.body))
            case "cancel":
                self._finish(s, job, State.CANCELLED, 0)
            case "duplicate":
                job.end(None, "a duplicate")
            case "release":
                self._release(s, held)
            case _:
                self._retry(s, job)
        return True

    def _note_service(self, runner: int, s: Settlement, group: str | None) -> list[CircuitChange]:
        """Expect jobs without a group to have no circuit, and a runner that isn't told of circuits to leave them be."""
        is_told = self.setting.fair[runner] and self.setting.circuit is not None
        if not (is_told and group) or s.service_down is None:
            return []
        change = self.circuits.note(group, down=s.service_down)
        return [] if change is None else [change]

    def _finish(self, s: Settlement, job: Job, state: State, size: int) -> None:
        kept_ms = self._dead_ms if state is State.DEAD else self._result_ms
        known = self.find(s.job_id) or Known(job, state)
        known.job, known.state, known.attempts, known.error = job, state, s.begun, s.body
        known.fingerprint = s.fingerprint
        known.history.logs += s.logs.count(LOG_LINE)
        known.history.children = b'[{"queue":"work","id":"d"}]' if s.follow_ups else b""
        self.known[s.job_id] = known
        job.end(state, s.verb)
        index = self.dead if state is State.DEAD else self.finished
        self._keep(index, s.job_id, size + known.history.bytes, kept_ms)
        self._free(s.unique_key, s.job_id)
        self.cancels.pop(s.job_id, None)

    def _follow_up(self, s: Settlement) -> None:
        jobs = {job.payload: job for job in self.jobs}
        self.outbox.extendleft((raw, jobs[raw.partition(b"\n")[2]]) for raw in s.follow_ups)

    def _keep(self, index: dict[str, Kept], job_id: str, size: int, kept_ms: int) -> None:
        index[job_id] = Kept(self.now(), size + len(job_id) + OVERHEAD)
        self.known[job_id].expires = self.now() + kept_ms + GRACE_MS
        self.totals["recordBytes"] += index[job_id].bytes

    def _forget(self, index: dict[str, Kept], job_id: str) -> None:
        self.totals["recordBytes"] -= index.pop(job_id).bytes
        self.known.pop(job_id, None)

    def _free(self, key: str, job_id: str) -> None:
        if key and self.unique.get(key) == job_id:
            del self.unique[key]

    def _release(self, s: Settlement, held: Held) -> None:
        held.job.origin = s.origin
        if held.group is not None and s.shut_ms:
            self.circuits.shut_until(held.group, self.now() + s.shut_ms)
        self._put_first(held)
        if s.started:
            known = self.known[s.job_id]
            known.state, known.attempts = State.PENDING, s.begun
            known.history.logs += s.logs.count(LOG_LINE)

    def _put_first(self, held: Held) -> None:
        held.job.state = State.PENDING
        if held.group is None:
            self.pending.append(held.job)
        else:
            self.lines.setdefault(held.group, deque()).appendleft(held.job)

    def _retry(self, s: Settlement, job: Job) -> None:
        now = self.now()
        job.attempts, job.origin = s.attempts, s.origin
        self._put_off(s.job_id, job, s.due or now + s.delay_ms)
        known = self.known[s.job_id]
        known.history.note(s.verb, s.body)
        known.history.logs += s.logs.count(LOG_LINE)
        known.state, known.attempts, known.expires = State.DELAYED, s.begun, (s.due or now + s.delay_ms) + self._dead_ms
        if s.gate_ms:
            self.gate_until = max(self.gate_until, now + s.gate_ms)
        if s.gate_ms > LONG_GATE_MS:
            self.throttled_until = max(self.throttled_until, now + s.gate_ms)

    def _put_off(self, name: str, job: Job, due: int) -> None:
        assert name not in self.delayed, f"{name} would be delayed twice"
        job.state, job.put_off = State.DELAYED, True
        self.delayed[name] = (due, job)

    # Keepers.

    def hand_back(self) -> None:
        while self.arrived:
            self.pending.append(self.arrived.pop())

    def reap(self, at_most: int) -> int:
        self.hand_back()
        now = self.now()
        ended = sorted((held.deadline, receipt) for receipt, held in self.held.items() if held.deadline <= now)
        for _, receipt in ended[:at_most]:
            self._take_back(self.held.pop(receipt))
        self.totals["reap"] += len(ended[:at_most])
        return len(ended[:at_most])

    def _take_back(self, held: Held) -> None:
        job = held.job
        job.origin, job.deliveries = held.origin, job.deliveries + 1
        if job.deliveries == 1:
            self._put_first(held)
        else:
            put_off = job.put_off
            self._put_off(job.origin, job, self.now() + 5000 * 2 ** min(job.deliveries - 2, 10))
            job.put_off = put_off

    def promote(self, at_most: int) -> int:
        due = sorted((due, name) for name, (due, _) in self.delayed.items() if due <= self.now())[:at_most]
        for _, name in due:
            self.push(self.delayed.pop(name)[1])
        return len(due)

    def sort(self, runner: int, at_most: int) -> int:
        if not self.setting.fair[runner]:
            return 0
        self.hand_back()
        count = min(at_most, len(self.pending))
        for _ in range(count):
            job = self.pending.pop()
            self.lines.setdefault(job.group, deque()).append(job)
        return count

    def trim(self, at_most: int) -> int:
        now, forgotten = self.now(), 0
        for index, kept_ms in ((self.finished, self._result_ms), (self.dead, self._dead_ms)):
            for job_id in [name for name in _by_age(index) if index[name].at <= now - kept_ms][: at_most - forgotten]:
                self._trim(index, job_id)
                forgotten += 1
        while forgotten < at_most and self.totals["recordBytes"] > self.retention.max_bytes:
            index = self.finished or self.dead
            self._trim(index, _by_age(index)[0])
            forgotten += 1
        self.cancels = {job_id: at for job_id, at in self.cancels.items() if at > now - self._dead_ms}
        return forgotten

    def _trim(self, index: dict[str, Kept], job_id: str) -> None:
        known = self.known.get(job_id)
        if known is not None and known.state is State.DEAD:
            known.job.end(None, "trimmed")
        self._forget(index, job_id)

    def repair(self, runner: int) -> int:
        """Expect nothing to be broken."""
        if self.setting.fair[runner]:
            self.circuits.forget()
        return 0

    def forward(self, at_most: int) -> int:
        count = min(at_most, len(self.outbox))
        for _ in range(count):
            raw, job = self.outbox.pop()
            self.forward_one(raw, job)
        return count

    def forward_one(self, raw: bytes, job: Job) -> None:
        head, _, payload = raw.partition(b"\n")
        if job.state is None and not job.reason:
            self.enqueue(job, Enqueue(head.decode().partition(" ")[2], payload, revive=False))

    # Operators.

    def cancel(self, job_id: str) -> str:
        known = self.find(job_id)
        if known is not None and known.state.is_final:
            return "finished"
        if job_id not in self.delayed:
            self.cancels[job_id] = self.now()
            return "requested"
        _, job = self.delayed.pop(job_id)
        assert known is not None
        job.end(State.CANCELLED, "cancelled while it was delayed")
        known.job, known.state = job, State.CANCELLED
        self._free(known.unique, job_id)
        self._keep(self.finished, job_id, known.history.bytes, self._result_ms)
        self.totals["cancel"] += 1
        return "cancelled"

    def pause(self, *, paused: bool) -> bool:
        changed = self.paused is not paused or (not paused and self.throttled_until > self.now())
        self.paused = paused
        if not paused:
            self.throttled_until = 0
        return changed

    def replay(self, job_id: str, edited: Job | None = None) -> bool:
        if edited is not None:
            edited.end(None, "its job isn't dead")
            self.jobs.append(edited)
        known = self.find(job_id)
        unique = known.unique if known is not None and edited is None else edited.key if edited is not None else ""
        if known is None or known.state is not State.DEAD or self._is_taken(unique, job_id):
            return False
        if unique:
            self.unique[unique] = job_id
        self._forget(self.dead, job_id)
        known.history.note("bury", known.error, knows_start=known.has_started)
        job = known.job
        if edited is not None:
            job.end(None, "edited")
            job = edited
        job.deliveries = job.attempts = job.begun = 0
        job.origin, job.put_off, job.reason = job_id, False, ""
        expires = self.now() + self._dead_ms
        self.known[job_id] = Known(
            job, State.PENDING, unique=unique, origin=job_id, expires=expires, history=known.history
        )
        self.totals["replay"] += 1
        self.push(job)
        return True

    def drop(self, job_id: str) -> bool:
        known = self.find(job_id)
        if known is None or known.state is not State.DEAD:
            return False
        self._forget(self.dead, job_id)
        known.job.end(None, "dropped")
        return True

    @property
    def _dead_ms(self) -> int:
        return self.retention.dead_seconds * 1000

    @property
    def _result_ms(self) -> int:
        return self.retention.result_seconds * 1000


def _by_age(index: dict[str, Kept]) -> list[str]:
    """Name the kept, the oldest first, those that ended in one moment in the order of their size and id as text."""
    return sorted(index, key=lambda job_id: (index[job_id].at, f"{index[job_id].bytes}:{job_id}"))


def _is_same(known: Known, held: Held) -> bool:
    """Tell whether what is known of an id is of the job that a runner holds."""
    if known.state is State.DEAD or known.origin == held.origin:
        return True
    return known.state is State.PENDING and not known.origin
