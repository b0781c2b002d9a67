"""A short chaos run: every fault at least once, and every promise holds. `make chaos` is the long one."""

import os
import random
from pathlib import Path

import pytest
from tests.chaos.conductor import Options
from tests.chaos.faults import amounts
from tests.chaos.proxy import Cut
from tests.chaos.report import write_report
from tests.chaos.run import run

JOBS, KILLS = 300, 8


@pytest.mark.timeout(900)
async def test_whatever_is_killed_frozen_or_cut_every_job_ends_once_and_as_it_must(tmp_path: Path) -> None:
    seed = 5 if os.environ.get("CI") else random.SystemRandom().randrange(10**6)
    options = Options(JOBS, KILLS, seed, runners=4, keepers=2, gap_seconds=0.5)
    outcome = await run(options, tmp_path)
    assert outcome.is_clean, write_report(outcome)
    first, second = amounts(KILLS)
    assert outcome.faults == {**first, **second}
    assert set(outcome.cuts) == set(map(str, Cut))
    assert len(outcome.run.planned) == JOBS


async def test_a_run_in_which_nobody_works_is_given_up_and_tells_what_is_left(tmp_path: Path) -> None:
    outcome = await run(Options(jobs=60, kills=1, seed=1, runners=0, keepers=0, patience_seconds=1), tmp_path)
    report = write_report(outcome)
    assert not outcome.is_clean
    assert "PROMISES WERE BROKEN" in report
    assert "no job has ended for long" in report
    assert "edworkers:{work}:pending: [b" in report
    assert {violation.rule for violation in outcome.violations} == {"lost"}
