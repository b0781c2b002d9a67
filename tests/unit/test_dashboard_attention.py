"""What is wrong with queues is told in words, the worst first."""

from typing import Any

import pytest

from edworkers.core.settings import PoolSpec
from edworkers.ports import Depths, Usage
from edworkers.ports.books import Sample
from edworkers.server.dashboard.attention import concerns, standing
from edworkers.server.dashboard.overview import overview, per_minute
from edworkers.server.dashboard.views import Deaths, QueueView, sum_up
from edworkers.server.platform import PoolView

NOW = 1_800_000_000_000
MINUTE = 60_000


def depths(**more: Any) -> Depths:
    given = {"pending": 0, "inflight": 0, "delayed": 0, "dead": 0, "gate_ms": 0, "runners": 1} | more
    return Depths("ai", paused=given.pop("paused", False), throttled=given.pop("throttled", False), **given)


def view(counted: Depths | None = None, **more: Any) -> QueueView:
    spec = PoolSpec(queue="ai", handlers="edworkers.handlers.ai", concurrency=3, suspend=more.pop("suspend", False))
    return QueueView("ai", spec, counted or depths(), **more)


def sample(minutes_ago: float, **more: Any) -> Sample:
    at = NOW - round(minutes_ago * MINUTE)
    given = {"pending": 0, "inflight": 0, "delayed": 0, "dead": 0, "done": 0, "failed": 0, "arrived": 0, "runners": 1}
    return Sample(**{"at": at, "latency_ms": None, "slow_ms": None, "ran_ms": None, **given, **more})


def words(seen: QueueView) -> list[str]:
    return [concern.words.replace("\N{NARROW NO-BREAK SPACE}", " ") for concern in concerns([seen], NOW)]


def test_of_queues_that_work_nothing_is_told() -> None:
    assert words(view(depths(pending=3, oldest_seconds=2))) == []


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (
            view(deaths=Deaths(12, is_more=False, message="connection refused", same=9)),
            "12 jobs died in the last hour, most often “connection refused” (9)",
        ),
        (view(deaths=Deaths(100, is_more=True)), "more than 100 jobs died in the last hour"),
        (view(depths(pending=1, runners=0)), "1 job waits, and no runner is up"),
        (view(depths(pending=2, paused=True)), "is paused; 2 jobs wait"),
        (view(depths(pending=5, oldest_seconds=700)), "the oldest of 5 jobs has waited 12 min"),
        (view(depths(gate_ms=12_000)), "its service asked to wait: no job is taken for another 12 s"),
        (
            view(usage=[Usage("day", 1333, 1333, NOW + 3 * 3_600_000)]),
            "the limit “day” is used up (1 333 of 1 333), resets in 3 h",
        ),
        (view(usage=[Usage("day", 95, 100, 0)]), "the limit “day” is used to 95 % (95 of 100)"),
        (
            view(samples=[sample(1, done=4, failed=6)]),
            "60 % of 10 attempts failed in the last 5 minutes",
        ),
        (
            view(pools=[PoolView("ai", "ai", 0, 1, 0, 9, 3, None, {"Ready": "no image"})]),
            "pool ai: Ready: no image",
        ),
    ],
)
def test_each_thing_that_is_wrong_is_told_in_words(seen: QueueView, told: str) -> None:
    assert words(seen) == [told]


def test_a_queue_that_cannot_be_read_says_why() -> None:
    away = QueueView("ai", view().spec, fault="Redis is away")
    assert words(away) == ["can't be read: Redis is away"]
    assert standing(away, NOW)[0].words == "can't be read"


def test_what_is_broken_comes_before_what_may_break() -> None:
    slow = view(depths(pending=5, oldest_seconds=700))
    dead = view(deaths=Deaths(1, is_more=False))
    assert [concern.kind for concern in concerns([slow, dead], NOW)] == ["bad", "warn"]


def test_of_what_is_as_bad_that_comes_first_which_touches_most_jobs() -> None:
    few = view(deaths=Deaths(8, is_more=False))
    many = QueueView("webhook", few.spec, depths(), deaths=Deaths(77, is_more=False))
    away = QueueView("email", few.spec, fault="Redis is away")
    assert [concern.queue for concern in concerns([few, many, away], NOW)] == ["email", "webhook", "ai"]


STARTING = (PoolView("ai", "ai", 0, 1, 0, 9, 3, 1, {}),)


def test_a_pool_that_comes_from_zero_is_no_fault_unless_it_takes_long() -> None:
    soon = view(depths(pending=2, runners=0, oldest_seconds=5), pools=STARTING)
    assert words(soon) == []
    assert standing(soon, NOW)[0].words == "its pods are starting"
    late = view(depths(pending=2, runners=0, oldest_seconds=90), pools=STARTING)
    assert words(late) == ["2 jobs wait, and no runner is up"]


def test_a_suspended_queue_without_runners_is_no_fault() -> None:
    assert words(view(depths(pending=9, runners=0), suspend=True)) == []


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (view(), ["open, 1 runner"]),
        (view(depths(runners=0)), ["idle, no runner"]),
        (view(depths(runners=0, pending=1)), ["no runner"]),
        (view(depths(paused=True, shut=2)), ["paused", "2 groups wait for a limit or a service"]),
        (view(depths(gate_ms=60_000), suspend=True), ["suspended", "closed for 60 s: its service asked to wait"]),
        (
            view(depths(throttled=True), usage=[Usage("day", 9, 9, NOW + 3 * 3_600_000)]),
            ["closed by a limit: day is used up, resets in 3 h"],
        ),
        (view(depths(throttled=True)), ["closed by a limit"]),
    ],
)
def test_how_a_queue_stands_is_told_in_words(seen: QueueView, told: list[str]) -> None:
    assert [each.words.replace("\N{NARROW NO-BREAK SPACE}", " ") for each in standing(seen, NOW)] == told


def test_recent_figures_are_rates_of_the_time_that_samples_cover() -> None:
    recent = sum_up([sample(1, done=10, latency_ms=100), sample(0.5, done=20, failed=10, latency_ms=300)])
    assert (recent.done_a_minute, recent.failed_a_minute) == (30, 10)
    assert (recent.failing, recent.latency_ms, recent.slow_ms) == (0.25, 200, None)
    assert sum_up([]).done_a_minute is None


def test_a_rate_is_taken_over_a_minute_and_counts_only_what_was_measured() -> None:
    samples = [sample(1 - at / 6, done=10) for at in range(6)]
    assert [value for _, value in per_minute(samples, "done")] == [60] * 6
    hourly = [sample(60 - 10 * at, done=50) for at in range(3)]
    assert [value for _, value in per_minute(hourly, "done")] == [5] * 3


def test_slots_are_those_of_the_runners_that_are_up_within_the_pool_s_bound() -> None:
    assert view(depths(runners=2)).slots == 6
    assert view(depths(runners=0)).slots is None
    bound = PoolSpec(queue="ai", handlers="edworkers.handlers.ai", concurrency=3, max_inflight=4)
    assert QueueView("ai", bound, depths(runners=2)).slots == 4


def test_totals_are_of_all_queues_that_can_be_read() -> None:
    away = QueueView("webhook", view().spec, fault="away")
    shown = overview([view(depths(pending=3, dead=1), samples=[sample(1, done=3, failed=1)]), away], NOW)
    assert shown["totals"]["pending"] == 3
    assert shown["totals"]["failing"] == 0.25
    assert overview([], NOW)["totals"]["done_a_minute"] is None
