"""Mends what no script leaves behind, but a person with redis-cli or a restored file may."""

from typing import Any

from edworkers.adapters.redis.calls import Client, run_script
from edworkers.adapters.redis.connection import until_answered
from edworkers.core.group_bounds import GroupBounds
from edworkers.core.keys import QueueKeys
from edworkers.core.settings import LONGEST_LEASE_SECONDS
from edworkers.telemetry import log

_KINDS = (
    ("jobs in flight without a lease", "they go back to the list, as if their runners were lost"),
    ("leases without a job", "they end now; the jobs were deleted by somebody, or by a restore"),
    ("leases that end too late for any pool", "they end within an hour; was the clock of Redis wrong?"),
    ("delayed jobs without a time", "they are due at the time to which they were put off"),
    ("delayed jobs without an entry", "forgotten: the jobs were deleted by somebody, or by a restore"),
    ("a gate or throttle without an end", "it ends within a minute"),
    ("recordBytes not what the records take", "counted anew"),
)
"""What repair.lua counts, in its order, and what became of it."""
_OF_LINES = (
    ("jobs counted for their groups that are in flight no more", "their groups may run others"),
    ("groups whose jobs in flight were miscounted", "counted anew"),
    ("groups whose jobs waited without a turn", "they have one"),
)
"""What repair_lines.lua counts, in its order."""
_KEYS_A_HOLDER = "unique keys whose jobs have ended or are gone"


async def repair(client: Client, keys: QueueKeys, at_most: int) -> int:
    """Look at up to `at_most` things of each kind, and mend those that are broken; returns how many were."""
    k = keys
    names = (k.inflight, k.lease, k.delayed, k.entries, k.throttled, k.gate, k.finished, k.dead, k.totals, k.unique)

    async def look(_repeated: bool) -> Any:  # noqa: FBT001
        return await run_script(client, "repair", names, (at_most, LONGEST_LEASE_SECONDS * 1000))

    reply: list[Any] = await until_answered("repair a queue", look)
    counts: list[int] = reply[:-1]
    held: list[bytes] = reply[-1]
    for (what, then), count in zip(_KINDS, counts, strict=True):
        _tell(keys.queue, what, count, then)
    freed = await _free_unique_keys(client, keys, held[::2], held[1::2]) if held else 0
    _tell(keys.queue, _KEYS_A_HOLDER, freed, "other jobs may have them")
    return sum(counts) + freed


async def repair_lines(client: Client, k: QueueKeys, at_most: int, bounds: GroupBounds) -> int:
    """Do the same for the lines of a fair queue's groups; also forget what is known of services that nobody uses."""
    names = (k.fair, k.turns, k.shares, k.fairness, k.grouped, k.running, k.shut, k.circuits, k.inflight, k.totals)

    async def look(_repeated: bool) -> Any:  # noqa: FBT001
        return await run_script(client, "repair_lines", names, (at_most, bounds.most, bounds.failures))

    counts: list[int] = await until_answered("repair the lines of a queue", look)
    for (what, then), count in zip(_OF_LINES, counts, strict=True):
        _tell(k.queue, what, count, then)
    return sum(counts)


def _tell(queue: str, what: str, count: int, then: str) -> None:
    if count:
        log.warning("queue.repaired", queue=queue, what=what, count=count, then=then)


async def _free_unique_keys(client: Client, k: QueueKeys, unique_keys: list[bytes], ids: list[bytes]) -> int:
    names: list[str | bytes] = [k.unique, k.totals, k.pending, k.arrived, k.fair, k.inflight]
    names += [k.job("").encode() + job_id for job_id in ids]
    args = [word for pair in zip(unique_keys, ids, strict=True) for word in pair]

    async def free(_repeated: bool) -> int:  # noqa: FBT001
        return int(await run_script(client, "free", names, args))

    return await until_answered("free unique keys", free)
