"""Judges what was claimed: in their order from the list, and among groups by fair turns."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.contract.model.jobs import Held, Job
from tests.contract.model.model import Model

from edworkers.core.job import read_entry
from edworkers.core.lifecycle import State
from edworkers.ports import Delivery, Start

MOST_AHEAD = 2
"""Of start-time fair queueing: how many jobs of one group may go before a waiting one of another."""


@dataclass(slots=True)
class Turns:
    """Follows the claims of one model."""

    model: Model
    ahead: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    """Of each group that could have been claimed from: how many of each other went before it."""

    @property
    def _is_mixed(self) -> bool:
        return len(set(self.model.setting.fair)) > 1

    def _bound(self, runner: int, group: str) -> int:
        """Say how many jobs of a group may run, 0 for any number: of one whose service is being tried again, one."""
        if not group or not self.model.setting.fair[runner]:
            return 0
        return 1 if self.model.circuits.is_tripped(group) else self.model.setting.group_max

    def _runnable(self, runner: int) -> set[str]:
        """Name the groups of which a job could be claimed now."""
        model = self.model
        running = Counter(held.group for held in model.held.values())
        free = {group for group, line in model.lines.items() if line and not model.circuits.is_shut(group)}
        return {group for group in free if not 0 < self._bound(runner, group) <= running[group]}

    def watch(self) -> None:
        """Forget who went before those that couldn't have been claimed from anyway."""
        runnable = self._runnable(0)
        self.ahead = {group: count for group, count in self.ahead.items() if group in runnable}

    def take(self, runner: int, want: int, deliveries: Sequence[Delivery]) -> None:
        """Hold what a runner claimed against what it might; then it holds that."""
        self.watch()
        room = self._room(want)
        assert len(deliveries) <= room, f"{len(deliveries)} claimed where there was room for {room}"
        for delivery in deliveries:
            self._take_one(runner, delivery)
        if len(deliveries) < room:
            self._expect_nothing_more(runner)
        if want > 0 and (self.model.setting.fair[runner] or room <= 0):
            self.model.hand_back()

    def _room(self, want: int) -> int:
        most = self.model.setting.max_inflight
        if self.model.closed():
            return 0
        return max(min(want, most - len(self.model.held)), 0) if most else want

    def _take_one(self, runner: int, delivery: Delivery) -> None:
        model = self.model
        payload = read_entry(delivery.raw).payload
        line = next((line for line in model.lines.values() if line and line[0].payload == payload), None)
        assert delivery.receipt not in model.held, "a receipt was given twice"
        group = None if line is None else line[0].group
        if line is not None and group is not None:
            self._expect_turn(runner, group)
            job = line.popleft()
        else:
            job = self._next_of_list(runner)
            assert job.payload == payload, "not the next in the list"
        job.state = State.INFLIGHT
        deadline = model.now() + model.lease_ms
        receipt = delivery.receipt
        model.held[receipt] = Held(receipt, job, runner, deadline, group)
        is_anonymous = not (job.id or job.key or job.origin)
        assert delivery.is_begun == (model.setting.begins and is_anonymous), "begun by its claim, or not, by mistake"
        if delivery.is_begun:
            assert model.start(Start(receipt, receipt, receipt, 1)) == "start"

    def _expect_turn(self, runner: int, group: str) -> None:
        runnable = self._runnable(runner)
        assert group in runnable, f"{group!r} is shut, or has as many running as it may"
        self.ahead.pop(group, None)
        for other in runnable - {group}:
            count = self.ahead.setdefault(other, Counter())
            count[group] += 1
            is_judged = not self._is_mixed or not (self.model.setting.group_max or self.model.setting.circuit)
            assert count[group] <= MOST_AHEAD or not is_judged, f"{other!r} waits while {group!r} goes again and again"

    def _next_of_list(self, runner: int) -> Job:
        model = self.model
        assert not model.setting.fair[runner], "claimed from the list of a fair queue"
        assert self._is_mixed or not self._runnable(runner), "claimed from the list while groups wait"
        source: deque[Job] = model.arrived or model.pending
        assert source, "claimed what isn't in the list"
        return source.pop()

    def _expect_nothing_more(self, runner: int) -> None:
        assert self._is_mixed or not self._runnable(runner), "more of some group could have been claimed"
        is_left = self.model.pending or self.model.arrived
        assert self.model.setting.fair[runner] or not is_left, "more of the list could have been claimed"
