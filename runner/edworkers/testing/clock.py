"""Time that moves only when told."""

from collections.abc import Callable

START_MS = 1_767_614_400_000
"""Noon of Monday, 5 January 2026, in UTC: far from the end of any day or month."""


class MemoryClock:
    """The `Clock` port in virtual time."""

    def __init__(self, start: int = START_MS) -> None:
        self._start = self._now = start
        self._watchers: list[Callable[[], None]] = []

    def now(self) -> int:
        """Unix milliseconds."""
        return self._now

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return (self._now - self._start) / 1000

    def advance(self, seconds: float) -> None:
        """Let time pass; runners that are up renew their leases meanwhile. Raises ValueError for less than 0."""
        if seconds < 0:
            raise ValueError(f"time can't go back by {-seconds:g} s")
        self._now += round(seconds * 1000)
        for watcher in list(self._watchers):
            watcher()

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call `watcher` whenever time has passed."""
        self._watchers.append(watcher)

    def unwatch(self, watcher: Callable[[], None]) -> None:
        """Call `watcher` no more."""
        self._watchers.remove(watcher)
