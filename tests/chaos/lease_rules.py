"""Rules of leases: who may work on a job, how often, and whose word counts. Pure.

Nothing is judged by how long something took: times are only held against leases, as Redis itself gave them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import NamedTuple

from tests.chaos.history import History, Hold, Life
from tests.chaos.promise import Bounds, Run, Violation


def no_job_is_held_twice(run: Run) -> Iterator[Violation]:
    """While one receipt of a job is held no other is begun, and one entry is never held by two."""
    for life in run.history.lives.values():
        for rule, holds in [("overlap", life.begun), *_by_origin(life)]:
            for earlier, later in pairwise(holds):
                if earlier.left is None or later.taken <= earlier.left:
                    yield Violation(rule, f"{later.receipt} was claimed while {earlier.receipt} was held", life)


def _by_origin(life: Life) -> list[tuple[str, list[Hold]]]:
    entries: dict[str, list[Hold]] = defaultdict(list)
    for hold in life.holds:
        entries[hold.origin].append(hold)
    return [("entry held twice", holds) for holds in entries.values()]


def only_the_holder_is_let_begin(run: Run) -> Iterator[Violation]:
    """A job is let begin only while somebody holds it, be it by the step that claims it."""
    for life in run.history.lives.values():
        for at in life.starts:
            if not any(hold.first <= at < (hold.last or at + 1) for hold in life.holds):
                yield Violation("start without a lease", f"at {at} in the log", life)


def no_lease_is_cut_short(run: Run) -> Iterator[Violation]:
    """After a job was taken from a runner, it is claimed again only when that runner's lease has ended."""
    for life in run.history.lives.values():
        for _, holds in _by_origin(life):
            for earlier, later in pairwise(holds):
                if earlier.fate == "reaped" and later.claimed_at < earlier.deadline:
                    left = earlier.deadline - later.claimed_at
                    yield Violation("lease cut short", f"{later.receipt} came {left} ms too soon", life)


def two_handlers_only_after_a_lease_ended(run: Run) -> Iterator[Violation]:
    """Two handlers work on one job at once only if the lease of one had run out: its runner was frozen or cut off."""
    for both in overlaps(run.history):
        if both.earlier.fate != "reaped":
            milliseconds = (both.end - both.begin) / 1e6
            what = f"for {milliseconds:.0f} ms, and the lease of {both.earlier.receipt} hadn't run out"
            yield Violation("two at work", what, both.life)


class Overlap(NamedTuple):
    """Two handlers at work on one job; times are nanoseconds of the steady clock."""

    life: Life
    earlier: Hold
    later: Hold
    begin: int
    end: int


def overlaps(history: History) -> Iterator[Overlap]:
    """Find where a handler was still at work on a job when the next was."""
    for life in history.lives.values():
        for earlier, later in pairwise(life.begun):
            one, other = life.tries[earlier.receipt], life.tries[later.receipt]
            if one.ended is None:
                continue  # its process ended first
            begin, end = max(one.began, other.began), min(one.ended, other.ended or one.ended)
            if begin < end:
                yield Overlap(life, earlier, later, begin, end)


def attempts_are_bounded(run: Run) -> Iterator[Violation]:
    """No job fails more often than it may, or loses its runner more often; each attempt has the number it must."""
    most = {(run.work_queue, plan.nr): plan.max_attempts for plan in run.planned}
    for life in run.history.lives.values():
        yield from _attempts_of(life, most.get((life.queue, life.nr), run.bounds.max_attempts), run.bounds)


def _attempts_of(life: Life, most: int, bounds: Bounds) -> Iterator[Violation]:
    failed, failures = 0, {failure.at for failure in life.failures}
    lost: Counter[str] = Counter()
    for hold in life.holds:
        work = life.tries.get(hold.receipt)
        if work is not None:
            if work.attempt != failed + 1:
                yield Violation("attempts", f"attempt {work.attempt} after {failed} that failed", life)
            if work.attempt > most:
                yield Violation("attempts", f"attempt {work.attempt}, and {most} are allowed", life)
            if lost[hold.origin] >= bounds.max_deliveries:
                yield Violation("attempts", f"begun after it lost its runner {lost[hold.origin]} times", life)
        # An attempt may fail before its handler has begun: out of time before its process was there.
        failed += hold.fate == "delayed" and hold.last in failures
        lost[hold.origin] += hold.fate == "reaped"
        if hold.fate == "dead":
            failed = 0  # pushed again, it begins anew


def late_settlements_are_refused(run: Run) -> Iterator[Violation]:
    """What is said of a job stands only if who says it held it until that very step."""
    for life in run.history.lives.values():
        left = {hold.last for hold in life.holds}
        for ending in (*life.endings, *life.failures):
            if ending.receipt and ending.receipt not in ending.receipts:
                yield Violation("late settlement", f"{ending.receipt} was no longer held, and its word was taken", life)
            elif ending.at not in left and ending.state != "cancelled":  # a job that is put off is cancelled by itself
                yield Violation("late settlement", f"at {ending.at} nobody held it, and it was {ending.state}", life)


def each_result_is_a_handlers(run: Run) -> Iterator[Violation]:
    """Who is said to have done a job did come to its end."""
    for life in run.history.lives.values():
        for ending in life.endings:
            work = life.tries.get(ending.receipt)
            if ending.state == "done" and (work is None or work.how != "end"):
                yield Violation("nobody's result", f"no handler came to its end under {ending.receipt!r}", life)


def no_group_runs_more_than_it_may(run: Run) -> Iterator[Violation]:
    """At no instant are more jobs of one group at work than the pool allows; those with a lease are meant."""
    allowed = run.bounds.group_inflight
    if allowed is None:
        return
    steps: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for plan in run.planned:
        for life in run.history.of_number(run.work_queue, plan.nr) if plan.group else ():
            for hold in life.begun:
                # In one step, what ends makes room for what begins.
                steps[plan.group] += [(hold.first, 1), (hold.last or hold.first, -1)]
    for group, changes in steps.items():
        most = max(accumulate(change for _, change in sorted(changes)))
        if most > allowed:
            yield Violation("group", f"{most} jobs of {group} ran at once: {allowed} are allowed")


def handlers_know_only_real_deliveries(run: Run) -> Iterator[Violation]:
    """No handler begins under a receipt that Redis doesn't know, or twice under one."""
    for line in run.history.strays:
        yield Violation("stray", line)
