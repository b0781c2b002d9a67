"""A job's life as waits and attempts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.core.lifecycle import State
from edworkers.ports import JobRecord
from edworkers.ports.browse import JobDetail, PastAttempt
from edworkers.server.dashboard.jobs.timeline import spans_of, strip_of

NOW = 1_767_614_400_000
ERROR = {"kind": "timeout", "message": "too slow"}


def detail(state: State, *past: PastAttempt, **more: object) -> JobDetail:
    return JobDetail(JobRecord("a", "q", state, **more), past=past)  # type: ignore[arg-type]


def told(seen: JobDetail) -> list[tuple[str, float | None]]:
    return [(span.title, span.seconds) for span in spans_of(seen, NOW)]


def test_a_job_that_is_done_at_its_first_attempt_waited_and_ran() -> None:
    seen = detail(State.DONE, attempts=1, queued_at=NOW - 5000, started_at=NOW - 3000, finished_at=NOW - 1000)
    assert told(seen) == [("Enqueued", None), ("Waited", 2), ("Attempt 1 did it", 2), ("Done", None)]


def test_a_job_that_failed_twice_is_told_with_the_waits_between() -> None:
    seen = detail(
        State.DEAD,
        PastAttempt(1, "retry", NOW - 9000, NOW - 8000, ERROR),
        PastAttempt(2, "bury", NOW - 5000, NOW - 4500, ERROR),
        attempts=2,
        queued_at=NOW - 10_000,
        started_at=NOW - 5000,
        finished_at=NOW - 4500,
    )
    assert told(seen) == [
        ("Enqueued", None),
        ("Waited", 1),
        ("Attempt 1 failed", 1),
        ("Waited", 3),
        ("Attempt 2 failed for good", 0.5),
        ("Put into the dead letters", None),
    ]


def test_a_job_that_was_replayed_keeps_what_was_before() -> None:
    seen = detail(
        State.DONE,
        PastAttempt(1, "bury", NOW - 9000, NOW - 8000, ERROR),
        attempts=1,
        started_at=NOW - 2000,
        finished_at=NOW - 1000,
    )
    assert told(seen) == [
        ("Attempt 1 failed for good", 1),
        ("Replayed", None),
        ("Waited", 6),
        ("Attempt 2 did it", 1),
        ("Done", None),
    ]


@pytest.mark.parametrize(
    ("outcome", "title"),
    [("defer", "Attempt 1 put off, at no cost"), ("lost", "Attempt 1: its runner was lost"), ("odd", "Attempt 1 odd")],
)
def test_whatever_became_of_an_attempt_has_words(outcome: str, title: str) -> None:
    seen = detail(State.PENDING, PastAttempt(1, outcome, NOW - 9000, NOW - 8000), attempts=1)
    assert told(seen) == [(title, 1), ("Waits for a runner", None)]


def test_what_lasts_is_told_as_it_is_now() -> None:
    assert told(detail(State.INFLIGHT, attempts=1, started_at=NOW - 100)) == [("Attempt 1 runs", None)]
    assert told(detail(State.INFLIGHT)) == [("Runs", None)]
    delayed = spans_of(detail(State.DELAYED, queued_at=NOW - 1000, due_at=NOW + 9000), NOW)[-1]
    assert (delayed.title, delayed.lasts, delayed.until) == ("Waits until it is due", True, NOW + 9000)


def test_attempts_of_which_nothing_is_kept_are_counted() -> None:
    seen = detail(State.DEAD, PastAttempt(30, "bury", NOW - 9, NOW - 8), attempts=30, queued_at=NOW - 100)
    assert told(seen)[1] == ("29 earlier attempts, of which nothing is kept", None)


def test_of_a_job_of_which_nothing_is_known_its_end_is_told() -> None:
    assert told(detail(State.DEAD)) == [("Put into the dead letters", None)]


moments = st.integers(NOW - 10**9, NOW)
attempts = st.builds(
    PastAttempt, st.integers(1, 100), st.sampled_from(["retry", "defer", "bury", "lost"]), st.none() | moments, moments
)


@given(
    past=st.lists(attempts, max_size=20),
    state=st.sampled_from(list(State)),
    times=st.tuples(*[st.none() | moments] * 4),
    count=st.integers(0, 40),
)
def test_whatever_a_record_says_it_can_be_told_and_drawn(
    past: list[PastAttempt], state: State, times: tuple[int | None, ...], count: int
) -> None:
    queued, started, finished, due = times
    record = JobRecord(
        "a", "q", state, attempts=count, queued_at=queued, started_at=started, finished_at=finished, due_at=due
    )
    spans = spans_of(JobDetail(record, past=past), NOW)
    assert spans
    assert all(span.seconds is None or span.seconds >= 0 for span in spans)
    bars = strip_of(spans, NOW)
    assert all(bar.width > 0 for bar in bars)
    assert sum(bar.width for bar in bars) <= 1000
    assert [bar.x for bar in bars] == sorted(bar.x for bar in bars)
