"""Keeps one runner's leases in memory, and wakes it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from edworkers.ports import Settlement
from edworkers.testing.queue import MemoryQueue

_RUNNER_MS = 60_000


class MemoryLifeline:
    """The `Lifeline` port in memory: renews whenever the clock moves, so that no lease runs out while it is open."""

    def __init__(self, queue: MemoryQueue) -> None:
        self._queue = queue
        self._store = queue.store
        self._held: dict[str, str] = {}
        self._is_waiting = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(
        self,
        *,
        on_wake: Callable[[], None],
        on_lost: Callable[[Sequence[str]], None],
        on_cancel: Callable[[Sequence[str]], None],
    ) -> None:
        """Begin; the callbacks run in the event loop that calls this."""
        self._loop = asyncio.get_running_loop()
        self._on_wake, self._on_lost, self._on_cancel = on_wake, on_lost, on_cancel
        self._store.listeners.append(self)
        self._store.clock.watch(self.renew)
        self.renew()

    def hold(self, receipts: Mapping[str, str]) -> None:
        """Keep the leases of these receipts (to job ids, empty where not yet known)."""
        self._held.update(receipts)

    def let_go(self, receipts: Sequence[str]) -> None:
        """Stop keeping the leases of these receipts."""
        for receipt in receipts:
            self._held.pop(receipt, None)

    def wake_me(self) -> None:
        """Call `on_wake` once when a job arrives or the queue opens."""
        if not self._is_waiting:
            self._is_waiting = True
            self._store.waiting.append(self._wake)
            self._store.wake()

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Settle at once, without the event loop."""
        self._queue.cycle_now(settlements, (), 0)

    def close(self) -> None:
        """End; what is still held runs out with its lease."""
        if self._loop is None:
            return
        self._loop = None
        self._store.listeners.remove(self)
        self._store.clock.unwatch(self.renew)
        self._stop_waiting()

    def renew(self) -> None:
        """Renew all leases, and tell the runner which it lost and which jobs it is to cancel."""
        store, now = self._store, self._store.clock.now()
        lost = [receipt for receipt in self._held if receipt not in store.lease]
        store.lease.update({receipt: now + self._queue.lease_ms for receipt in self._held if receipt in store.lease})
        store.runners = {name: seen for name, seen in store.runners.items() if seen > now - _RUNNER_MS}
        store.runners[self._queue.runner] = now
        cancelled = [job_id for job_id in self._held.values() if job_id in store.cancel]
        self.let_go(lost)
        if lost:
            self._tell(lambda: self._on_lost(lost))
        if cancelled:
            self._tell(lambda: self._on_cancel(cancelled))

    def hear_cancel(self, job_id: str) -> None:
        """Hear that a job is to be cancelled."""
        self._tell(lambda: self._on_cancel([job_id]))

    def hear_resume(self) -> None:
        """Hear that the queue is open again."""
        self._stop_waiting()
        self._wake()

    def _stop_waiting(self) -> None:
        if self._is_waiting:
            self._is_waiting = False
            self._store.waiting.remove(self._wake)

    def _wake(self) -> None:
        self._is_waiting = False
        self._tell(self._on_wake)

    def _tell(self, callback: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback)
