"""Short chaos runs: every fault at least once in each, and every promise holds. `make chaos` is the long one."""

import os
import random
from dataclasses import replace
from pathlib import Path

import pytest
from tests.chaos import redis_log
from tests.chaos.conductor import Options
from tests.chaos.faults import amounts
from tests.chaos.proxy import Cut
from tests.chaos.report import write_report
from tests.chaos.run import parts_of, run

JOBS, KILLS = 250, 6


@pytest.mark.timeout(900)
@pytest.mark.parametrize("fair", [True, False], ids=["groups", "plain"])
async def test_whatever_is_killed_frozen_or_cut_every_job_ends_once_and_as_it_must(
    *, tmp_path: Path, fair: bool
) -> None:
    seed = 5 if os.environ.get("CI") else random.SystemRandom().randrange(10**6)
    options = Options(JOBS, KILLS, seed, fair=fair, runners=4, keepers=2, gap_seconds=0.5)
    outcome = await run(options, tmp_path)
    assert outcome.is_clean, write_report([outcome])
    first, second = amounts(KILLS)
    assert outcome.faults == {**first, **second}
    assert set(outcome.cuts) == set(map(str, Cut))
    assert len(outcome.run.planned) == JOBS
    # What only a queue with groups does was done on that queue, and nowhere else.
    assert (b"edworkers:{work}:grouped" in _keys(tmp_path)) == fair
    assert b"edworkers:{next}:grouped" not in _keys(tmp_path)


def _keys(folder: Path) -> set[bytes]:
    steps = redis_log.read_log(folder / "redis")
    return {command[1] for step in steps for command in step if len(command) > 1}


def test_a_run_is_halved_between_a_queue_with_groups_and_a_plain_one() -> None:
    assert parts_of(2001, 41, 7) == [Options(1001, 21, 7, fair=True), Options(1000, 20, 7, fair=False)]
    assert parts_of(2001, 41, 7, "plain") == [Options(2001, 41, 7, fair=False)]


async def test_a_run_in_which_nobody_works_is_given_up_and_tells_what_is_left(tmp_path: Path) -> None:
    outcome = await run(Options(jobs=60, kills=1, seed=1, runners=0, keepers=0, patience_seconds=1), tmp_path)
    report = write_report([outcome])
    assert not outcome.is_clean
    assert "PROMISES WERE BROKEN" in report
    assert "no job has ended for long" in report
    assert "edworkers:{work}:pending: [b" in report
    assert {violation.rule for violation in outcome.violations} == {"lost"}
    # With a part that went well beside it, the run still has broken promises.
    well = replace(outcome, violations=[], stalled="", fair=False)
    both = write_report([outcome, well])
    first, broken, held = both.split("\n\n###")
    assert "PROMISES WERE BROKEN" in first
    assert broken.startswith(" A queue with groups")
    assert "PROMISES WERE BROKEN" in broken
    assert held.startswith(" A plain queue")
    assert "every promise held" in held
