"""When jobs died, by cause and hour, as far as a queue's latest dead jobs tell; pure but for the reading of these."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from edworkers.core.lifecycle import State
from edworkers.ports.browse import JobSummary
from edworkers.server.platform import ServedQueue

HOURS = 12
LATEST = 200
"""Of how many dead jobs of a queue the hours are counted."""
_HOUR_MS = 3_600_000
_BAR, _STEP, _HEIGHT = 5, 6, 20


class Bar(NamedTuple):
    """One hour as it is drawn, in pixels."""

    x: int
    y: int
    height: int
    is_known: bool


class Trend(NamedTuple):
    """How many jobs died of a cause in each hour, the oldest first; None for hours that aren't known."""

    hours: tuple[int | None, ...]

    @property
    def in_words(self) -> str:
        """Say it for those who don't see the bars."""
        known = [str(number) for number in self.hours if number is not None]
        span = "hour" if len(known) == 1 else f"{len(known)} hours"
        return f"died in each of the last {span}, the latest last: {' '.join(known)}" if known else "not known"

    @property
    def bars(self) -> list[Bar]:
        """Draw it: an hour without a death, and one that isn't known, as a line on the ground."""
        most = max((number for number in self.hours if number), default=1)
        heights = [max(round((number or 0) / most * _HEIGHT), 1) for number in self.hours]
        return [
            Bar(place * _STEP, _HEIGHT - height, height, self.hours[place] is not None)
            for place, height in enumerate(heights)
        ]

    @property
    def width(self) -> int:
        """How wide it is drawn, in pixels."""
        return HOURS * _STEP - (_STEP - _BAR)


async def read_trends(served: ServedQueue, now: int) -> Mapping[str, Trend]:
    """Count when a queue's latest dead jobs died, by fingerprint. Raises QueueUnavailableError."""
    page = await served.browser.page(State.DEAD, None, LATEST)
    return trends_of(page.jobs, now, has_more=page.next is not None)


def trends_of(jobs: Sequence[JobSummary], now: int, *, has_more: bool) -> Mapping[str, Trend]:
    """Count these jobs, the latest first, by fingerprint and hour until now (Unix ms).

    With `has_more` there are older ones: what died in the hour of the oldest and before isn't known.
    """
    known = HOURS
    if has_more and jobs and jobs[-1].at is not None:
        known = min(max(now - jobs[-1].at, 0) // _HOUR_MS, HOURS)
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * HOURS)
    for job in jobs:
        ago = None if job.at is None else max(now - job.at, 0) // _HOUR_MS
        if job.fingerprint and ago is not None and ago < HOURS:
            counts[job.fingerprint][HOURS - 1 - ago] += 1
    unknown = HOURS - known
    return {
        fingerprint: Trend((*(None for _ in range(unknown)), *hours[unknown:])) for fingerprint, hours in counts.items()
    }
