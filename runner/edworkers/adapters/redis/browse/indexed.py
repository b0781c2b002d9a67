"""Jobs that a sorted set lists: delayed ones by when they are due, those that have ended the latest first."""

from collections.abc import Sequence
from math import isfinite

from edworkers.adapters.redis.browse.cursor import Place
from edworkers.adapters.redis.browse.peek import CUT_BYTES, WHOLE_BYTES, Part, Peek
from edworkers.adapters.redis.browse.seen import NO_RECORD, of_ended, of_waiting, pairs, read_job
from edworkers.adapters.redis.browse.sieve import Sieve
from edworkers.core.lifecycle import State

Member = tuple[bytes, bytes]
"""A member of a sorted set and its score."""
_PASS = {State.DEAD: 0, State.DONE: 250, State.CANCELLED: 1000}
"""How many are looked at, at least, for those in the state that is asked for: few are cancelled."""


async def _members(
    peek: Peek, key: str, place: Place | None, count: int, *, backwards: bool
) -> tuple[int, list[Member]]:
    score, member = (str(word).encode("latin-1") for word in place[1:]) if place is not None else (b"", b"")
    total, *words = await peek.run("peek_index", (key,), (int(backwards), score, member, count))
    return total, pairs(words)


def _time_of(score: bytes) -> int:
    """Read a score (Unix ms); what somebody set by hand may be infinite."""
    value = float(score)
    return round(value) if isfinite(value) else 0


def _place(member: Member) -> Place:
    name, score = member
    return ("after", score.decode("latin-1"), name.decode("latin-1"))


class Delayed:
    """Jobs that are not due yet."""

    def __init__(self, peek: Peek) -> None:
        self._peek = peek

    async def look(self, place: Place | None, count: int, most_bytes: int, sieve: Sieve) -> Part:
        """Look at up to `count` jobs, one at least, until `most_bytes` are read."""
        peek = self._peek
        total, found = await _members(peek, peek.keys.delayed, place, count + 1, backwards=False)
        wanted = found[:count]
        args = (most_bytes, WHOLE_BYTES, CUT_BYTES, len(wanted), *(name for name, _ in wanted), *sieve.needles)
        _, *words = await peek.run("peek_entries", (peek.keys.entries,), args)
        entries = pairs(words)
        seen = wanted[: len(entries)]
        following = _place(seen[-1]) if len(seen) < len(found) else None
        reads = [
            (read, _time_of(due), sieve.has_text(read.entry.payload))
            for (name, due), (size, raw) in zip(seen, entries, strict=True)
            if raw is not None and sieve.is_in_time(_time_of(due))
            if sieve.may_pass((read := read_job(raw, size, _name(name), peek.group_by)).type, read.group)
        ]
        records = await peek.records([read.id for read, _, has_text in reads if has_text])
        # Of the others only those are wanted whose errors have the text.
        others = await peek.records([read.id for read, _, has_text in reads if not has_text], sieve.needles)
        known, unknown = iter(records), iter(others)
        jobs = [
            job
            for read, due, has_text in reads
            if (record := next(known if has_text else unknown)) is not NO_RECORD or has_text
            if sieve.passes(
                job := of_waiting(read, record, State.DELAYED, due), has_text=has_text or sieve.has_text(record.error)
            )
        ]
        return Part(jobs, total, len(seen), sum(max(size, 0) for size, _ in entries), following)


class Ended:
    """Jobs that have ended in one way."""

    def __init__(self, peek: Peek, state: State) -> None:
        self._peek = peek
        self._state = state
        self._is_shared = state is not State.DEAD
        self._pass = _PASS[state]
        self._key = peek.keys.dead if state is State.DEAD else peek.keys.finished

    async def look(self, place: Place | None, count: int, most_bytes: int, sieve: Sieve) -> Part:
        """Look at up to `count` jobs, one at least, until `most_bytes` are read."""
        most = max(count, self._pass)
        total, found = await _members(self._peek, self._key, place, most + 1, backwards=True)
        is_of_state = await self._are_of_state(found[:most])
        seen, read = _take(found[:most], is_of_state, count, most_bytes)
        wanted = [member for member, is_one in zip(seen, is_of_state, strict=False) if is_one]
        following = _place(seen[-1]) if len(seen) < len(found) else None
        timely = [(name, score) for name, score in wanted if sieve.is_in_time(_time_of(score))]
        records = await self._peek.records([_id_of(name) for name, _ in timely], sieve.needles)
        jobs = [
            job
            for (name, score), record in zip(timely, records, strict=True)
            # What was replayed, dropped or run again since then has another record by now, or none.
            if record.state == self._state.value.encode() and record.finished_at == score
            if sieve.passes(
                job := of_ended(_id_of(name), record, self._state, self._peek.group_by),
                has_text=sieve.has_text(record.payload) or sieve.has_text(record.error),
            )
        ]
        return Part(jobs, total, len(wanted), read, following, len(seen) - len(wanted))

    async def _are_of_state(self, members: Sequence[Member]) -> list[bool]:
        if not self._is_shared:
            return [True] * len(members)
        keys = [self._peek.keys.job(_id_of(name)) for name, _ in members]
        states: Sequence[bytes | None] = await self._peek.run("peek_states", keys, ()) if keys else ()
        return [state == self._state.value.encode() for state in states]


def _take(
    members: Sequence[Member], is_of_state: Sequence[bool], count: int, most_bytes: int
) -> tuple[Sequence[Member], int]:
    """Take members until `count` are of the state, or their records have so many bytes, one at least."""
    taken, read = 0, 0
    for at, (name, _) in enumerate(members):
        if not is_of_state[at]:
            continue
        size = _bytes_of(name)
        if taken == count or (taken and read + size > most_bytes):
            return members[:at], read
        taken, read = taken + 1, read + size
    return members, read


def _bytes_of(name: bytes) -> int:
    size = name.partition(b":")[0]
    return int(size) if size.isdigit() else 0


def _id_of(name: bytes) -> str:
    return _name(name.partition(b":")[2])


def _name(raw: bytes) -> str:
    return raw.decode(errors="replace")
