"""The waits between attempts: the table is the schedule."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.core.retry import backoff_seconds
from edworkers.core.settings import Backoff

SECONDS = st.floats(0, 86400)
FACTORS = st.floats(1, 10)
FRACTIONS = st.floats(0, 1)
FAILURES = st.integers(1, 10_000)


def waits(count: int, backoff: Backoff, roll: float = 0.5) -> list[float]:
    return [
        backoff_seconds(
            failures,
            initial=backoff.initial_seconds,
            factor=backoff.factor,
            maximum=backoff.max_seconds,
            jitter=backoff.jitter,
            roll=roll,
        )
        for failures in range(1, count + 1)
    ]


@pytest.mark.parametrize(
    ("backoff", "schedule"),
    [
        (Backoff(), [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]),
        (Backoff(factor=4), [2, 8, 32, 128, 512, 600]),
        (Backoff(initial_seconds=0.5, factor=1), [0.5, 0.5, 0.5]),
        (Backoff(initial_seconds=1, factor=1.5, max_seconds=4), [1, 1.5, 2.25, 3.375, 4, 4]),
        (Backoff(initial_seconds=0, factor=10), [0, 0, 0]),
        (Backoff(initial_seconds=60, max_seconds=10), [10, 10]),
        (Backoff(max_seconds=0), [0, 0]),
    ],
)
def test_the_schedule(backoff: Backoff, schedule: list[float]) -> None:
    assert waits(len(schedule), backoff) == schedule


@pytest.mark.parametrize(
    ("roll", "schedule"),
    [(0.0, [1.6, 3.2, 6.4]), (0.25, [1.8, 3.6, 7.2]), (0.75, [2.2, 4.4, 8.8]), (1.0, [2.4, 4.8, 9.6])],
)
def test_jitter_spreads_each_wait_evenly_over_a_fifth_less_and_a_fifth_more(roll: float, schedule: list[float]) -> None:
    assert waits(3, Backoff(), roll) == pytest.approx(schedule)


@given(FAILURES, SECONDS, FACTORS, SECONDS, FRACTIONS, FRACTIONS)
def test_a_wait_is_never_negative_nor_beyond_the_maximum_and_its_jitter(
    failures: int, initial: float, factor: float, maximum: float, jitter: float, roll: float
) -> None:
    wait = backoff_seconds(failures, initial=initial, factor=factor, maximum=maximum, jitter=jitter, roll=roll)
    assert 0 <= wait <= maximum * (1 + jitter)


@given(FAILURES, SECONDS, FACTORS, SECONDS)
def test_without_jitter_no_wait_is_shorter_than_the_one_before(
    failures: int, initial: float, factor: float, maximum: float
) -> None:
    first, second = (
        backoff_seconds(number, initial=initial, factor=factor, maximum=maximum, jitter=0, roll=1)
        for number in (failures, failures + 1)
    )
    assert first <= second


@given(FAILURES, FRACTIONS, FRACTIONS, FRACTIONS)
def test_a_higher_roll_never_means_a_shorter_wait(failures: int, jitter: float, one: float, other: float) -> None:
    low, high = (
        backoff_seconds(failures, initial=2, factor=2, maximum=600, jitter=jitter, roll=roll)
        for roll in sorted((one, other))
    )
    assert low <= high


@pytest.mark.parametrize("factor", [10, 10.0, 1.5])
@pytest.mark.parametrize("failures", [400, 1001, 10**9])
def test_so_many_failures_that_no_number_holds_the_wait_come_to_the_maximum(factor: float, failures: int) -> None:
    wait = backoff_seconds(failures, initial=2, factor=factor, maximum=600, jitter=0, roll=0.5)
    assert wait == 600
    assert math.isfinite(wait)


@pytest.mark.parametrize("factor", [10, 10.0])
def test_no_initial_wait_stays_none_however_often_it_is_multiplied(factor: float) -> None:
    assert backoff_seconds(10**9, initial=0, factor=factor, maximum=600, jitter=0.5, roll=1) == 0
