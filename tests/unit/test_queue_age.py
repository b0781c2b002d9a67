"""The age of the oldest waiting job: as it says, or from counts, against a list that knows when each job came."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.core.queue_age import Head, QueueAge, left_the_list, read_head

NOON = 1_767_614_400_000

STEP = st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(0, 6), st.booleans())
"""Seconds that pass, jobs that come, jobs that are taken, and whether the queue is counted then."""


@given(st.lists(STEP, max_size=60))
def test_the_age_is_never_too_old_and_short_by_no_more_than_the_time_between_two_counts(
    steps: list[tuple[int, int, int, bool]],
) -> None:
    age, waiting, now, left, counted_at = QueueAge(), deque[int](), 0, 0, 0
    assert age.oldest_seconds(0, left=0, waiting=0) == 0
    longest = 0
    for seconds, come, taken, is_counted in steps:
        now += seconds
        waiting.extend([now] * come)
        for _ in range(min(taken, len(waiting))):
            waiting.popleft()
            left += 1
        if not is_counted:
            continue
        longest, counted_at = max(longest, now - counted_at), now
        told = age.oldest_seconds(now, left=left, waiting=len(waiting))
        true = now - waiting[0] if waiting else 0
        assert true - longest <= told <= true


def test_a_queue_that_had_jobs_before_the_first_count_ages_from_that_count_on() -> None:
    age = QueueAge()
    assert age.oldest_seconds(100, left=5, waiting=3) == 0
    assert age.oldest_seconds(107, left=5, waiting=4) == 7


def test_a_queue_that_somebody_emptied_begins_anew() -> None:
    age = QueueAge()
    age.oldest_seconds(0, left=10, waiting=10)
    assert age.oldest_seconds(50, left=0, waiting=2) == 0
    assert age.oldest_seconds(53, left=0, waiting=2) == 3


def test_nothing_waits_for_no_time() -> None:
    age = QueueAge()
    age.oldest_seconds(0, left=0, waiting=1)
    assert age.oldest_seconds(9, left=1, waiting=0) == 0


def test_what_was_settled_and_what_is_in_flight_has_left_the_list() -> None:
    assert left_the_list(2, {"ack": 3, "retry": 1, "recordBytes": 10_000}) == 6


@pytest.mark.parametrize(
    ("raw", "head"),
    [
        (b'{"id":"a","data":{},"time":"2026-01-05T12:00:00Z"}', Head(NOON)),
        (b'{"id":"a","data":{}}', Head(None, "a")),
        (b'{"prompt":"hello"}', Head(None)),
        (b"{not json", Head(None)),
        (b'\x1e0 1 1767614460000 r.1\n{"data":{},"time":"2026-01-05T12:00:00Z"}', Head(NOON + 60_000)),
        (b'\x1e0 1 1767614340000 r.1\n{"data":{},"time":"2026-01-05T12:00:00Z"}', Head(NOON)),
        (b'\x1e0 1 1767614460000 r.1\n{"data":{}}', Head(NOON + 60_000, "r.1")),
        (b'\x1e1 0 0 r.1\n{"data":{}}', Head(None, "r.1")),
        (b"\x1e0 1 1767614460000 r.1\n{not json", Head(NOON + 60_000)),
    ],
)
def test_the_job_at_the_front_says_since_when_it_waits(raw: bytes, head: Head) -> None:
    assert read_head(raw) == head
