"""Jobs that runners hold, by when each runner claimed them, the latest first."""

from edworkers.adapters.redis.browse.cursor import Place
from edworkers.adapters.redis.browse.peek import CUT_BYTES, WHOLE_BYTES, Part, Peek
from edworkers.adapters.redis.browse.seen import of_running, pairs, payload_of, read_job
from edworkers.adapters.redis.browse.sieve import Sieve

MOST = 10_000
"""Of more than these, those are listed whose leases end last."""


class Running:
    """Leases are renewed all the time, so that they give no order in which to list; receipts never change."""

    def __init__(self, peek: Peek) -> None:
        self._peek = peek

    async def look(self, place: Place | None, count: int, most_bytes: int, sieve: Sieve) -> Part:
        """Look at up to `count` jobs, one at least, until `most_bytes` are read."""
        peek = self._peek
        receipts = await self._receipts(place)
        wanted = receipts[:count]
        args = (most_bytes, WHOLE_BYTES, CUT_BYTES, len(wanted), *wanted, *sieve.needles)
        total, *words = await peek.run("peek_entries", (peek.keys.inflight,), args)
        entries = pairs(words)
        seen = wanted[: len(entries)]
        following: Place | None = ("receipt", seen[-1].decode("latin-1")) if len(seen) < len(receipts) else None
        names = (receipt.decode(errors="replace") for receipt in seen)
        found = [
            (name, read_job(raw, size, name, peek.group_by), sieve.has_text(payload_of(raw)))
            for name, (size, raw) in zip(names, entries, strict=True)
            if raw is not None
        ]
        records = await peek.records([read.id for _, read, _ in found])
        jobs = [
            job
            for (receipt, read, has_text), record in zip(found, records, strict=True)
            if sieve.passes(job := of_running(read, record, receipt), has_text=has_text or sieve.has_text(record.error))
        ]
        jobs.sort(key=lambda job: -(job.at or 0))
        return Part(jobs, total, len(seen), sum(max(size, 0) for size, _ in entries), following)

    async def _receipts(self, place: Place | None) -> list[bytes]:
        found: list[bytes] = await self._peek.send("ZREVRANGE", self._peek.keys.lease, 0, MOST - 1)
        ordered = sorted(found, key=_order, reverse=True)
        if place is None:
            return ordered
        last = _order(str(place[1]).encode("latin-1"))
        return [receipt for receipt in ordered if _order(receipt) < last]


def _order(receipt: bytes) -> tuple[int, int, bytes]:
    """Order receipts of a runner by the number of its call, and of the job in it."""
    runner, call, job = receipt.rsplit(b".", 2) if receipt.count(b".") > 1 else (receipt, b"", b"")
    try:
        return int(call, 16), int(job), runner
    except ValueError:
        return 0, 0, receipt
