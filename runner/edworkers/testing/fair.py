"""Jobs that wait by group, in memory, and whose turn it is: start-time fair queueing, a job costing 1."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import NamedTuple

from edworkers.core.group_bounds import GroupBounds
from edworkers.ports import CircuitChange


class Failing(NamedTuple):
    """A service that didn't work when it was last asked."""

    failures: int
    """How often in a row, while its group's circuit was not open."""
    at: int
    """Unix ms."""


@dataclass(slots=True)
class Fair:
    """The lines of one queue's groups; the left end of a line is its front. Every place is named as its Redis key."""

    lines: dict[str, deque[bytes]] = field(default_factory=dict[str, deque[bytes]])
    turns: dict[str, int] = field(default_factory=dict[str, int])
    """Of each group whose next job may be claimed, the virtual time at which that begins."""
    shares: dict[str, int] = field(default_factory=dict[str, int])
    """Of each group, the virtual time at which what it was given ends."""
    clock: int = 0
    grouped: dict[str, str] = field(default_factory=dict[str, str])
    running: Counter[str] = field(default_factory=Counter[str])
    shut: dict[str, int] = field(default_factory=dict[str, int])
    circuits: dict[str, Failing] = field(default_factory=dict[str, Failing])

    def __len__(self) -> int:
        """Count the jobs that wait."""
        return sum(len(line) for line in self.lines.values())

    def in_order(self) -> list[bytes]:
        """List the entries that wait, group by group, the front of each line first."""
        return [raw for group in sorted(self.lines, key=str.encode) for raw in self.lines[group]]

    def _failures(self, group: str) -> int:
        return self.circuits[group].failures if group in self.circuits else 0

    def _is_full(self, group: str, bounds: GroupBounds) -> bool:
        if group == "":
            return False
        # Of a group whose circuit is half-open one job tries whether its service works again.
        most = 1 if bounds.is_tripped(self._failures(group)) else bounds.most
        return 0 < most <= self.running[group]

    def line_up(self, group: str, bounds: GroupBounds) -> None:
        """Give a group a turn, if a job of it waits and may run."""
        if group in self.turns or group in self.shut or self._is_full(group, bounds) or not self.lines.get(group):
            return
        self.turns[group] = max(self.clock, self.shares.get(group, 0))

    def join(self, group: str, raw: bytes, bounds: GroupBounds, *, front: bool = False) -> None:
        """Put an entry in its group's line: at the end, or at the front."""
        line = self.lines.setdefault(group, deque())
        (line.appendleft if front else line.append)(raw)
        self.line_up(group, bounds)

    def shut_until(self, group: str, until: int) -> None:
        """Have a group wait until then (Unix ms), be it for a limit or its circuit: the longer counts."""
        self.shut[group] = max(self.shut.get(group, 0), until)
        self.turns.pop(group, None)

    def open_shut(self, now: int, bounds: GroupBounds) -> None:
        """Give their turns back to groups that a limit or their circuit kept waiting until `now` (Unix ms)."""
        for group in [group for group, until in self.shut.items() if until <= now]:
            del self.shut[group]
            self.line_up(group, bounds)

    def note_service(self, group: str, now: int, bounds: GroupBounds, *, down: bool) -> CircuitChange | None:
        """Note at `now` (Unix ms) whether a group's service worked; returns whether its circuit opened or closed."""
        failures = self._failures(group)
        was_tripped = bounds.is_tripped(failures)
        if not down:
            self.circuits.pop(group, None)
            if was_tripped:
                self.shut.pop(group, None)
            return CircuitChange(group, 0, 0) if was_tripped else None
        if was_tripped and self.shut.get(group, 0) > now:
            return None  # what ends while the circuit is open was begun before, and tells nothing new
        failures += 1
        self.circuits[group] = Failing(failures, now)
        if not bounds.is_tripped(failures):
            return None
        open_ms = bounds.opens_for(failures)
        self.shut_until(group, now + open_ms)
        return CircuitChange(group, failures, open_ms)

    def forget_services(self, before: int, bounds: GroupBounds) -> None:
        """Forget what is known of services that nobody has asked since then (Unix ms)."""
        old = [group for group, failing in self.circuits.items() if failing.at <= before and group not in self.shut]
        for group in old:
            del self.circuits[group]
            self.line_up(group, bounds)

    def take(self, bounds: GroupBounds) -> tuple[str, bytes] | None:
        """Take the next job of the group whose turn it is."""
        while self.turns:
            group = min(self.turns, key=lambda name: (self.turns[name], name.encode()))
            at = self.turns.pop(group)
            line = self.lines.get(group)
            if line and not self._is_full(group, bounds):
                raw = line.popleft()
                if not line:
                    del self.lines[group]
                self.running[group] += 1
                self.clock, self.shares[group] = at, at + 1
                self.line_up(group, bounds)
                return group, raw
        return None

    def forget_shares(self) -> None:
        """Forget what says no more than the clock does."""
        self.shares = {group: end for group, end in self.shares.items() if end > self.clock}

    def leave(self, receipt: str) -> str | None:
        """Forget that a job is in flight; returns its group, None where it has none."""
        group = self.grouped.pop(receipt, None)
        if group is not None:
            self.running[group] -= 1
            if self.running[group] <= 0:
                del self.running[group]
        return group
