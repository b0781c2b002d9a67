"""Moves time on for the runners of a test, from one moment at which something can happen to the next."""

import math
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager

from edworkers.core.errors import EdworkersError
from edworkers.pipeline.keeper import Keeper
from edworkers.testing.broker import MemoryBroker
from edworkers.testing.served import ServedPool
from edworkers.testing.virtual_time import LoopTime

_KEEPER_MS = 1000
_MOST_ROUNDS = 2000


class NotDrainedError(EdworkersError):
    """Jobs are left that would never end, or not in the time that a test gives them."""


class Driver:
    """Lets the served pools of a broker work, and the keeper between them, and moves the clock when they wait."""

    def __init__(self, broker: MemoryBroker, *, real_time: bool) -> None:
        self.served: dict[str, ServedPool] = {}
        self._broker = broker
        self._clock = broker.clock
        self._real_time = real_time
        self._keepers: dict[str, Keeper] = {}

    @contextmanager
    def driving(self) -> Generator[None]:
        """Let the running loop have the queue's time in the block; raises RuntimeError where that can't be."""
        self._time = LoopTime.of_running_loop()
        with self._time.driven_by(self._clock, self._is_at_work, real=self._real_time):
            yield

    def _is_at_work(self) -> bool:
        return any(served.is_at_work() for served in self.served.values())

    async def go(self, is_over: Callable[[], bool], *, within: float, progress: Callable[[], object]) -> bool:
        """Let time pass, with runners up, until `is_over`; False where `within` so many seconds it was not.

        Raises NotDrainedError where things are moved again and again, and `progress` stays the same.
        """
        until = self._clock.now() + round(within * 1000)
        rounds, reached = 0, progress()
        while True:
            timer = await self._time.idle(lambda: self._next_event(until))
            if sum(served.start() for served in self.served.values()) or await self._keep():
                rounds, reached = (rounds + 1 if progress() == reached else 0), progress()
                if rounds > _MOST_ROUNDS:
                    raise NotDrainedError(f"jobs were put off {rounds} times, and none has ended")
            elif is_over():
                return True
            elif self._clock.now() >= until:
                return False
            else:
                self._jump(timer, until)

    async def wind_up(self, ending: Collection[ServedPool]) -> None:
        """Let time pass until nothing is left of some runners, which were told to end."""
        while any(served.is_up() for served in ending):
            timer = await self._time.idle(lambda: self._next_event(None))
            if not sum(served.clear_away() for served in ending) and not await self._keep():
                self._jump(timer, None)

    def _jump(self, timer: float | None, until: int | None) -> None:
        """Move time on to whatever comes next: the loop's timer, an event of a queue, the end."""
        now = self._clock.now()
        next_timer = None if timer is None else now + math.ceil(round(timer * 1000, 3))
        moments = [moment for moment in (next_timer, self._next_event(until)) if moment is not None]
        self._clock.advance((max(min(moments, default=now + _KEEPER_MS), now + 1) - now) / 1000)

    def _next_event(self, until: int | None) -> int | None:
        """Say when a job of a served queue is due, a lease ends, or a group is let in again (Unix ms); or the end."""
        stores = [self._broker.store(name) for name in self.served]
        places = [place for store in stores for place in (store.delayed, store.lease, store.fair.shut)]
        moments = [min(place.values()) for place in places if place]
        return min(moments if until is None else [*moments, until], default=None)

    async def _keep(self) -> int:
        """Do one round of the keeper; returns how many things it moved."""
        moved = 0
        for name in self._broker.names():
            if name not in self._keepers:
                served = self.served.get(name)
                queue = self._broker.queue(name, runner="keeper") if served is None else served.queue
                self._keepers[name] = Keeper(name, queue)
            moved += await self._keepers[name].keep()
        return moved

    def forget_keeper(self, name: str) -> None:
        """Begin anew with a queue whose settings are known now."""
        self._keepers.pop(name, None)
