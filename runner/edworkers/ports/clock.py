"""Time."""

from typing import Protocol


class Clock(Protocol):
    """The time of day and a steady time for durations."""

    def now(self) -> int:
        """Unix milliseconds."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        ...
