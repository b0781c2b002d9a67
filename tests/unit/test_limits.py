"""Calendar windows: days of 23 and 25 hours, months of any length, in any zone."""

from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.core.limits import Period, begins_at_claim, limiters_of_queue, period_at, periods
from edworkers.core.settings import Groups, PoolSpec, Window

HOUR = 3_600_000
DAY = 24 * HOUR
CALIFORNIA = "America/Los_Angeles"

# Where midnight is skipped (São Paulo, Beirut) or comes twice (Havana, St John's), where the clock moves by half an
# hour (Lord Howe), where the offset is odd (Kathmandu), and where nothing happens at all.
ZONES = [
    CALIFORNIA,
    "America/Sao_Paulo",
    "America/Havana",
    "America/St_Johns",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Etc/UTC",
]
CHANGES = [  # when clocks are changed there
    "2026-03-08T10:00",
    "2026-11-01T09:00",
    "2018-02-18T02:00",
    "2018-11-04T03:00",
    "2026-03-08T05:00",
    "2026-11-01T05:00",
    "2010-11-07T02:31",
    "2026-03-28T22:00",
    "2026-10-24T21:00",
    "2026-04-04T15:00",
]


def window(kind: Literal["day", "month"], zone: str = CALIFORNIA) -> Window:
    return Window(name="w", limit=1, window=kind, time_zone=zone)


