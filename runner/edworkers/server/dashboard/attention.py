"""What is wrong, in words: from how queues stand to a list of what to look at, the worst first. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from edworkers.ports import Depths, Usage
from edworkers.server.dashboard import wording
from edworkers.server.dashboard.views import QueueView

OLD_SECONDS = 300.0
"""A job that has waited longer is told of."""
STARTING_SECONDS = 60.0
"""So long pods of a pool that was at zero may take to come."""
MANY_FAILING = 0.2
LEAST_ENDED = 5
"""Of fewer attempts a failure rate says nothing."""
NEARLY = 0.9
"""A limit that is used so far is told of."""
_ALL = 1 << 62
"""Of a queue that can't be read nobody knows how many jobs it has: it comes first."""


class Concern(NamedTuple):
    """Something to look at."""

    queue: str
    kind: str
    """`bad` or `warn`."""
    words: str
    href: str
    link: str
    """What the link says."""
    jobs: int = 0
    """How many jobs it keeps from being done, as far as that is known."""


class Standing(NamedTuple):
    """One thing about how a queue is open or shut."""

    kind: str
    words: str


def concerns(views: Sequence[QueueView], now: int) -> list[Concern]:
    """List what is wrong with these queues: the worst first, then what touches most jobs; `now` is in Unix ms."""
    found = [concern for view in views for concern in _of_queue(view, now)]
    return sorted(found, key=lambda concern: (concern.kind != "bad", -concern.jobs))


def standing(view: QueueView, now: int) -> list[Standing]:
    """Say in words whether a queue's jobs are being taken, and if not, what is in the way."""
    depths = view.depths
    if depths is None:
        return [Standing("bad", "can't be read")]
    found: list[Standing] = []
    if view.spec.suspend:
        found.append(Standing("warn", "suspended"))
    if depths.paused:
        found.append(Standing("warn", "paused"))
    if depths.gate_ms > 0:
        found.append(Standing("warn", f"closed for {wording.length_ms(depths.gate_ms)}: its service asked to wait"))
    if depths.throttled:
        found.append(Standing("warn", f"closed by a limit{_which(view.usage, now)}"))
    if depths.shut:
        found.append(Standing("warn", f"{_groups(depths.shut)} for a limit or a service"))
    return found or [_open(view, depths)]


def _open(view: QueueView, depths: Depths) -> Standing:
    if depths.runners:
        return Standing("good", f"open, {wording.plural(depths.runners, 'runner')}")
    if depths.pending and _is_starting(view, depths):
        return Standing("info", "its pods are starting")
    if depths.pending:
        return Standing("bad", "no runner")
    return Standing("plain", "idle, no runner")


def _is_starting(view: QueueView, depths: Depths) -> bool:
    """Whether pods are on their way, as they are each time that a job comes to a pool at zero."""
    is_wanted = any(pool.wanted and not pool.conditions for pool in view.pools)
    return is_wanted and (depths.oldest_seconds or 0) < STARTING_SECONDS


def _which(usage: Sequence[Usage], now: int) -> str:
    full = [use for use in usage if use.used >= use.limit and use.resets_at > now]
    if not full:
        return ""
    last = max(full, key=lambda use: use.resets_at)
    return f": {last.window} is used up, resets {wording.distance(last.resets_at - now)}"


def _groups(number: int) -> str:
    return "1 group waits" if number == 1 else f"{wording.count(number)} groups wait"


def _of_queue(view: QueueView, now: int) -> list[Concern]:
    depths, page = view.depths, f"/queues/{view.name}"
    if depths is None:
        return [Concern(view.name, "bad", f"can't be read: {view.fault}", page, "Open", _ALL)]
    return [
        *_deaths(view),
        *_failing(view, now),
        *_waiting(view, depths, page),
        *_limits(view, depths.pending, now, page),
        *_pods(view, depths.pending),
    ]


def _deaths(view: QueueView) -> list[Concern]:
    deaths = view.deaths
    if not deaths.jobs:
        return []
    more = "more than " if deaths.is_more else ""
    words = f"{more}{wording.plural(deaths.jobs, 'job')} died in the last hour"
    if deaths.message:
        words += f", most often “{_short(deaths.message)}” ({wording.count(deaths.same)})"
    return [Concern(view.name, "bad", words, f"/failures?queue={view.name}", "See failures", deaths.jobs)]


def _failing(view: QueueView, now: int) -> list[Concern]:
    recent = view.recent(now)
    if recent.failing is None or recent.failing < MANY_FAILING or recent.ended < LEAST_ENDED:
        return []
    words = f"{wording.percent(recent.failing)} of {wording.count(recent.ended)} attempts failed in the last 5 minutes"
    return [
        Concern(
            view.name,
            "warn",
            words,
            f"/queues/{view.name}?state=delayed",
            "See retries",
            round(recent.failing * recent.ended),
        )
    ]


def _waiting(view: QueueView, depths: Depths, page: str) -> list[Concern]:
    jobs, verb = wording.plural(depths.pending, "job"), "waits" if depths.pending == 1 else "wait"
    found: list[Concern] = []
    waiting = depths.pending
    if depths.paused:
        found.append(Concern(view.name, "warn", f"is paused; {jobs} {verb}", page, "Open", waiting))
    elif depths.pending and not depths.runners and not view.spec.suspend and not _is_starting(view, depths):
        found.append(Concern(view.name, "bad", f"{jobs} {verb}, and no runner is up", page, "Open", waiting))
    elif depths.pending and (depths.oldest_seconds or 0) > OLD_SECONDS:
        words = f"the oldest of {jobs} has waited {wording.length(depths.oldest_seconds)}"
        found.append(Concern(view.name, "warn", words, f"{page}?state=pending", "See them", waiting))
    if depths.gate_ms > 0:
        words = f"its service asked to wait: no job is taken for another {wording.length_ms(depths.gate_ms)}"
        found.append(Concern(view.name, "warn", words, page, "Open", waiting))
    return found


def _limits(view: QueueView, waiting: int, now: int, page: str) -> list[Concern]:
    found: list[Concern] = []
    for use in view.usage:
        share = use.used / use.limit if use.limit else 0
        if share >= NEARLY:
            told = "is used up" if share >= 1 else f"is used to {wording.percent(share)}"
            when = f", resets {wording.distance(use.resets_at - now)}" if use.resets_at > now else ""
            figures = f"{wording.count(use.used)} of {wording.count(use.limit)}"
            words = f"the limit “{use.window}” {told} ({figures}){when}"
            found.append(Concern(view.name, "bad" if share >= 1 else "warn", words, page, "Open", waiting))
    return found


def _pods(view: QueueView, waiting: int) -> list[Concern]:
    return [
        Concern(view.name, "bad", f"pool {pool.name}: {kind}: {message}", f"/queues/{view.name}", "Open", waiting)
        for pool in view.pools
        for kind, message in pool.conditions.items()
    ]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 90 else f"{line[:89]}…"
