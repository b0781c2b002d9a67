"""The benchmark refuses a run in which a job was lost or ran twice, whoever's it was."""

import json
import os
from collections.abc import Generator, Iterable
from typing import Any

import pytest
import tally
import throughput

JOBS = 5
WARM_UP = 2


@pytest.fixture
def pipe() -> Generator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def told(pipe: tuple[int, int], numbers: Iterable[int]) -> list[str]:
    """Give the lines that a worker tells which ran these jobs."""
    reading, writing = pipe
    counting = tally.Tally(JOBS, WARM_UP, writing)
    counting.ready()
    for number in numbers:
        counting.ran(number)
    return os.read(reading, 65536).decode().splitlines()


def run(pipe: tuple[int, int], numbers: Iterable[int]) -> dict[str, Any]:
    told_at_last: dict[str, Any] = json.loads(told(pipe, numbers)[-1])
    return told_at_last


def test_jobs_that_each_ran_once_are_a_run_in_any_order(pipe: tuple[int, int]) -> None:
    throughput.check("a system", run(pipe, [3, 1, 0, 4, 2]), JOBS)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([0, 1, 2, 3, 3], "of 5 jobs 4 ran, one of them 2 times"),
        ([0, 0, 0, 0, 0], "of 5 jobs 1 ran, one of them 5 times"),
    ],
)
def test_one_that_ran_twice_in_place_of_another_is_no_run(
    pipe: tuple[int, int], numbers: list[int], words: str
) -> None:
    with pytest.raises(RuntimeError, match=f"a system: {words}"):
        throughput.check("a system", run(pipe, numbers), JOBS)


def test_one_that_is_lost_is_never_told_as_a_run(pipe: tuple[int, int]) -> None:
    assert told(pipe, [0, 1, 2, 3]) == ["ready"]


def test_jobs_to_warm_up_with_are_counted_apart(pipe: tuple[int, int]) -> None:
    lines = told(pipe, [JOBS, 0, JOBS + 1, 1, 2, 3, 4])
    assert lines[:2] == ["ready", "warm"]
    throughput.check("a system", json.loads(lines[2]), JOBS)


def test_of_waits_half_and_99_of_100_are_told() -> None:
    assert tally.quantiles([1.0]) == {}
    found = tally.quantiles([float(n) for n in range(101)])
    assert (found["p50_us"], found["p99_us"]) == (50, 99)
