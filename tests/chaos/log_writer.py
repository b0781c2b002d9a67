"""Writes histories as Redis and the handlers would, right ones and broken ones, for tests of the rules."""

from dataclasses import dataclass, field

from pydantic_core import to_json
from tests.chaos.history import Reader
from tests.chaos.jobs import Planned
from tests.chaos.promise import Run

from edworkers.core.job import Entry, write_entry

LEASE_MS = 2000
Command = list[bytes]


def command(*words: object) -> Command:
    """Write a command as it stands in the log."""
    return [word if isinstance(word, bytes) else str(word).encode() for word in words]


def key(name: str, queue: str = "work") -> str:
    return f"edworkers:{{{queue}}}:{name}"


def planned(nr: int = 1, ends: str = "done", **more: object) -> Planned:
    job_id = f"usual-{nr}"
    fields: dict[str, object] = {
        "nr": nr,
        "kind": "usual",
        "payload": to_json({"id": job_id, "data": {"nr": nr}}),
        "ends": ends,
        "job_id": job_id,
    }
    return Planned(**{**fields, **more})  # type: ignore[arg-type]


@dataclass
class LogWriter:
    """A history that is being written."""

    steps: list[list[Command]] = field(default_factory=list[list[Command]])
    ledger: list[str] = field(default_factory=list[str])

    def claim(
        self, job: Planned, receipt: str, at: int = 0, *, entry: Entry | None = None, queue: str = "work"
    ) -> None:
        raw = write_entry(entry) if entry is not None else job.payload
        hold = command("HSET", key("inflight", queue), receipt, raw)
        self.steps.append([hold, command("ZADD", key("lease", queue), at + LEASE_MS, receipt)])

    def start(self, job: Planned, receipt: str, attempt: int = 1, at: int = 0, *, queue: str = "work") -> None:
        """Let it begin, and have the handler begin."""
        record = key(f"job:{job.job_id}", queue)
        self.steps.append([command("HSET", record, "state", "inflight", "origin", "first", "attempts", attempt)])
        self.tell("begin", job, receipt, attempt, at, queue=queue)

    def tell(
        self, what: str, job: Planned, receipt: str, attempt: int = 1, at: int = 0, *, queue: str = "work"
    ) -> None:
        self.ledger.append(f"{what} {queue} {job.nr} {job.job_id} {receipt} {attempt} {at * 1_000_000}")

    def leave(self, receipt: str, *more: Command, queue: str = "work") -> None:
        self.steps.append([command("HDEL", key("inflight", queue), receipt), *more])

    def record(self, job: Planned, state: str, *fields: object, queue: str = "work") -> Command:
        return command("HSET", key(f"job:{job.job_id}", queue), "state", state, *fields)

    def result(self, job: Planned, receipt: str, **wrong: object) -> bytes:
        return to_json({"nr": job.nr, "square": job.nr**2, "pad": 0, "receipt": receipt, **wrong})

    def ack(self, job: Planned, receipt: str, *, at: int = 0, attempt: int = 1, queue: str = "work") -> None:
        self.tell("end", job, receipt, attempt, at, queue=queue)
        done = self.record(job, "done", "result", self.result(job, receipt), queue=queue)
        self.leave(receipt, done, queue=queue)

    def retry(self, job: Planned, receipt: str, *, at: int = 0, attempt: int = 1) -> None:
        self.tell("failed", job, receipt, attempt, at)
        error = to_json({"kind": "RuntimeError", "message": f"receipt={receipt} fails"})
        self.leave(receipt, self.record(job, "delayed", "error", error))

    def bury(self, job: Planned, receipt: str, kind: str) -> None:
        self.leave(receipt, self.record(job, "dead", "error", to_json({"kind": kind, "message": "as it is"})))

    def reap(self, receipt: str) -> None:
        self.leave(receipt, command("HINCRBY", key("totals"), "reap", 1))

    def again(self, job: Planned, *, deliveries: int = 0, attempts: int = 0) -> Entry:
        """Give a job's entry as it lies in Redis when it has been claimed before."""
        return Entry(job.payload, deliveries, attempts, 0, "first")

    def run(self, *jobs: Planned, pushes: dict[int, int] | None = None) -> Run:
        reader = Reader(LEASE_MS)
        reader.read_log(self.steps)
        reader.read_ledger(self.ledger)
        return Run(reader.history, jobs, pushes or {job.nr: job.copies for job in jobs})
