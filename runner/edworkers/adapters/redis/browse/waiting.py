"""Jobs that wait: in the list, the next to be claimed first, and in a fair queue in the lines of their groups."""

from collections.abc import Sequence
from typing import Any

from edworkers.adapters.redis.browse.cursor import Place
from edworkers.adapters.redis.browse.peek import CUT_BYTES, WHOLE_BYTES, Part, Peek
from edworkers.adapters.redis.browse.seen import of_waiting, pairs, payload_of, read_job, since
from edworkers.adapters.redis.browse.sieve import Sieve
from edworkers.core.lifecycle import State
from edworkers.ports.browse import JobSummary

_START: Place = ("list", 0, 0, 0, "", "")
Entry = tuple[int, bytes]
"""The size of an entry, and its bytes."""


class Waiting:
    """The list comes before the lines: what is sorted between two looks may be seen twice, and is never missed."""

    def __init__(self, peek: Peek) -> None:
        self._peek = peek
        k = peek.keys
        self._keys = (k.pending, k.arrived, k.fair)

    async def look(self, place: Place | None, count: int, most_bytes: int, sieve: Sieve) -> Part:
        """Look at up to `count` jobs, one at least, until `most_bytes` are read."""
        kind, *where = place or _START
        bounds = (count, most_bytes, WHOLE_BYTES, CUT_BYTES, *sieve.needles)
        if kind == "lines":
            return await self._look_at_lines(str(where[0]), bounds, sieve)
        *numbers, sha, ends = where
        args = (*numbers, sha, str(ends).encode("latin-1"), *bounds)
        reply: Sequence[Any] = await self._peek.run("peek_list", self._keys, args)
        total, reached, seen, size, mark, tips, read, *words = reply
        following: Place | None = ("list", reached, seen, size, mark.decode("ascii"), tips.decode("latin-1"))
        if not mark:
            following = ("lines", "") if total > reached else None
        return Part(await self._sum_up(pairs(words), sieve), total, seen, read, following)

    async def _look_at_lines(self, last: str, bounds: tuple[Any, ...], sieve: Sieve) -> Part:
        # What has the same group and place begins with the same bytes, and a NUL follows them.
        after = b"(" + last.encode("latin-1") + b"\x01" if last else b"-"
        total, seen, read, head, *words = await self._peek.run("peek_lines", self._keys, (after, *bounds))
        following: Place | None = ("lines", head.decode("latin-1")) if head else None
        entries = [_entry(size, member) for size, member in pairs(words)]
        return Part(await self._sum_up(entries, sieve), total, seen, read, following)

    async def _sum_up(self, entries: Sequence[Entry], sieve: Sieve) -> list[JobSummary]:
        found = [
            (read, has_text)
            for size, raw in entries
            # One that was never put off has no record that could name an error.
            if (has_text := sieve.has_text(payload_of(raw))) or raw[:1] == b"\x1e"
            if sieve.may_pass((read := read_job(raw, size, "", self._peek.group_by)).type, read.group)
        ]
        records = await self._peek.records([read.id for read, _ in found])
        jobs: list[JobSummary] = []
        for (read, has_text), record in zip(found, records, strict=True):
            job = of_waiting(read, record, State.PENDING, since(read, record))
            if sieve.passes(job, has_text=has_text or sieve.has_text(record.error)):
                jobs.append(job)
        return jobs


def _entry(size: int, member: bytes) -> Entry:
    """Take the entry out of a member of `fair`, whose group and place come before it."""
    entry = member.split(b"\0", 2)[-1]
    return size - len(member) + len(entry), entry
