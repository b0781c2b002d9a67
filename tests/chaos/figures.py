"""What is counted in a history, for the report. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos.history import Hold, Life
from tests.chaos.lease_rules import Overlap, overlaps
from tests.chaos.promise import Run

Stops = Mapping[str, Sequence[tuple[int, int]]]
"""Of each frozen process, from when to when it stood still, in nanoseconds of the steady clock."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds are of Redis' clock, but those of overlaps, which are of the steady one."""

    deliveries: int
    began: int
    lost_leases: int
    begun_again: int
    """Jobs that a handler began anew after a lease had run out."""
    overlaps: int
    """Of these, those at which the handler before was still at work then."""
    longest_overlap: float
    """Seconds in which its process didn't stand still."""
    late_starts: int
    """Handlers that began under a receipt when the job had been begun under the next."""
    unheard: int
    """Handlers that came to their end, and whose word wasn't taken as the lease had run out."""
    too_late: int
    """Of these, those that came to it when the job had been begun anew."""
    slowest_first: float
    """From the end of a lease to the next claim, the first time a job lost its runner."""
    slowest_again: float
    """The same, where it had lost one before."""
    bystanders: int
    """Jobs that were buried as poison pills although it was others that killed their runners."""


def count(run: Run, stops: Stops) -> Figures:
    """Count all."""
    lives = list(run.history.lives.values())
    pills = {plan.nr for plan in run.planned if plan.ends == "poison"}
    together = list(overlaps(run.history))
    again = [(life, one, other) for life in lives for one, other in pairwise(life.begun) if one.fate == "reaped"]
    losses = [loss for life in lives for loss in _losses(life)]
    unheard = [(life, hold) for life in lives for hold in life.begun if _is_unheard(life, hold)]
    return Figures(
        deliveries=sum(len(life.holds) for life in lives),
        began=sum(len(life.tries) for life in lives),
        lost_leases=sum(hold.fate == "reaped" for life in lives for hold in life.holds),
        begun_again=len(again),
        overlaps=len(together),
        longest_overlap=max((_at_work(both, stops) for both in together), default=0) / 1e9,
        late_starts=sum(life.tries[one.receipt].began > life.tries[other.receipt].began for life, one, other in again),
        unheard=len(unheard),
        too_late=sum(_came_too_late(life, one, other) for life, one, other in again),
        slowest_first=max((seconds for times, seconds in losses if times == 1), default=0),
        slowest_again=max((seconds for times, seconds in losses if times > 1), default=0),
        bystanders=sum(_is_pill(life) for life in lives if life.nr not in pills),
    )


def _losses(life: Life) -> Iterator[tuple[int, float]]:
    """Give for each loss of a runner the how-manieth it was, and how long it was to the next claim."""
    entries: dict[str, list[Hold]] = defaultdict(list)
    for hold in life.holds:
        entries[hold.origin].append(hold)
    for holds in entries.values():
        lost = 0
        for earlier, later in pairwise(holds):
            if earlier.fate == "reaped":
                lost += 1
                yield lost, (later.claimed_at - earlier.deadline) / 1000


def _is_unheard(life: Life, hold: Hold) -> bool:
    return hold.fate == "reaped" and life.tries[hold.receipt].how in {"end", "failed"}


def _came_too_late(life: Life, one: Hold, other: Hold) -> bool:
    return _is_unheard(life, one) and (life.tries[one.receipt].ended or 0) > life.tries[other.receipt].began


def _is_pill(life: Life) -> bool:
    return any(ending.state == "dead" and ending.error_kind == "poison" for ending in life.endings)


def _at_work(both: Overlap, stops: Stops) -> int:
    """Of an overlap, take off the time in which the earlier one's process stood still."""
    if both.life.job_id.startswith("isolated"):
        return both.end - both.begin  # it has a process of its own, which isn't frozen with its runner
    runner = both.earlier.receipt.partition(".")[0]
    still = sum(max(min(both.end, end) - max(both.begin, begin), 0) for begin, end in stops.get(runner, ()))
    return both.end - both.begin - still
