"""How many jobs of a queue are where, and for how long the oldest has waited."""

from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoPermissionError

from edworkers.adapters.redis.calls import Client, run_script
from edworkers.core.keys import QueueKeys
from edworkers.core.queue_age import HEAD_BYTES, read_head
from edworkers.ports import Depths

RUNNER_SECONDS = 60
"""How long a runner counts after its last sign of life; as in renew.lua."""


def depth_commands(k: QueueKeys) -> list[tuple[str | int, ...]]:
    """Give the commands that count a queue: plain reads of its own keys."""
    return [
        ("LLEN", k.pending),
        ("LLEN", k.arrived),
        ("ZCARD", k.fair),
        ("ZCARD", k.shut),
        ("HLEN", k.inflight),
        ("ZCARD", k.delayed),
        ("ZCARD", k.dead),
        ("EXISTS", k.paused),
        ("EXISTS", k.throttled),
        ("PTTL", k.gate),
        ("HGETALL", k.totals),
        ("ZRANGE", k.runners, 0, -1, "WITHSCORES"),
    ]


async def read_depths(client: Client, k: QueueKeys, replies: Sequence[Any], now: int) -> Depths:
    """Read what was answered to `depth_commands`, and ask for the age of the oldest job if any waits in the list.

    `now` is in Unix ms.
    """
    pending, arrived, sorted_by_group, shut, inflight, delayed, dead, *replies = replies
    paused, throttled, gate, totals, runners = replies
    since = None
    if pending + arrived and not sorted_by_group:
        since = await _waits_since(client, k)
    waiting = pending + arrived + sorted_by_group
    return Depths(
        queue=k.queue,
        pending=waiting,
        inflight=inflight,
        delayed=delayed,
        dead=dead,
        paused=bool(paused),
        throttled=bool(throttled),
        gate_ms=max(gate, 0),
        runners=sum(float(seen) > now - RUNNER_SECONDS * 1000 for _, seen in runners),
        totals={name.decode(): int(value) for name, value in totals.items()},
        oldest_seconds=(None if waiting else 0.0) if since is None else max(now - since, 0) / 1000,
        shut=shut,
    )


async def _waits_since(client: Client, k: QueueKeys) -> int | None:
    """Ask the job at the front of the list, or its record, since when (Unix ms) it waits."""
    try:
        raw = await run_script(client, "head", (k.arrived, k.pending), (HEAD_BYTES,))
    except NoPermissionError:  # of a user who may only read
        return None
    if not raw:
        return None
    head = read_head(raw)
    if head.since is not None or not head.job_id:
        return head.since
    queued_at = await client.execute_command("HGET", k.job(head.job_id), "queuedAt")
    return None if queued_at is None else int(queued_at)
