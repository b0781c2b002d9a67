"""Limits: which windows are counted together, and which day or month a moment lies in, as its start and end."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from edworkers.core.settings import PoolSpec, Window

MINUTE_MS = 60_000


class Limited(NamedTuple):
    """Windows that are counted together, all or nothing, by one limiter."""

    name: str
    """The limiter's, in Redis; of those for groups it is followed by the group's."""
    counts: Literal["jobs", "tokens"]
    per: Literal["queue", "group"]
    windows: tuple[Window, ...]

    @property
    def is_asked_first(self) -> bool:
        """Whether it can be asked before a claim, as it counts jobs, whoever's they are; the others ask about a job."""
        return (self.counts, self.per) == ("jobs", "queue")

    def of(self, group: str) -> str:
        """Name the limiter for a group's job."""
        return f"{self.name}:{group}" if self.per == "group" else self.name


def limiters(queue: str, limits: Sequence[Window]) -> list[Limited]:
    """Sort a queue's limits by what they count and for whom, those for jobs of the whole queue first."""
    suffixes = {("jobs", "queue"): "", ("tokens", "queue"): ":tokens", ("jobs", "group"): ":group"}
    suffixes["tokens", "group"] = ":group-tokens"
    found: list[Limited] = []
    for (counts, per), suffix in suffixes.items():
        windows = tuple(window for window in limits if (window.counts, window.per) == (counts, per))
        if windows:
            found.append(Limited(queue + suffix, windows[0].counts, windows[0].per, windows))
    return found


def limiters_of_queue(queue: str, limits: Sequence[Window]) -> list[Limited]:
    """Give those that count for the whole queue: of groups nobody knows how many there are."""
    return [limited for limited in limiters(queue, limits) if limited.per == "queue"]


def begins_at_claim(spec: PoolSpec) -> bool:
    """Whether a pool's jobs may begin as they are claimed: nothing has to be asked about each of them before."""
    return spec.groups is None and all(limited.is_asked_first for limited in limiters(spec.queue, spec.limits))


class Period(NamedTuple):
    """One calendar day or month; `start` is in it, `end` is not (Unix ms)."""

    start: int
    end: int


def _first_of(moment: datetime, window: Window, steps: int) -> datetime:
    """Begin the day or month that lies `steps` from the one of `moment`, in the wall time of the window's zone."""
    if window.window == "day":
        day = moment.date() + timedelta(days=steps)
        return datetime(day.year, day.month, day.day, tzinfo=window.zone)
    months = moment.year * 12 + moment.month - 1 + steps
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=window.zone)


def periods(window: Window, now: int) -> tuple[Period, Period, Period]:
    """Give the periods before, at and after `now` (Unix ms).

    Three, because Redis' clock decides which of them counts and a runner's own may be off by minutes around midnight.
    """
    moment = datetime.fromtimestamp(now / 1000, UTC).astimezone(window.zone)
    edges = [round(_first_of(moment, window, step).timestamp() * 1000) for step in (-1, 0, 1, 2)]
    return (Period(edges[0], edges[1]), Period(edges[1], edges[2]), Period(edges[2], edges[3]))


def period_at(window: Window, now: int, moment: int) -> Period | None:
    """Of the periods around `now`, the one that holds `moment`; None when the two clocks are further apart."""
    return next((period for period in periods(window, now) if period.start <= moment < period.end), None)
