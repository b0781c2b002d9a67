"""Jobs that wait by group, in memory, and whose turn it is: start-time fair queueing, a job costing 1."""

from collections import Counter, deque
from dataclasses import dataclass, field


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

    def __len__(self) -> int:
        """Count the jobs that wait."""
        return sum(len(line) for line in self.lines.values())

    def in_order(self) -> list[bytes]:
        """List the entries that wait, group by group, the front of each line first."""
        return [raw for group in sorted(self.lines, key=str.encode) for raw in self.lines[group]]

    def _is_full(self, group: str, most: int) -> bool:
        return group != "" and 0 < most <= self.running[group]

    def line_up(self, group: str, most: int) -> None:
        """Give a group a turn, if a job of it waits and may run; `most` is how many of it may run, 0 for any number."""
        if group in self.turns or group in self.shut or self._is_full(group, most) or not self.lines.get(group):
            return
        self.turns[group] = max(self.clock, self.shares.get(group, 0))

    def join(self, group: str, raw: bytes, most: int, *, front: bool = False) -> None:
        """Put an entry in its group's line: at the end, or at the front."""
        line = self.lines.setdefault(group, deque())
        (line.appendleft if front else line.append)(raw)
        self.line_up(group, most)

    def open_shut(self, now: int, most: int) -> None:
        """Give their turns back to groups that a limit kept waiting until `now` (Unix ms)."""
        for group in [group for group, until in self.shut.items() if until <= now]:
            del self.shut[group]
            self.line_up(group, most)

    def take(self, most: int) -> tuple[str, bytes] | None:
        """Take the next job of the group whose turn it is."""
        while self.turns:
            group = min(self.turns, key=lambda name: (self.turns[name], name.encode()))
            at = self.turns.pop(group)
            line = self.lines.get(group)
            if line and not self._is_full(group, most):
                raw = line.popleft()
                if not line:
                    del self.lines[group]
                self.running[group] += 1
                self.clock, self.shares[group] = at, at + 1
                self.line_up(group, most)
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
