"""A job's life as waits and attempts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.core.lifecycle import State
from edworkers.ports import JobRecord
from edworkers.ports.browse import JobDetail, PastAttempt
from edworkers.server.dashboard.jobs.timeline import story_of, strip_of

NOW = 1_767_614_400_000
ERROR = {"kind": "timeout", "message": "too slow"}
REJECTED = {"kind": "rejected", "message": "data.prompt: Field required"}


def detail(state: State, *past: PastAttempt, **more: object) -> JobDetail:
    return JobDetail(JobRecord("a", "q", state, **more), past=past)  # type: ignore[arg-type]


def told(seen: JobDetail) -> list[tuple[str, float | None]]:
    return [(span.title, span.seconds) for span in story_of(seen).spans]


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


def before(seen: JobDetail) -> list[str]:
    return [span.title for span in story_of(seen).before]


def test_a_job_that_was_replayed_counts_anew_and_keeps_what_was_before() -> None:
    seen = detail(
        State.DONE,
        PastAttempt(1, "retry", NOW - 9900, NOW - 9800, ERROR),
        PastAttempt(2, "bury", NOW - 9000, NOW - 8000, ERROR),
        PastAttempt(3, "retry", NOW - 3000, NOW - 2500, ERROR),
        attempts=2,
        queued_at=NOW - 9950,
        started_at=NOW - 2000,
        finished_at=NOW - 1000,
    )
    assert before(seen) == ["Enqueued", "Waited", "Attempt 1 failed", "Waited", "Attempt 2 failed for good"]
    assert told(seen) == [
        ("Replayed", None),
        ("Attempt 1 failed", 0.5),
        ("Waited", 0.5),
        ("Attempt 2 did it", 1),
        ("Done", None),
    ]


def test_each_replay_of_several_is_told() -> None:
    seen = detail(
        State.PENDING,
        PastAttempt(1, "bury", None, NOW - 8000, REJECTED),
        PastAttempt(2, "bury", NOW - 7000, NOW - 6000, ERROR),
        queued_at=NOW - 9000,
    )
    assert before(seen) == ["Enqueued", "Refused before it began", "Replayed", "Attempt 1 failed for good"]
    assert told(seen) == [("Replayed", None), ("Waits for a runner", None)]


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("rejected", "Refused before it began"),
        ("expired", "Expired before it began"),
        ("poison", "Given up, and not begun again"),
    ],
)
def test_a_burial_before_an_attempt_began_is_none(kind: str, title: str) -> None:
    buried = PastAttempt(1, "bury", None, NOW - 500, {"kind": kind, "message": "no"})
    seen = detail(State.DEAD, buried, queued_at=NOW - 1000, finished_at=NOW - 500)
    assert told(seen) == [("Enqueued", None), (title, None), ("Put into the dead letters", None)]


def test_a_refusal_after_an_attempt_is_told_from_that_attempt() -> None:
    first = PastAttempt(1, "retry", NOW - 9000, NOW - 8000, ERROR)
    refused = PastAttempt(2, "bury", NOW - 9000, NOW - 500, REJECTED)
    seen = detail(State.DEAD, first, refused, attempts=1, started_at=NOW - 9000, finished_at=NOW - 500)
    assert [title for title, _ in told(seen)] == [
        "Attempt 1 failed",
        "Refused before it began",
        "Put into the dead letters",
    ]
    replayed = detail(State.PENDING, first, refused)
    assert before(replayed) == ["Attempt 1 failed", "Refused before it began"]


def test_an_attempt_that_cost_nothing_is_counted_as_the_record_does() -> None:
    put_off = PastAttempt(1, "defer", NOW - 9000, NOW - 8000)
    seen = detail(State.DONE, put_off, attempts=1, started_at=NOW - 2000, finished_at=NOW - 1000)
    assert [title for title, _ in told(seen)] == [
        "Attempt 1 put off, at no cost",
        "Waited",
        "Attempt 1 did it",
        "Done",
    ]
    often = [PastAttempt(number, "defer", NOW - 90, NOW - 80) for number in range(6, 26)]
    assert {title for title, _ in told(detail(State.DELAYED, *often, attempts=1))[1:-1]} == {
        "Attempt 1 put off, at no cost"
    }


def test_a_job_that_is_cancelled_while_it_waits_has_made_no_further_attempt() -> None:
    first = PastAttempt(1, "retry", NOW - 9000, NOW - 8000, ERROR)
    seen = detail(State.CANCELLED, first, attempts=1, started_at=NOW - 9000, finished_at=NOW - 500)
    assert told(seen) == [("Attempt 1 failed", 1), ("Cancelled", None)]


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
    delayed = story_of(detail(State.DELAYED, queued_at=NOW - 1000, due_at=NOW + 9000)).spans[-1]
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
    story = story_of(JobDetail(record, past=past))
    spans = story.spans
    assert spans
    assert all(span.seconds is None or span.seconds >= 0 for span in (*story.before, *spans))
    bars = strip_of(spans, NOW)
    assert all(bar.width > 0 for bar in bars)
    assert sum(bar.width for bar in bars) <= 1000
    assert [bar.x for bar in bars] == sorted(bar.x for bar in bars)
