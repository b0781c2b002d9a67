"""One queue on Redis, as people see it who watch it."""

import asyncio
from collections.abc import Mapping, Sequence

import redis.asyncio

from edworkers.adapters.redis.browse import cursor as cursors
from edworkers.adapters.redis.browse.detail import Detail
from edworkers.adapters.redis.browse.indexed import Delayed, Ended
from edworkers.adapters.redis.browse.peek import Peek, Source
from edworkers.adapters.redis.browse.running import Running
from edworkers.adapters.redis.browse.sieve import Sieve
from edworkers.adapters.redis.browse.waiting import Waiting
from edworkers.adapters.redis.record_fields import read_group
from edworkers.core.lifecycle import State
from edworkers.ports.browse import FailureGroup, Found, JobDetail, JobPage, JobSummary, Wanted

MAX_PAGE = 100
PAGE_BYTES = 4 * 1024 * 1024
"""How much is read for one page, and hardly more: of jobs of 1 MiB it has five."""
MAX_PASSED = 5000
"""How many jobs in another state are passed over for one page or step."""
STEP_BYTES = 16 * 1024 * 1024
_CHUNK = 500
"""How many jobs a search reads at once: neither Redis nor the server are held up for long."""
_CHUNK_BYTES = 2 * 1024 * 1024
_EVERYTHING = Sieve(Wanted())


class RedisBrowser:
    """The `QueueBrowser` port on Redis. Raises QueueUnavailableError at once where Redis is away.

    `group_by` is the field of a job's data that names its group, as its pool says.
    """

    def __init__(self, client: "redis.asyncio.Redis", queue: str, group_by: str | None = None) -> None:
        peek = Peek(client, queue, group_by)
        self._peek = peek
        self._detail = Detail(client, peek)
        self._sources: Mapping[State, Source] = {
            State.PENDING: Waiting(peek),
            State.INFLIGHT: Running(peek),
            State.DELAYED: Delayed(peek),
            **{state: Ended(peek, state) for state in State if state.is_final},
        }

    async def page(self, state: State, cursor: str | None, count: int) -> JobPage:
        """List up to `count` jobs, 100 at most: those that wait in the order of their claims, delayed ones by when due.

        Others come the latest first. A page of large payloads has fewer jobs; so has one of cancelled jobs among very
        many that are done. `total` is of both these together, as they are kept in one list. In a fair queue the jobs
        that aren't sorted yet come first, then those of each group. Raises ValueError for a cursor that isn't one.
        """
        place = cursors.read(state, cursor) if cursor is not None else None
        count = max(min(count, MAX_PAGE), 1)
        jobs: list[JobSummary] = []
        read, passed = 0, 0
        while True:
            part = await self._sources[state].look(place, count - len(jobs), PAGE_BYTES - read, _EVERYTHING)
            jobs += part.jobs
            place, read, passed = part.next, read + part.bytes, passed + part.passed
            if place is None or len(jobs) >= count or read >= PAGE_BYTES or passed >= MAX_PASSED:
                return JobPage(jobs, part.total, cursors.write(state, place) if place is not None else None)

    async def detail(self, job_id: str) -> JobDetail | None:
        """Tell everything about one job; None where there is no record of it, nor was it found in the list.

        One that waits is looked for among the 10,000 at each end of the list.
        """
        return await self._detail.tell(job_id)

    async def failures(self, count: int) -> Sequence[FailureGroup]:
        """Group dead jobs by cause, those with the most jobs first."""
        fields: Mapping[bytes, bytes] = await self._peek.send("HGETALL", self._peek.keys.failures)
        groups = [group for name, value in fields.items() if (group := read_group(name, value))]
        return sorted(groups, key=lambda group: (-group.count, -group.last_at))[:count]

    async def search(self, state: State, wanted: Wanted, cursor: str | None, at_most: int) -> Found:
        """Look at up to `at_most` jobs in a state for those that are wanted; begin with no cursor.

        A step over large payloads ends when it has read 16 MiB. Raises ValueError for a cursor that isn't one.
        """
        place = cursors.read(state, cursor) if cursor is not None else None
        sieve, jobs = Sieve(wanted), list[JobSummary]()
        looked_at, read, passed = 0, 0, 0
        while True:
            part = await self._sources[state].look(place, min(_CHUNK, at_most - looked_at), _CHUNK_BYTES, sieve)
            jobs += part.jobs
            place, looked_at = part.next, looked_at + part.looked_at
            read, passed = read + part.bytes, passed + part.passed
            if place is None or looked_at >= at_most or read >= STEP_BYTES or passed >= MAX_PASSED:
                return Found(jobs, looked_at, cursors.write(state, place) if place is not None else None)
            await asyncio.sleep(0)  # let others of this server have their turn
