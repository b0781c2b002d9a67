"""What Redis said of a job, as one line of a list."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from pydantic_core import from_json

from edworkers.core.job import Entry, Job, Malformed, decode, grouped, read_entry
from edworkers.core.lifecycle import State
from edworkers.ports.browse import JobSummary

DATA_BYTES = 2048
"""How much of a payload is shown in a list."""


class Record(NamedTuple):
    """What peek_records.lua reads of a record."""

    state: bytes | None = None
    type: bytes | None = None
    attempts: bytes | None = None
    queued_at: bytes | None = None
    started_at: bytes | None = None
    finished_at: bytes | None = None
    seconds: bytes | None = None
    fingerprint: bytes | None = None
    error: bytes | None = None
    size: int = 0
    payload: bytes = b""

    @property
    def waited_ms(self) -> int | None:
        """From when it was enqueued to when its last attempt began, where both are known."""
        queued, started = whole(self.queued_at), whole(self.started_at)
        return None if queued is None or started is None else max(started - queued, 0)


NO_RECORD = Record()


class Read(NamedTuple):
    """A job as its bytes say: an entry that was read whole, or too large a one of which there is the beginning."""

    id: str
    entry: Entry
    job: Job | Malformed | None

    @property
    def group(self) -> str | None:
        """Whose job it is."""
        return self.job.group if isinstance(self.job, Job) else None

    @property
    def type(self) -> str | None:
        """Which handler it is for."""
        return self.job.type if self.job is not None else None


def read_job(raw: bytes, size: int, fallback_id: str, group_by: str | None) -> Read:
    """Read an entry of `size` bytes; `fallback_id` is its id where it names none."""
    entry = read_entry(raw)
    if size > len(raw):
        return Read(entry.origin or fallback_id, entry, None)
    job = decode(entry.payload, entry.origin or fallback_id, 0)
    if isinstance(job, Malformed):
        return Read(job.id, entry, job)
    return Read(job.id, entry, grouped(job, group_by))


def since(read: Read, record: Record) -> int | None:
    """Say since when (Unix ms) a job in the list waits: one that was put off, since it was due."""
    made = read.job.time if isinstance(read.job, Job) else None
    if made is not None:
        return max(made, read.entry.due)
    return read.entry.due or whole(record.queued_at)


def of_waiting(read: Read, record: Record, state: State, at: int | None) -> JobSummary:
    """Sum up a job that waits, in the list or until it is due."""
    return JobSummary(
        id=read.id,
        state=state,
        type=read.type or _text(record.type),
        group=read.group,
        attempts=read.entry.attempts,
        at=at,
        data=read.entry.payload[:DATA_BYTES],
        **_cause(record.error),
    )


def of_running(read: Read, record: Record, receipt: str) -> JobSummary:
    """Sum up a job that a runner has; before it has begun there may be no record of it."""
    begun = record.state == State.INFLIGHT.value.encode()
    return JobSummary(
        id=read.id,
        state=State.INFLIGHT,
        type=read.type or _text(record.type),
        group=read.group,
        attempts=(whole(record.attempts) if begun else None) or read.entry.attempts,
        at=whole(record.started_at) if begun else None,
        runner=runner_of(receipt),
        data=read.entry.payload[:DATA_BYTES],
        **_cause(record.error),
    )


def of_ended(job_id: str, record: Record, state: State, group_by: str | None) -> JobSummary:
    """Sum up a job that has ended; one that is done may have failed before, which is over."""
    read = read_job(record.payload, record.size, job_id, group_by) if record.payload else None
    return JobSummary(
        id=job_id,
        state=state,
        type=_text(record.type) or (read.type if read else None),
        group=read.group if read else None,
        attempts=whole(record.attempts) or 0,
        at=whole(record.finished_at),
        seconds=_seconds(record.seconds),
        waited_ms=record.waited_ms,
        fingerprint=_text(record.fingerprint),
        data=record.payload[:DATA_BYTES],
        **(_cause(None) if state is State.DONE else _cause(record.error)),
    )


def runner_of(receipt: str) -> str:
    """Name the runner that a receipt was given to."""
    return receipt.rsplit(".", 2)[0]


def whole(value: bytes | None) -> int | None:
    """Read a whole number, or nothing where there is none."""
    return int(value) if value is not None and value.isdigit() else None


def _seconds(value: bytes | None) -> float | None:
    try:
        return float(value) if value else None
    except ValueError:
        return None


def _text(value: bytes | None) -> str | None:
    return value.decode(errors="replace") if value else None


def _cause(error: bytes | None) -> Mapping[str, Any]:
    """Read what an attempt ended with: an object with `kind` and `message`, or anything that was written there."""
    if not error:
        return {"error_kind": None, "error_message": None}
    try:
        read: Any = from_json(error)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        return {"error_kind": "unknown", "error_message": error.decode(errors="replace")}
    known = cast("dict[str, Any]", read)
    return {"error_kind": _or_none(known.get("kind")), "error_message": _or_none(known.get("message"))}


def _or_none(value: Any) -> str | None:
    return None if value is None else str(value)


def payload_of(raw: bytes) -> bytes:
    """Give an entry without its header."""
    return read_entry(raw).payload


def pairs(words: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Take words two by two."""
    return list(zip(words[::2], words[1::2], strict=True))
