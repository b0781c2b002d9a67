"""The report of a chaos run, for people."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.figures import Figures, Stops, count
from tests.chaos.promise import Run, Violation

Row = tuple[str, int | str]

_MOST_TOLD = 20
_FAULTS = {
    "kill_runner": "a runner killed by SIGKILL",
    "kill_keeper": "a keeper killed by SIGKILL",
    "freeze": "a runner frozen by SIGSTOP for half a lease to three leases",
    "terminate": "a runner told to stop by SIGTERM",
    "cut_before_reply": "up to four connections cut after a request, before its reply",
    "cut_before_jobs": "up to four connections cut before a reply that brings jobs",
    "cut_mid_request": "up to four connections cut in the middle of a request",
    "cut_mid_reply": "up to four connections cut in the middle of a reply",
    "half_open": "all connections half dead for up to two leases",
    "slow": "the network slow for a lease",
    "redis_killed": "Redis killed by SIGKILL and restarted",
    "redis_stopped": "Redis stopped by SIGTERM and restarted",
    "scripts_forgotten": "`SCRIPT FLUSH`",
    "memory_full": "Redis' memory full for up to two leases",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a run on one queue."""

    run: Run
    violations: Sequence[Violation]
    stalled: str
    """Why it was given up, if it was."""
    surprises: Sequence[str]
    """Processes that ended as none should."""
    fair: bool
    """Whether the queue had groups."""
    seed: int
    lease_seconds: float
    seconds: float
    processes: Mapping[str, int]
    ends: Mapping[str, int]
    clocks: Mapping[str, int]
    stops: Stops
    faults: Mapping[str, int]
    hurt_at_work: int
    cuts: Mapping[str, int]
    repeats: Mapping[str, int]
    cancellations: Mapping[str, int]
    folder: Path
    """Where the history is."""

    @property
    def is_clean(self) -> bool:
        return not (self.violations or self.stalled or self.surprises)

    @property
    def kills(self) -> int:
        return sum(self.faults.get(name, 0) for name in ("kill_runner", "kill_keeper"))


def write_report(outcomes: Sequence[Outcome]) -> str:
    """Write it in Markdown: a line for all parts together, then each by itself; they have one seed."""
    parts = [text for outcome in outcomes for text in _part(outcome)]
    return "\n\n".join([_head(outcomes), *parts]) + "\n"


def _head(outcomes: Sequence[Outcome]) -> str:
    jobs = sum(len(outcome.run.planned) for outcome in outcomes)
    kills = sum(outcome.kills for outcome in outcomes)
    minutes = sum(outcome.seconds for outcome in outcomes) / 60
    is_clean = all(outcome.is_clean for outcome in outcomes)
    return (
        f"{jobs:,} jobs and {kills:,} kills in {minutes:.1f} minutes, "
        f"with leases of {outcomes[0].lease_seconds:g} s; seed {outcomes[0].seed}: "
        + ("**every promise held**." if is_clean else "**PROMISES WERE BROKEN**.")
    )


def _part(outcome: Outcome) -> list[str]:
    kinds = Counter(plan.kind for plan in outcome.run.planned)
    return [
        "### A queue with groups" if outcome.fair else "### A plain queue",
        _head([outcome]),
        _table("what came out", _came_out(outcome, count(outcome.run, outcome.stops))),
        _table("what was done", [(what, outcome.faults.get(name, 0)) for name, what in _FAULTS.items()]),
        _table("what that came to", _came_to(outcome)),
        _table("jobs pushed", sorted(kinds.items())),
        _table("how jobs ended, follow-up jobs among them", sorted(_ends_of_jobs(outcome.run).items())),
        *_what_broke(outcome),
    ]


def _table(head: str, rows: Iterable[Row]) -> str:
    lines = [f"| {name} | {f'{value:,}' if isinstance(value, int) else value} |" for name, value in rows]
    return "\n".join([f"| {head} | |", "|---|---|", *lines])


def _came_out(outcome: Outcome, figures: Figures) -> list[Row]:
    return [
        ("promises broken", len(outcome.violations)),
        ("processes that ended as none should", len(outcome.surprises)),
        ("deliveries", figures.deliveries),
        ("handlers begun", figures.began),
        ("leases that ran out", figures.lost_leases),
        ("jobs begun again after that", figures.begun_again),
        ("of these, while the handler before was still there, its lease gone", figures.overlaps),
        ("the longest that such a handler was still at work, not frozen", f"{figures.longest_overlap:.1f} s"),
        ("handlers that began when their lease was gone and the next had begun", figures.late_starts),
        ("handlers that came to their end with their lease gone: refused", figures.unheard),
        ("of these, when the job had been begun again", figures.too_late),
        ("longest from the end of a lease to the next claim, a job's first loss", f"{figures.slowest_first:.1f} s"),
        (
            "the same, later losses (a pause of 5 s, then 10 s, and the line of waiting jobs belong to it)",
            f"{figures.slowest_again:.1f} s",
        ),
        ("jobs buried as poison pills that were only with one when it killed, or killed by us", figures.bystanders),
    ]


def _came_to(outcome: Outcome) -> list[Row]:
    return [
        ("killed or frozen runners that held jobs just then", outcome.hurt_at_work),
        *((f"connections cut {where}", times) for where, times in sorted(outcome.cuts.items())),
        *((f"processes started: {role}", times) for role, times in sorted(outcome.processes.items())),
        *((f"processes {how}", times) for how, times in sorted(outcome.ends.items())),
        ("runners with a wrong clock, by 7 s to 5 minutes either way", len(outcome.clocks)),
        *((f"`{what}` repeated, as no answer came", times) for what, times in sorted(outcome.repeats.items())),
        *((f"cancellations answered `{what}`", times) for what, times in sorted(outcome.cancellations.items())),
    ]


def _ends_of_jobs(run: Run) -> Counter[str]:
    endings = (ending for life in run.history.lives.values() for ending in life.endings)
    return Counter(f"dead: {end.error_kind}" if end.state == "dead" else end.state for end in endings)


def _what_broke(outcome: Outcome) -> list[str]:
    found = [text for text in (outcome.stalled, *outcome.surprises, *map(str, outcome.violations)) if text]
    if not found:
        return []
    told = [text.replace("\n", "\n    ") for text in found[:_MOST_TOLD]]
    more = [f"and {len(found) - _MOST_TOLD} more"] if len(found) > _MOST_TOLD else []
    return [f"What broke (its history is kept in {outcome.folder}):", *(f"    {text}" for text in told), *more]
