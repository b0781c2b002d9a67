"""What a job's record in memory keeps of its past, byte for byte as on Redis: records are trimmed by their size."""

from edworkers.core.job_log import add_logs
from edworkers.ports import Settlement
from edworkers.testing.store import Record

MOST_PAST = 20


def note_past(record: Record, outcome: str, ended_at: int, error: bytes = b"") -> None:
    """Note an attempt that ended at `ended_at` (Unix ms) without the job being done; `error` is JSON, or empty."""
    record.past_count += 1
    began = b"null" if record.started_at is None else b"%d" % record.started_at
    head = b'{"number":%d,"outcome":"%s","startedAt":%s' % (record.past_count, outcome.encode(), began)
    record.past.append(head + b',"endedAt":%d,"error":%s}' % (ended_at, error or b"null"))
    del record.past[:-MOST_PAST]


def note_logs(record: Record, s: Settlement) -> None:
    """Put what an attempt logged behind what those before it did."""
    if s.logs:
        record.logs = add_logs(record.logs, s.logs)


def history_bytes(record: Record) -> int:
    """Count the bytes that a record's history takes."""
    return sum(map(len, record.past)) + len(record.logs) + len(record.follow_ups)


def history_fields(record: Record) -> dict[bytes, bytes]:
    """Give the fields of a record's history as Redis has them."""
    fields = {
        b"state": record.state.encode(),
        b"past": b"%d" % record.past_count,
        b"startedAt": b"" if record.started_at is None else b"%d" % record.started_at,
        b"finishedAt": b"" if record.finished_at is None else b"%d" % record.finished_at,
        b"error": record.error,
        b"logs": record.logs,
        b"followUps": record.follow_ups,
        b"parent": record.parent.encode(),
        b"fingerprint": record.fingerprint.encode(),
    }
    return {**fields, **{b"past:%d" % at: text for at, text in enumerate(record.past)}}
