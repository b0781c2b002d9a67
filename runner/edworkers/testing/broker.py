"""All queues and limiters of one test, and its clock."""

import itertools
from collections.abc import Sequence

from edworkers.core.settings import Groups, Retention, Window
from edworkers.testing.clock import MemoryClock
from edworkers.testing.control import MemoryControl
from edworkers.testing.lifeline import MemoryLifeline
from edworkers.testing.limiter import MemoryLimiter, Used
from edworkers.testing.queue import MemoryQueue
from edworkers.testing.store import Store

LEASE_MS = 15_000
_RETENTION = Retention()


class MemoryBroker:
    """In a test, what Redis is in production: ports made by one broker see the same jobs."""

    def __init__(self, clock: MemoryClock | None = None) -> None:
        self.clock = clock or MemoryClock()
        self._stores: dict[str, Store] = {}
        self._limiters: dict[str, Used] = {}
        self._runners = itertools.count(1)

    def store(self, name: str) -> Store:
        """Give what a queue keeps, for a test that looks inside."""
        if name not in self._stores:
            self._stores[name] = Store(name, self.clock)
        return self._stores[name]

    def names(self) -> list[str]:
        """Name the queues that were used."""
        return list(self._stores)

    def queue(
        self,
        name: str,
        *,
        runner: str | None = None,
        lease_ms: int = LEASE_MS,
        retention: Retention = _RETENTION,
        groups: Groups | None = None,
        max_inflight: int | None = None,
        begins: bool = False,
    ) -> MemoryQueue:
        """Give a queue to one runner, whose name must be its own; `groups` makes it fair.

        With `begins`, a claim lets those jobs begin of which nobody can know an id.
        """
        return MemoryQueue(
            self.store(name),
            self.store,
            runner=runner or f"runner-{next(self._runners)}",
            lease_ms=lease_ms,
            retention=retention,
            groups=groups,
            max_inflight=max_inflight,
            begins=begins,
        )

    def control(self, name: str, retention: Retention = _RETENTION) -> MemoryControl:
        """Give a queue to a producer or operator."""
        return MemoryControl(self.store(name), retention)

    def limiter(self, name: str, windows: Sequence[Window]) -> MemoryLimiter:
        """Give a limiter; those of one name share what is used."""
        return MemoryLimiter(self._limiters.setdefault(name, Used()), windows, self.clock)

    def lifeline(self, queue: MemoryQueue) -> MemoryLifeline:
        """Give the lifeline of the runner that has this queue."""
        return MemoryLifeline(queue)

    def push(self, queue: str, *payloads: bytes, urgent: bool = False) -> None:
        """Add jobs as a producer does by a plain LPUSH, or by RPUSH where they are urgent."""
        self.store(queue).push(payloads, urgent=urgent)
