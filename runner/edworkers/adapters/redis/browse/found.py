"""Where a job is whose id is known, and its bytes."""

from collections.abc import Iterator, Sequence
from json import dumps

from edworkers.adapters.redis.browse.peek import CUT_BYTES, WHOLE_BYTES, Peek
from edworkers.adapters.redis.browse.seen import Read, pairs, read_job
from edworkers.core.lifecycle import State

MOST = 10_000
"""How many jobs are looked at from each end of the list."""
_STEP = 2000
_STEP_BYTES = 4 * 1024 * 1024


class Found:
    """Finds one job's bytes, where that takes no long search."""

    def __init__(self, peek: Peek) -> None:
        self._peek = peek

    async def find(self, job_id: str, state: State, names: Sequence[bytes]) -> Read | None:
        """Find a job in a state; `names` are its receipt and origin, by which it may be listed there."""
        k = self._peek.keys
        match state:
            case State.INFLIGHT:
                return await self._in_hash(k.inflight, job_id, names)
            case State.DELAYED:
                return await self._in_hash(k.entries, job_id, (job_id.encode(), *names))
            case State.PENDING:
                return await self._in_lists(job_id)
            case _:
                return None

    async def _in_hash(self, key: str, job_id: str, names: Sequence[bytes]) -> Read | None:
        if not names:
            return None
        bounds = (len(names) * WHOLE_BYTES, WHOLE_BYTES, CUT_BYTES, len(names))
        _, *words = await self._peek.run("peek_entries", (key,), (*bounds, *names))
        return next((self._read(raw, size, job_id) for size, raw in pairs(words) if size >= 0), None)

    def _read(self, raw: bytes, size: int, job_id: str) -> Read:
        return read_job(raw, size, job_id, self._peek.group_by)

    async def _in_lists(self, job_id: str) -> Read | None:
        k = self._peek.keys
        for key, count in ((k.arrived, "LLEN"), (k.pending, "LLEN"), (k.fair, "ZCARD")):
            total = int(await self._peek.send(count, key))
            for first, last in _steps(total):
                found = await self._in_step(key, first, last, job_id)
                if found is not None:
                    return found
        return None

    async def _in_step(self, key: str, first: int, last: int, job_id: str) -> Read | None:
        args = (first, last, _STEP_BYTES, WHOLE_BYTES, CUT_BYTES, *_texts(job_id))
        _, *words = await self._peek.run("peek_for", (key,), args)
        for size, raw in pairs(words):
            entry = raw.split(b"\0", 2)[-1] if key == self._peek.keys.fair else raw
            read = read_job(entry, size - len(raw) + len(entry), "", self._peek.group_by)
            if read.id == job_id:
                return read
        return None


def _steps(total: int) -> Iterator[tuple[int, int]]:
    """Give the first and last places of each step, from both ends: there producers push, and runners take."""
    high = max(total - MOST, 0)
    for last in range(total - 1, high - 1, -_STEP):
        yield max(last - _STEP + 1, high), last
    for first in range(0, min(MOST, high), _STEP):
        yield first, min(first + _STEP, MOST, high) - 1


def _texts(job_id: str) -> list[str]:
    """Write an id in the ways in which JSON and a header have it."""
    quoted = dumps(job_id)[1:-1]
    return sorted({job_id, quoted, quoted.replace("/", "\\/")})
