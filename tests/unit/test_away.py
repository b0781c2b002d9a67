"""A service of ours that is away for minutes buries no job: the last attempts are far apart, in every queue alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.attempts import AnAttempt

from edworkers.core.outcome import Failed
from edworkers.core.settings import PoolSpec
from edworkers.core.verdict import Bury, Retry, judge
from edworkers.handlers.away import until_back
from edworkers.handlers.document.convert import MODULE as DOCUMENT
from edworkers.handlers.email import MODULE as EMAIL
from edworkers.handlers.scheduled import MODULE as SCHEDULED


@pytest.mark.parametrize("pool", [DOCUMENT.pool, EMAIL.pool, SCHEDULED.pool], ids=lambda pool: pool.queue)
def test_the_attempts_of_each_queue_outlast_an_outage_of_25_minutes(pool: PoolSpec) -> None:
    waited = 0.0
    for attempt in range(1, pool.job.max_attempts + 1):
        job = AnAttempt(attempt, pool.job.max_attempts)
        verdict = judge(Failed("x", "away", after_seconds=until_back(job)), attempt=attempt, policy=pool.job, roll=0)
        if attempt == pool.job.max_attempts:
            assert isinstance(verdict, Bury)
        else:
            assert isinstance(verdict, Retry)
            waited += verdict.delay_seconds
    assert 25 * 60 < waited < 60 * 60


@given(st.text(max_size=40), st.integers(2, 100))
def test_the_last_wait_is_about_half_an_hour_and_the_one_before_about_a_minute(job_id: str, attempts: int) -> None:
    last = until_back(AnAttempt(attempts - 1, attempts, id=job_id))
    before = until_back(AnAttempt(attempts - 2, attempts, id=job_id))
    assert last is not None
    assert before is not None
    assert 1620 <= last <= 1980
    assert 54 <= before <= 66
    assert until_back(AnAttempt(attempts - 1, attempts, id=job_id)) == last


def test_jobs_that_failed_together_do_not_come_back_together() -> None:
    assert len({until_back(AnAttempt(2, 3, id=f"job-{number}")) for number in range(100)}) > 90


@pytest.mark.parametrize(("attempt", "attempts"), [(1, 1), (1, 4), (3, 3)])
def test_there_is_no_wait_after_the_last_attempt_and_the_first_ones_go_by_the_backoff(
    attempt: int, attempts: int
) -> None:
    assert until_back(AnAttempt(attempt, attempts)) is None
