"""Looks at one queue, none of which moves much more than was asked for."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from edworkers.adapters.redis.asking import ask
from edworkers.adapters.redis.browse.cursor import Place
from edworkers.adapters.redis.browse.seen import DATA_BYTES, NO_RECORD, Record
from edworkers.adapters.redis.browse.sieve import Sieve
from edworkers.adapters.redis.calls import Client, run_script
from edworkers.core.keys import QueueKeys
from edworkers.core.settings import MAX_PAYLOAD_BYTES
from edworkers.ports.browse import JobSummary

WHOLE_BYTES = MAX_PAYLOAD_BYTES + 1024
"""What is larger isn't read whole: its payload can't be a job's. An entry's header and group need some bytes, too."""
CUT_BYTES = DATA_BYTES + 1024
_RECORDS_AT_ONCE = 500

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Part:
    """What one look found."""

    jobs: Sequence[JobSummary]
    total: int
    """How many jobs are in that state."""
    looked_at: int
    """How many of them were looked at."""
    bytes: int
    """How much was read."""
    next: Place | None
    """Where the next look begins; None where there is no more."""
    passed: int = 0
    """How many more were passed over, as they are in another state."""


class Source(Protocol):
    """The jobs in one state, in an order."""

    async def look(self, place: Place | None, count: int, most_bytes: int, sieve: Sieve) -> Part:
        """Look at up to `count` jobs, one at least, until `most_bytes` are read."""
        ...


class Peek:
    """Asks about one queue. Raises QueueUnavailableError."""

    def __init__(self, client: Client, queue: str, group_by: str | None) -> None:
        self._client = client
        self.keys = QueueKeys(queue)
        self.group_by = group_by

    async def _ask(self, call: Callable[[], Awaitable[Result]]) -> Result:
        return await ask(self._client, call)

    async def send(self, *words: Any) -> Any:
        """Send a command."""
        return await self._ask(lambda: self._client.execute_command(*words))

    async def run(self, name: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run a script."""
        return await self._ask(lambda: run_script(self._client, name, keys, args))

    async def records(self, ids: Sequence[str], needles: Sequence[str] = ()) -> list[Record]:
        """Read what is shown of records; of an empty id, and of one without the needles, there is none."""
        known = [job_id for job_id in ids if job_id]
        found: dict[str, Record] = {}
        for first in range(0, len(known), _RECORDS_AT_ONCE):
            part = known[first : first + _RECORDS_AT_ONCE]
            keys = [self.keys.job(job_id) for job_id in part]
            replies = await self.run("peek_records", keys, (WHOLE_BYTES, CUT_BYTES, *needles))
            found |= {job_id: Record(*reply) for job_id, reply in zip(part, replies, strict=True) if reply}
        return [found.get(job_id, NO_RECORD) for job_id in ids]
