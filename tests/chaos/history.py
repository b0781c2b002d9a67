"""What happened in a chaos run, put together from what Redis logged and what the handlers told. Pure.

A `Hold` is one delivery of a job: from the claim of its receipt to where it leaves the hash of jobs in flight. A `Try`
is what a handler did under that receipt. An `Ending` is a write of an end state. All of a job's stand in its `Life`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pydantic_core import from_json

from edworkers.core.job import read_entry

FINAL = frozenset({"done", "dead", "cancelled"})
_LEFT = FINAL | {"delayed", "pending"}

_KEY = re.compile(r"edworkers:\{([^}]+)\}:(.+)", re.DOTALL)
_NR = re.compile(rb'"nr":\s*(\d+)')
_NR_IN_ID = re.compile(r"[a-z]+-(\d+)")
_RECEIPT = re.compile(rb'"receipt":"([^"]+)"|receipt=(\S+)')


@dataclass(slots=True)
class Hold:
    """One delivery; `first` and `last` are steps of the log, times are Unix ms by Redis' clock."""

    receipt: str
    origin: str
    first: int
    taken: int
    """The command that claimed it; in one step a job may be given back and claimed again, in this order."""
    claimed_at: int = 0
    deadline: int = 0
    last: int | None = None
    left: int | None = None
    """The command by which it left."""
    fate: str = ""
    """`done`, `dead`, `cancelled`, `delayed` or `pending` as it was settled, `reaped`, `dropped` without a word."""


@dataclass(slots=True)
class Try:
    """What a handler did with one delivery; times are nanoseconds of the machine's steady clock."""

    receipt: str
    attempt: int
    began: int
    ended: int | None = None
    how: str = ""
    """`end`, `failed`, `cancelled`; nothing where the process ended first."""


@dataclass(slots=True)
class Ending:
    """A write of an end state, or of a failure that is to be tried again (`delayed`)."""

    state: str
    at: int
    """Its place in the log."""
    body: bytes
    receipts: frozenset[str]
    """What left the hash of jobs in flight in the same step."""

    @property
    def receipt(self) -> str:
        """The receipt under which it was done, as the handler wrote it into its result or error; else nothing."""
        found = _RECEIPT.search(self.body)
        return (found[1] or found[2]).rstrip(b'",').decode() if found else ""

    @property
    def error_kind(self) -> str:
        return str(from_json(self.body).get("kind", "")) if self.body else ""


@dataclass(slots=True)
class Life:
    """All that is known of one job."""

    queue: str
    job_id: str
    nr: int
    holds: list[Hold] = field(default_factory=list[Hold])
    tries: dict[str, Try] = field(default_factory=dict[str, Try])
    """By receipt."""
    endings: list[Ending] = field(default_factory=list[Ending])
    failures: list[Ending] = field(default_factory=list[Ending])
    starts: list[int] = field(default_factory=list[int])
    """Where in the log it was let begin."""
    forgotten: list[int] = field(default_factory=list[int])
    """Where in the log its record was deleted."""

    @property
    def begun(self) -> list[Hold]:
        """The deliveries that a handler began to work on, as they were claimed."""
        return [hold for hold in self.holds if hold.receipt in self.tries]

    def tell(self) -> str:
        """Write its whole history for a person."""
        lines = [f"{self.queue} {self.job_id} (number {self.nr})"]
        for hold in self.holds:
            lines.append(
                f"  log {hold.first}-{hold.last}: {hold.receipt} claimed at {hold.claimed_at}, "
                f"lease to {hold.deadline}, then {hold.fate or 'still held'}"
            )
            if (work := self.tries.get(hold.receipt)) is not None:
                lines.append(f"    handler: attempt {work.attempt} from {work.began} to {work.ended} ({work.how})")
        lines += [
            f"  log {ending.at}: {ending.state} {ending.body[:200]!r} with {sorted(ending.receipts)}"
            for ending in sorted([*self.endings, *self.failures], key=lambda ending: ending.at)
        ]
        return "\n".join(lines)


@dataclass(slots=True)
class History:
    """All that happened."""

    lives: dict[tuple[str, str], Life] = field(default_factory=dict[tuple[str, str], Life])
    strays: list[str] = field(default_factory=list[str])
    """What handlers told of deliveries that Redis doesn't know."""
    pushed: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """How often a record was made by enqueueing, by queue and id."""

    numbers: dict[tuple[str, int], list[Life]] = field(
        default_factory=lambda: defaultdict[tuple[str, int], list[Life]](list)
    )

    def of_number(self, queue: str, nr: int) -> list[Life]:
        """The jobs with this number: several where a push without an id was repeated."""
        return self.numbers.get((queue, nr), [])


