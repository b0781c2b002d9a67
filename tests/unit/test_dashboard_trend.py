"""When jobs died, by cause and hour."""

from edworkers.core.lifecycle import State
from edworkers.ports.browse import JobSummary
from edworkers.server.dashboard.jobs.trend import HOURS, Trend, trends_of

HOUR = 3_600_000
NOW = 1_700_000_000_000


def died(fingerprint: str | None, *hours_ago: float) -> list[JobSummary]:
    return [JobSummary("j", State.DEAD, at=round(NOW - ago * HOUR), fingerprint=fingerprint) for ago in hours_ago]


def test_jobs_are_counted_by_cause_in_the_hour_in_which_they_died() -> None:
    jobs = [*died("a", 0, 0.5, 1.5, 11.9), *died("b", 3), *died(None, 1), *died("c", 12.5)]
    trends = trends_of(jobs, NOW, has_more=False)
    assert trends == {"a": Trend((1, *[0] * 9, 1, 2)), "b": Trend((*[0] * 8, 1, 0, 0, 0))}


def test_what_died_before_the_oldest_that_was_looked_at_is_not_known() -> None:
    trend = trends_of(died("a", 0.1, 1.5, 2.5), NOW, has_more=True)["a"]
    assert trend == Trend((*[None] * 10, 1, 1))
    assert trend.in_words == "died in each of the last 2 hours, the latest last: 1 1"
    assert trends_of(died("a", 0.1, 0.2), NOW, has_more=True)["a"].in_words == "not known"


def test_a_job_that_died_by_a_clock_that_goes_ahead_died_now() -> None:
    assert trends_of(died("a", -0.01), NOW, has_more=False)["a"].hours[-1] == 1
    assert trends_of(died("a", -100), NOW, has_more=True)["a"] == Trend((None,) * HOURS)


def test_bars_are_as_high_as_there_were_deaths_and_none_is_out_of_sight() -> None:
    bars = Trend((None, *[0] * 9, 1, 4)).bars
    assert [bar.height for bar in bars[-3:]] == [1, 5, 20]
    assert [bar.is_known for bar in bars[:2]] == [False, True]
    assert all(bar.y + bar.height == 20 for bar in bars)
    assert len(bars) == HOURS
