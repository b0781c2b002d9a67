"""What is expected of circuits: whose service fails, and whose jobs wait for it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from edworkers.core.settings import Circuit
from edworkers.ports import CircuitChange

DAY_MS = 86_400_000


@dataclass(slots=True)
class Service:
    """One that failed when it was last asked."""

    failures: int = 0
    at: int = 0


@dataclass(slots=True)
class Circuits:
    """Those of one queue's groups; without a setting there are none."""

    now: Callable[[], int]
    setting: Circuit | None
    failing: dict[str, Service] = field(default_factory=dict[str, Service])
    shut: dict[str, int] = field(default_factory=dict[str, int])
    """Until when (Unix ms) no job of a group may begin, be it for a limit or its circuit."""

    def is_shut(self, group: str) -> bool:
        return self.shut.get(group, 0) > self.now()

    def is_tripped(self, group: str) -> bool:
        """Whether it is open, or half-open when the group isn't shut any more."""
        known = self.failing.get(group)
        return self.setting is not None and known is not None and known.failures >= self.setting.failures

    def shut_until(self, group: str, until: int) -> None:
        self.shut[group] = max(self.shut.get(group, 0), until)

    def note(self, group: str, *, down: bool) -> CircuitChange | None:
        """Expect a circuit to open at the last of so many failures in a row, and to close at a success."""
        assert self.setting is not None
        was_tripped = self.is_tripped(group)
        if not down:
            self.failing.pop(group, None)
            if not was_tripped:
                return None
            self.shut.pop(group, None)
            return CircuitChange(group, 0, 0)
        if was_tripped and self.is_shut(group):
            return None
        known = self.failing.setdefault(group, Service())
        known.failures, known.at = known.failures + 1, self.now()
        if not self.is_tripped(group):
            return None
        seconds = self.setting.open_seconds
        for _ in range(known.failures - self.setting.failures):
            seconds = min(seconds * 2, self.setting.max_open_seconds)
        self.shut_until(group, self.now() + seconds * 1000)
        return CircuitChange(group, known.failures, seconds * 1000)

    def forget(self) -> None:
        """Expect a keeper to forget services that nobody has asked for a day."""
        old = [group for group, known in self.failing.items() if known.at <= self.now() - DAY_MS]
        for group in old:
            if not self.is_shut(group):
                del self.failing[group]
