"""Tells when circuits of groups open and close."""

from collections.abc import Iterable

from edworkers.core.settings import PoolSpec
from edworkers.core.stats import Stats
from edworkers.ports import CircuitChange
from edworkers.telemetry import log


def tell_circuits(changes: Iterable[CircuitChange], pool: PoolSpec, stats: Stats) -> None:
    """Tell that a circuit opened or closed; not that it opened again, for that says nothing new."""
    circuit = pool.groups.circuit if pool.groups is not None else None
    for change in changes:
        if change.failures == 0:
            log.info("circuit.closed", queue=pool.queue, group=change.group, reason="its service works again")
        elif circuit is not None and change.failures == circuit.failures:
            stats.circuits_opened += 1
            log.warning(
                "circuit.opened",
                queue=pool.queue,
                group=change.group,
                failures=change.failures,
                seconds=change.open_ms / 1000,
                then="its jobs wait so long, at no cost of an attempt; then one at a time tries again",
            )
