"""What keeps a runner's leases."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from edworkers.ports.queue import Settlement


class Lifeline(Protocol):
    """Keeps the leases of one runner and wakes it; runs apart from the event loop, so that no handler blocks it."""

    def open(
        self,
        *,
        on_wake: Callable[[], None],
        on_lost: Callable[[Sequence[str]], None],
        on_cancel: Callable[[Sequence[str]], None],
    ) -> None:
        """Begin; the callbacks run in the event loop: a job arrived, receipts lost, job ids to cancel."""
        ...

    def hold(self, receipts: Mapping[str, str]) -> None:
        """Keep the leases of these receipts (to job ids, empty where not yet known)."""
        ...

    def let_go(self, receipts: Sequence[str]) -> None:
        """Stop keeping the leases of these receipts."""
        ...

    def wake_me(self) -> None:
        """Call `on_wake` once when a job arrives or the queue opens."""
        ...

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Settle from the lifeline itself, when the event loop is blocked; called by its guard only."""
        ...

    def close(self) -> None:
        """End, and wait until it has ended."""
        ...
