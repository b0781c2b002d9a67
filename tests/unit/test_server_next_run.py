"""When a schedule runs next: what a CronJob's controller would do, the days on which clocks change included."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.server.next_run import in_words, next_run

NEW_YORK = "America/New_York"


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def after(cron: str, zone: str, start: str) -> str:
    found = next_run(cron, zone, ms(start))
    assert found is not None
    return datetime.fromtimestamp(found / 1000, ZoneInfo(zone)).isoformat()


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("17 * * * *", "2026-01-05T12:17:00+00:00"),
        ("*/15 * * * *", "2026-01-05T12:15:00+00:00"),
        ("5/20 * * * *", "2026-01-05T12:05:00+00:00"),
        ("30 2 * * *", "2026-01-06T02:30:00+00:00"),
        ("0 6 * * mon", "2026-01-12T06:00:00+00:00"),
        ("0 6 ? JAN-MAR Mon-Fri", "2026-01-06T06:00:00+00:00"),
        ("0 0 29 2 *", "2028-02-29T00:00:00+00:00"),
        ("@daily", "2026-01-06T00:00:00+00:00"),
    ],
)
def test_the_next_time_that_fits_is_found(cron: str, expected: str) -> None:
    assert after(cron, "Etc/UTC", "2026-01-05T12:00:00+00:00") == expected


def test_a_time_that_fits_now_is_not_next() -> None:
    assert after("0 12 * * *", "Etc/UTC", "2026-01-05T12:00:00+00:00") == "2026-01-06T12:00:00+00:00"


def test_a_time_that_the_clocks_leave_out_does_not_happen_that_day() -> None:
    assert after("30 2 * * *", NEW_YORK, "2026-03-08T00:00:00-05:00") == "2026-03-09T02:30:00-04:00"


def test_a_time_that_comes_twice_happens_twice() -> None:
    first = after("30 1 * * *", NEW_YORK, "2026-11-01T00:00:00-04:00")
    assert first == "2026-11-01T01:30:00-04:00"
    assert after("30 1 * * *", NEW_YORK, first) == "2026-11-01T01:30:00-05:00"


def test_every_hour_goes_on_evenly_over_a_change() -> None:
    assert after("0 * * * *", NEW_YORK, "2026-03-08T01:00:00-05:00") == "2026-03-08T03:00:00-04:00"
    assert after("0 * * * *", NEW_YORK, "2026-11-01T01:00:00-04:00") == "2026-11-01T01:00:00-05:00"


def test_a_day_and_a_weekday_that_both_are_limited_mean_either() -> None:
    assert after("0 0 13 * fri", "Etc/UTC", "2026-01-05T12:00:00+00:00") == "2026-01-09T00:00:00+00:00"
    assert after("0 0 */10 * fri", "Etc/UTC", "2026-01-05T12:00:00+00:00") == "2026-01-09T00:00:00+00:00"


def test_a_day_that_no_month_has_never_comes() -> None:
    assert next_run("0 0 30 2 *", "Etc/UTC", ms("2026-01-05T12:00:00+00:00")) is None


@pytest.mark.parametrize(
    ("cron", "fault"),
    [
        ("* * * *", "five fields"),
        ("0 0 0 * * *", "five fields"),
        ("60 * * * *", "'60' is not from 0 to 59"),
        ("0 24 * * *", "hour"),
        ("0 0 L * *", "day: 'L'"),
        ("0 0 * * 7", "weekday"),
        ("0 0 * * mon#2", "weekday"),
        ("0 5-2 * * *", "ends before it begins"),
        ("0 *-2 * * *", "begins a range with a star"),
        ("*/0 * * * *", "minute"),
        ("@every 5m", "five fields"),
        ("0 ٣ * * *", "hour"),
    ],
)
def test_what_a_cron_job_refuses_is_refused_with_the_reason(cron: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        next_run(cron, "Etc/UTC", 0)
    with pytest.raises(ValueError, match=fault):
        in_words(cron)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "America"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone"):
        next_run("* * * * *", zone, 0)


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("30 2 * * *", "At 02:30 every day"),
        ("0 6 ? * mon", "At 06:00 on Monday"),
        ("@hourly", "At the start of every hour"),
        ("0 0 30 2 *", "0 0 30 2 *"),
    ],
)
def test_a_cron_is_told_in_words(cron: str, words: str) -> None:
    assert in_words(cron) == words


@given(
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    zone=st.sampled_from([NEW_YORK, "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "Etc/UTC"]),
    start=st.integers(1_700_000_000_000, 1_900_000_000_000),
)
def test_whatever_is_next_fits_the_clock_on_the_wall_and_lies_ahead(
    minute: int, hour: int, zone: str, start: int
) -> None:
    found = next_run(f"{minute} {hour} * * *", zone, start)
    assert found is not None
    assert found > start
    on_the_wall = datetime.fromtimestamp(found / 1000, ZoneInfo(zone))
    assert (on_the_wall.hour, on_the_wall.minute, on_the_wall.second) == (hour, minute, 0)
    assert found - start <= 50 * 3600 * 1000
