"""How many jobs of one group may run, and for how long its circuit opens."""

from typing import NamedTuple, Self

from edworkers.core.settings import Groups


class GroupBounds(NamedTuple):
    """The bounds of every group of a queue."""

    most: int = 0
    """How many jobs of a group may run at once; 0 for any number."""
    failures: int = 0
    """After how many failures in a row of its service a group's circuit opens; 0 where there are no circuits."""
    open_ms: int = 0
    """How long it is open at first."""
    max_open_ms: int = 0
    """How long it is open at most."""

    @classmethod
    def of(cls, groups: Groups | None) -> Self:
        """Read them from a pool's settings."""
        if groups is None:
            return cls()
        circuit = groups.circuit
        if circuit is None:
            return cls(groups.max_inflight or 0)
        longest = circuit.max_open_seconds * 1000
        return cls(groups.max_inflight or 0, circuit.failures, circuit.open_seconds * 1000, longest)

    def is_tripped(self, failures: int) -> bool:
        """Say whether after so many failures a circuit is open or, once its time is over, half-open."""
        return 0 < self.failures <= failures

    def opens_for(self, failures: int) -> int:
        """Say how many ms a circuit is open that opens at this failure."""
        return min(self.open_ms << min(failures - self.failures, 64), self.max_open_ms)