class Reader:
    """Puts a history together; `lease_ms` is how long a lease is given for."""

    def __init__(self, lease_ms: int) -> None:
        self.history = History()
        self._lease_ms = lease_ms
        self.command = 0
        """How many commands were read."""
        self._at = 0
        self._holds: dict[tuple[str, str], tuple[Life, Hold]] = {}
        self._numbers: dict[str, int] = {}

    def read_log(self, transactions: Iterable[Sequence[Sequence[bytes]]]) -> None:
        """Take what Redis did, step by step."""
        for transaction in transactions:
            self._at += 1
            _Step(self).read(transaction)

    def read_ledger(self, lines: Iterable[str]) -> None:
        """Take what handlers told, after the log; each process' lines in their order."""
        for line in lines:
            what, queue, _nr, _id, receipt, attempt, at = line.split()
            life, _ = self._holds.get((queue, receipt), (None, None))
            if life is None:
                self.history.strays.append(line)
            elif what == "begin":
                if receipt in life.tries:
                    self.history.strays.append(f"begun twice under one receipt: {line}")
                life.tries[receipt] = Try(receipt, int(attempt), int(at))
            else:
                life.tries[receipt].ended, life.tries[receipt].how = int(at), what

    def claim(self, queue: str, receipt: str, raw: bytes) -> None:
        entry = read_entry(raw)
        origin = entry.origin or receipt
        job_id = _named(entry.payload) or origin
        number = _NR.search(entry.payload)
        self._numbers[job_id] = int(number[1]) if number else 0
        life = self.life(queue, job_id)
        hold = Hold(receipt, origin, self._at, self.command)
        life.holds.append(hold)
        self._holds[queue, receipt] = (life, hold)

    def lease(self, queue: str, receipt: str, deadline: int) -> None:
        _, hold = self._holds.get((queue, receipt), (None, None))
        if hold is not None:
            hold.deadline = deadline
            hold.claimed_at = hold.claimed_at or deadline - self._lease_ms

    def leave(self, queue: str, receipt: str) -> tuple[Life, Hold] | None:
        found = self._holds.get((queue, receipt))
        if found is None or found[1].last is not None:
            return None
        found[1].last, found[1].left = self._at, self.command
        return found

    def life(self, queue: str, job_id: str) -> Life:
        key = (queue, job_id)
        if key not in self.history.lives:
            number = _NR_IN_ID.match(job_id)
            life = Life(queue, job_id, int(number[1]) if number else self._numbers.get(job_id, 0))
            self.history.lives[key] = life
            self.history.numbers[queue, life.nr].append(life)
        return self.history.lives[key]

    @property
    def at(self) -> int:
        return self._at


class _Step:
    """One transaction of the log."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._left: list[tuple[Life, Hold]] = []
        self._records: list[tuple[str, str, dict[bytes, bytes]]] = []
        self._is_reap = False

    def read(self, commands: Sequence[Sequence[bytes]]) -> None:
        for command in commands:
            self._reader.command += 1
            name = _KEY.fullmatch(command[1].decode(errors="replace")) if len(command) > 1 else None
            if name is not None:
                self._read_one(command[0].upper(), name[1], name[2], command[2:])
        receipts = frozenset(hold.receipt for _, hold in self._left)
        for queue, job_id, fields in self._records:
            self._read_record(self._reader.life(queue, job_id), fields, receipts)
        for life, hold in self._left:
            hold.fate = self._fate(life)

    def _read_one(self, verb: bytes, queue: str, key: str, words: Sequence[bytes]) -> None:  # noqa: C901 - one match
        match verb, key:
            case b"HSET" | b"HMSET", "inflight":
                for receipt, raw in _pairs(words):
                    self._reader.claim(queue, receipt.decode(), raw)
            case b"ZADD", "lease":
                for deadline, receipt in _pairs([word for word in words if word not in {b"XX", b"GT"}]):
                    self._reader.lease(queue, receipt.decode(), int(float(deadline)))
            case b"HDEL", "inflight":
                self._left += filter(None, (self._reader.leave(queue, word.decode()) for word in words))
            case b"HSET" | b"HMSET", _ if key.startswith("job:"):
                self._records.append((queue, key.removeprefix("job:"), dict(_pairs(words))))
            case b"UNLINK" | b"DEL", _ if key.startswith("job:"):
                others = [word.decode(errors="replace").partition("}:")[2] for word in words]
                self._forget(queue, [key, *others])
            case b"HINCRBY", "totals":
                self._is_reap = self._is_reap or words[0] == b"reap"
            case _:
                pass

    def _forget(self, queue: str, records: Sequence[str]) -> None:
        for name in records:
            life = self._reader.history.lives.get((queue, name.removeprefix("job:")))
            if life is not None:
                life.forgotten.append(self._reader.at)

    def _read_record(self, life: Life, fields: dict[bytes, bytes], receipts: frozenset[str]) -> None:
        state = fields.get(b"state", b"").decode()
        if b"queuedAt" in fields:
            self._reader.history.pushed[life.queue, life.job_id] += 1
        body = fields.get(b"result", b"") if state == "done" else fields.get(b"error", b"")
        if state in FINAL:
            life.endings.append(Ending(state, self._reader.at, body, receipts))
        elif state == "delayed" and body:
            life.failures.append(Ending(state, self._reader.at, body, receipts))
        elif state == "inflight":
            life.starts.append(self._reader.at)

    def _fate(self, life: Life) -> str:
        if self._is_reap:
            return "reaped"
        states = [
            fields.get(b"state", b"").decode()
            for queue, job_id, fields in self._records
            if (queue, job_id) == (life.queue, life.job_id)
        ]
        return next((state for state in states if state in _LEFT), "dropped")


def _pairs(words: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(words[::2], words[1::2], strict=True))


def _named(payload: bytes) -> str:
    """Find the id in a payload of this run, whose ids stand first."""
    found = re.match(rb'\{"id":"([^"]+)"', payload)
    return found[1].decode() if found else ""
