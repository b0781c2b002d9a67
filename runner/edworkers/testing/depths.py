"""How many jobs of a queue in memory are where, and for how long the oldest has waited."""

from edworkers.core.queue_age import HEAD_BYTES, read_head
from edworkers.ports import Depths
from edworkers.testing.store import Store

_RUNNER_MS = 60_000


def read_depths(store: Store) -> Depths:
    """Count a queue."""
    now = store.clock.now()
    waiting = len(store.pending) + len(store.arrived) + len(store.fair)
    since = _waits_since(store)
    return Depths(
        queue=store.name,
        pending=waiting,
        inflight=len(store.inflight),
        delayed=len(store.delayed),
        dead=len(store.dead),
        paused=store.paused,
        throttled=store.throttled_until > now,
        gate_ms=max(store.gate_until - now, 0),
        runners=sum(seen > now - _RUNNER_MS for seen in store.runners.values()),
        totals=dict(store.totals),
        oldest_seconds=(None if waiting else 0.0) if since is None else max(now - since, 0) / 1000,
        shut=len(store.fair.shut),
    )


def _waits_since(store: Store) -> int | None:
    if len(store.fair) or not (store.arrived or store.pending):
        return None
    raw = (store.arrived or store.pending)[-1]
    if len(raw) > HEAD_BYTES:
        return None
    head = read_head(raw)
    if head.since is not None or not head.job_id:
        return head.since
    record = store.find(head.job_id)
    return None if record is None else record.queued_at
