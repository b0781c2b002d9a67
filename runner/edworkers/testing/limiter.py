"""Several windows at once in memory."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from edworkers.core.limits import MINUTE_MS, Period, periods
from edworkers.core.settings import Window
from edworkers.ports import Grant, Usage
from edworkers.testing.clock import MemoryClock


@dataclass(slots=True)
class Used:
    """What was used of one limiter's windows, whoever used it."""

    calendar: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    """Of each window's period that began then (Unix ms)."""
    rolling: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Of each reservation: when (Unix ms) and how many."""
    reservations: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))


class _Reserved(NamedTuple):
    granted: int
    fields: tuple[tuple[str, int], ...]


class _Room(NamedTuple):
    """What one window has left, and in how many ms it has more."""

    window: str
    left: int
    wait_ms: int


class MemoryLimiter:
    """The `Limiter` port in memory; limiters of one name share what is used."""

    def __init__(self, used: Used, windows: Sequence[Window], clock: MemoryClock) -> None:
        self._used = used
        self._minute = next((window for window in windows if window.window == "minute"), None)
        self._calendar = [window for window in windows if window.window != "minute"]
        self._clock = clock
        self._reserved: dict[str, _Reserved] = {}

    async def reserve(self, count: int, *, whole: bool = False) -> Grant:
        """Take up to `count` from every window, or as many as the tightest allows; with `whole`, all or nothing."""
        name = f"reservation-{next(self._used.reservations)}"
        rooms = self._rooms()
        least = count if whole else 1
        granted = min([count, *(room.left for room in rooms)])
        if granted < least or granted <= 0:
            tight = [room for room in rooms if room.left < least]
            tightest = max(tight, key=lambda room: room.wait_ms, default=_Room("", 0, 0))
            return Grant(name, 0, tightest.wait_ms, tightest.window)
        fields = tuple((window.name, self._period(window).start) for window in self._calendar)
        self._used.calendar.update(dict.fromkeys(fields, granted))
        if self._minute is not None:
            self._used.rolling[name] = (self._clock.now(), granted)
        self._reserved[name] = _Reserved(granted, fields)
        return Grant(name, granted, 0)

    def _rooms(self) -> list[_Room]:
        now, rooms = self._clock.now(), list[_Room]()
        if self._minute is not None:
            oldest, used = self._rolled()
            rooms.append(_Room(self._minute.name, self._minute.limit - used, oldest + MINUTE_MS - now + 1))
        for window in self._calendar:
            period = self._period(window)
            used = self._used.calendar[window.name, period.start]
            rooms.append(_Room(window.name, window.limit - used, period.end - now))
        return rooms

    def _period(self, window: Window) -> Period:
        return periods(window, self._clock.now())[1]

    def _rolled(self) -> tuple[int, int]:
        """Forget what is a minute old; returns when the oldest of the rest was reserved, and how many it is in all."""
        now = self._clock.now()
        rolling = self._used.rolling = {
            name: (at, count) for name, (at, count) in self._used.rolling.items() if at > now - MINUTE_MS
        }
        return min((at for at, _ in rolling.values()), default=now), sum(count for _, count in rolling.values())

    async def refund(self, reservation: str, count: int) -> None:
        """Give back `count` of a reservation that were not used."""
        reserved = self._reserved.pop(reservation, _Reserved(0, ()))
        self._give_back(reservation, reserved, max(min(count, reserved.granted), 0))

    async def adjust(self, reservation: str, used: int) -> None:
        """Count what a reservation really used, be it less or more than was reserved; once for each."""
        reserved = self._reserved.pop(reservation, _Reserved(0, ()))
        self._give_back(reservation, reserved, reserved.granted - used if reserved.granted else 0)

    def _give_back(self, reservation: str, reserved: _Reserved, unused: int) -> None:
        granted, fields = reserved
        if unused == 0:
            return
        self._used.calendar.subtract(dict.fromkeys(fields, unused))
        at, _ = self._used.rolling.pop(reservation, (0, 0))
        if at and granted > unused:
            self._used.rolling[reservation] = (at, granted - unused)

    async def usage(self) -> list[Usage]:
        """Tell how much of each window is used."""
        usages: list[Usage] = []
        if self._minute is not None:
            oldest, used = self._rolled()
            resets_at = oldest + MINUTE_MS if used else oldest
            usages.append(Usage(self._minute.name, used, self._minute.limit, resets_at))
        for window in self._calendar:
            period = self._period(window)
            used = self._used.calendar[window.name, period.start]
            usages.append(Usage(window.name, used, window.limit, period.end))
        return usages
