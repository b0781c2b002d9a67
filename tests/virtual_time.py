"""A loop whose time the work itself moves: hours pass in a moment, and nothing depends on the machine's speed."""

import asyncio
import selectors
from typing import Any


class _Selector(selectors.SelectSelector):
    """Never waits: it hands the time that it would have waited to whoever keeps the clock."""

    waited = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        if not found and timeout is not None:
            self.waited += max(timeout, 0)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """For work that waits for timers and for itself, and for nothing outside."""

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.waited