def ms(text: str, zone: str = CALIFORNIA) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def utc(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


WINDOWS = st.sampled_from([window(kind, zone) for kind in ("day", "month") for zone in ZONES])
MOMENTS = st.one_of(
    st.integers(0, 4_102_444_800_000),  # 1970 to 2100
    st.builds(lambda change, off: utc(change) + off, st.sampled_from(CHANGES), st.integers(-2 * DAY, 2 * DAY)),
    st.builds(lambda change, off: utc(change) + off, st.sampled_from(CHANGES), st.integers(-2, 2)),
)


@pytest.mark.parametrize(
    ("kind", "now", "start", "end", "hours"),
    [
        ("day", "2026-01-15T12:00", "2026-01-15T08:00", "2026-01-16T08:00", 24),
        ("day", "2026-07-15T12:00", "2026-07-15T07:00", "2026-07-16T07:00", 24),
        ("day", "2026-03-07T12:00", "2026-03-07T08:00", "2026-03-08T08:00", 24),
        ("day", "2026-03-08T12:00", "2026-03-08T08:00", "2026-03-09T07:00", 23),
        ("day", "2026-03-09T12:00", "2026-03-09T07:00", "2026-03-10T07:00", 24),
        ("day", "2026-11-01T12:00", "2026-11-01T07:00", "2026-11-02T08:00", 25),
        ("day", "2024-02-29T12:00", "2024-02-29T08:00", "2024-03-01T08:00", 24),
        ("day", "2026-12-31T23:59", "2026-12-31T08:00", "2027-01-01T08:00", 24),
        ("month", "2026-01-15T12:00", "2026-01-01T08:00", "2026-02-01T08:00", 31 * 24),
        ("month", "2026-02-28T23:59", "2026-02-01T08:00", "2026-03-01T08:00", 28 * 24),
        ("month", "2024-02-29T12:00", "2024-02-01T08:00", "2024-03-01T08:00", 29 * 24),
        ("month", "2026-03-31T12:00", "2026-03-01T08:00", "2026-04-01T07:00", 31 * 24 - 1),
        ("month", "2026-11-30T12:00", "2026-11-01T07:00", "2026-12-01T08:00", 30 * 24 + 1),
        ("month", "2026-12-31T23:59", "2026-12-01T08:00", "2027-01-01T08:00", 31 * 24),
    ],
)
def test_the_day_or_month_in_california(
    kind: Literal["day", "month"], now: str, start: str, end: str, hours: int
) -> None:
    _, current, _ = periods(window(kind), ms(now))
    assert current == Period(utc(start), utc(end))
    assert current.end - current.start == hours * HOUR


@pytest.mark.parametrize(
    ("kind", "now", "edges"),
    [
        ("day", "2026-12-31T12:00", ("2026-12-30", "2026-12-31", "2027-01-01", "2027-01-02")),
        ("day", "2027-01-01T12:00", ("2026-12-31", "2027-01-01", "2027-01-02", "2027-01-03")),
        ("day", "2026-03-08T12:00", ("2026-03-07", "2026-03-08", "2026-03-09", "2026-03-10")),
        ("month", "2026-01-31T12:00", ("2025-12-01", "2026-01-01", "2026-02-01", "2026-03-01")),
        ("month", "2026-12-31T12:00", ("2026-11-01", "2026-12-01", "2027-01-01", "2027-02-01")),
    ],
)
def test_the_ones_before_and_after_lie_beside_it_across_years(
    kind: Literal["day", "month"], now: str, edges: tuple[str, str, str, str]
) -> None:
    first, second, third, fourth = (ms(edge) for edge in edges)
    assert periods(window(kind), ms(now)) == (Period(first, second), Period(second, third), Period(third, fourth))


def test_the_first_instant_belongs_to_the_new_day_and_the_one_before_to_the_old() -> None:
    midnight = ms("2026-03-09T00:00")
    assert periods(window("day"), midnight)[1] == Period(midnight, midnight + DAY)
    assert periods(window("day"), midnight - 1)[1] == Period(midnight - 23 * HOUR, midnight)


def test_the_hour_that_comes_twice_belongs_to_one_day() -> None:
    first = utc("2026-11-01T08:30")  # 01:30 by summer time
    assert periods(window("day"), first)[1] == periods(window("day"), first + HOUR)[1]


def test_a_day_begins_when_it_begins_in_its_own_zone() -> None:
    now = utc("2026-06-01T03:00")
    assert periods(window("day", "Etc/UTC"), now)[1].start == utc("2026-06-01T00:00")
    assert periods(window("day"), now)[1].start == utc("2026-05-31T07:00")
    assert periods(window("month"), now)[1].start == utc("2026-05-01T07:00")
    assert periods(window("day", "Asia/Kathmandu"), now)[1].start == utc("2026-05-31T18:15")


def test_a_day_that_was_skipped_has_no_length() -> None:
    apia = window("day", "Pacific/Apia")
    skipped, after, _ = periods(apia, utc("2011-12-30T12:00"))
    assert skipped.start == skipped.end == after.start == utc("2011-12-30T10:00")


@given(WINDOWS, MOMENTS)
def test_periods_join_without_gap_or_overlap(of: Window, now: int) -> None:
    before, current, after = periods(of, now)
    assert before.start <= before.end == current.start < current.end == after.start <= after.end


@given(WINDOWS, MOMENTS)
def test_every_moment_lies_in_exactly_one_of_its_periods(of: Window, now: int) -> None:
    holding = [period for period in periods(of, now) if period.start <= now < period.end]
    assert holding == [period_at(of, now, now)]


@given(WINDOWS, MOMENTS, st.integers(-20 * HOUR, 20 * HOUR))
def test_runners_whose_clocks_differ_by_hours_agree_on_the_period(of: Window, moment: int, off: int) -> None:
    assert period_at(of, max(moment + off, 0), moment) == period_at(of, moment, moment)


@given(WINDOWS, MOMENTS, MOMENTS)
def test_two_moments_share_their_period_or_their_periods_are_apart(of: Window, one: int, other: int) -> None:
    first, second = sorted(period for now in (one, other) if (period := period_at(of, now, now)) is not None)
    assert first == second or first.end <= second.start


@pytest.mark.parametrize(("days", "known"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_clocks_that_are_days_apart_find_no_period(days: int, *, known: bool) -> None:
    now = ms("2026-06-15T12:00")
    moment = now + days * DAY
    assert period_at(window("day"), now, moment) == (Period(moment - 12 * HOUR, moment + 12 * HOUR) if known else None)


@pytest.mark.parametrize(
    ("moment", "known"),
    [("2026-04-30T23:59", False), ("2026-05-01", True), ("2026-07-31T23:59", True), ("2026-08-01", False)],
)
def test_clocks_that_are_months_apart_find_no_period(moment: str, *, known: bool) -> None:
    assert (period_at(window("month"), ms("2026-06-15T12:00"), ms(moment)) is not None) == known


def test_only_limits_of_the_whole_queue_are_told_of_it() -> None:
    day = Window(name="day", limit=5, window="day")
    each = Window(name="each", limit=2, window="day", per="group")
    told = limiters_of_queue("ai", [day, each])
    assert [limited.windows for limited in told] == [(day,)]


DAILY = Window(name="day", limit=5, window="day")


@pytest.mark.parametrize(
    ("limits", "groups", "begins"),
    [
        ((), None, True),
        ((DAILY,), None, True),
        ((DAILY, Window(name="cost", limit=9, window="day", counts="tokens")), None, False),
        ((Window(name="each", limit=2, window="day", per="group"),), Groups(), False),
        ((), Groups(), False),
    ],
)
def test_jobs_begin_at_their_claim_where_nothing_is_asked_about_each(
    limits: tuple[Window, ...], groups: Groups | None, *, begins: bool
) -> None:
    assert begins_at_claim(PoolSpec(queue="email", handlers="handlers", limits=limits, groups=groups)) == begins
