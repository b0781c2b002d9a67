"""The whole retry story: each outcome of each attempt and what becomes of the job."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.core.outcome import Cancelled, Deferred, Done, Failed, FollowUp, Outcome, Rejected, Released
from edworkers.core.settings import Backoff, JobPolicy
from edworkers.core.verdict import Ack, Bury, Cancel, Defer, Release, Retry, Verdict, judge

POLICY = JobPolicy(max_attempts=3)
YEAR = 366 * 86400
ANSWER = FollowUp("webhook", {"url": "https://school.example"})
OUTCOMES = [
    Done(),
    Done({"text": "42"}),
    Failed("Boom", "no luck"),
    Failed("Boom", "no luck", retryable=False),
    Deferred(1, "busy"),
    Rejected(("data.prompt: missing",)),
    Cancelled(),
    Released(),
]


def rule(outcome: Outcome, attempt: int = 1, policy: JobPolicy = POLICY, roll: float = 0.5) -> Verdict:
    return judge(outcome, attempt=attempt, policy=policy, roll=roll)


def error(attempt: int, **more: Any) -> dict[str, Any]:
    return {"kind": "Boom", "message": "no luck", "attempt": attempt, **more}


def wait_after(outcome: Failed, attempt: int = 1) -> float:
    verdict = rule(outcome, attempt)
    assert isinstance(verdict, Retry)
    return verdict.delay_seconds


@pytest.mark.parametrize(
    ("outcome", "attempt", "verdict"),
    [
        (Done(), 1, Ack(None)),
        (Done({"text": "42"}), 1, Ack({"text": "42"})),
        (Done([], (ANSWER,)), 3, Ack([], (ANSWER,))),
        (Failed("Boom", "no luck"), 1, Retry(2, error(1))),
        (Failed("Boom", "no luck"), 2, Retry(4, error(2))),
        (Failed("Boom", "no luck"), 3, Bury(error(3))),
        (Failed("Boom", "no luck"), 4, Bury(error(4))),
        (Failed("Boom", "no luck", retryable=False), 1, Bury(error(1))),
        (Failed("Boom", "no luck", retryable=False, after_seconds=9), 1, Bury(error(1))),
        (Failed("Boom", "no luck", traceback="in f"), 1, Retry(2, error(1, traceback="in f"))),
        (Failed("Boom", "no luck", answer="503"), 1, Retry(2, error(1, answer="503"))),
        (Failed("Boom", "no luck", traceback=""), 3, Bury(error(3, traceback=""))),
        (Failed("Boom", "no luck", after_seconds=30), 1, Retry(30, error(1))),
        (Failed("Boom", "no luck", after_seconds=30), 3, Bury(error(3))),
        (Deferred(7, "busy"), 1, Defer(7, "busy")),
        (Deferred(7, "busy", close_gate=True), 99, Defer(7, "busy", close_gate=True)),
        (Rejected(("a: wrong",)), 1, Bury({"kind": "rejected", "message": "a: wrong", "faults": ["a: wrong"]})),
        (Rejected(("a", "b")), 3, Bury({"kind": "rejected", "message": "a; b", "faults": ["a", "b"]})),
        (Cancelled(), 1, Cancel()),
        (Cancelled(), 3, Cancel()),
        (Released(), 1, Release()),
        (Released(), 99, Release()),
    ],
)
def test_what_becomes_of_a_job(outcome: Outcome, attempt: int, verdict: Verdict) -> None:
    assert rule(outcome, attempt) == verdict


def test_a_pool_of_one_attempt_buries_at_the_first_failure() -> None:
    assert rule(Failed("Boom", "no luck"), policy=JobPolicy(max_attempts=1)) == Bury(error(1))


def test_the_wait_follows_the_pools_own_backoff_and_the_roll() -> None:
    backoff = Backoff(initial_seconds=10, factor=3, max_seconds=80, jitter=0.5)
    policy = JobPolicy(max_attempts=9, backoff=backoff)
    verdicts = [rule(Failed("Boom", "no luck"), attempt, policy, roll=1) for attempt in (1, 2, 3)]
    assert verdicts == [Retry(15, error(1)), Retry(45, error(2)), Retry(120, error(3))]


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (None, 2),
        (0, 2),
        (1.5, 2),
        (2.5, 2.5),
        (3600, 3600),
        (YEAR + 1, YEAR),
        (math.inf, YEAR),
        (-1, 2),
        (-math.inf, 2),
        (math.nan, 2),
    ],
)
def test_a_service_may_lengthen_the_wait_to_a_year_at_most_and_never_shorten_it(
    asked: float | None, given: float
) -> None:
    assert wait_after(Failed("Boom", "no luck", after_seconds=asked)) == given


@pytest.mark.parametrize(
    ("asked", "given"), [(0, 0), (0.25, 0.25), (-5, 0), (math.nan, 0), (math.inf, YEAR), (-math.inf, 0), (1e300, YEAR)]
)
def test_a_job_is_deferred_by_a_wait_that_ends(asked: float, given: float) -> None:
    assert rule(Deferred(asked, "busy")) == Defer(given, "busy")


@given(st.integers(1, 200), st.floats(0, 1), st.none() | st.floats())
def test_whatever_a_service_asks_for_a_retry_is_due_within_a_year(
    attempt: int, roll: float, asked: float | None
) -> None:
    verdict = rule(Failed("Boom", "no luck", after_seconds=asked), attempt, JobPolicy(max_attempts=100), roll)
    if attempt >= 100:
        assert isinstance(verdict, Bury)
    else:
        assert isinstance(verdict, Retry)
        assert 0 <= verdict.delay_seconds <= YEAR


@given(st.sampled_from(OUTCOMES), st.integers(1, 100), st.integers(1, 100), st.floats(0, 1))
def test_a_job_is_tried_again_only_while_it_has_attempts(
    outcome: Outcome, attempt: int, most: int, roll: float
) -> None:
    retried = isinstance(rule(outcome, attempt, JobPolicy(max_attempts=most), roll), Retry)
    assert retried == (isinstance(outcome, Failed) and outcome.retryable and attempt < most)
