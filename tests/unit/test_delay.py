"""A job's `delay` in seconds, and the moment that it means."""

import json

import pytest

from edworkers.core.job import Job, Malformed, decode

NOW = 1_767_225_600_000  # 2026-01-01T00:00:00Z


def decode_with(**fields: object) -> Job | Malformed:
    return decode(json.dumps({"data": {}, **fields}).encode(), "origin", NOW)


@pytest.mark.parametrize(
    ("delay", "later_ms"), [(0, 0), (90, 90_000), (0.0015, 2), (1.5, 1500), (366 * 86400, 31_622_400_000)]
)
def test_a_delay_counts_from_when_a_runner_first_sees_the_job(delay: float, later_ms: int) -> None:
    assert decode_with(delay=delay) == Job("origin", {}, run_at=NOW + later_ms)


@pytest.mark.parametrize("made", ["2025-12-31T00:00:00Z", "2026-01-02T03:04:05+05:45"])
def test_a_delay_counts_from_the_jobs_own_time_where_it_has_one(made: str) -> None:
    job = decode_with(delay=90, time=made)
    assert isinstance(job, Job)
    assert job.time is not None
    assert job.run_at == job.time + 90_000


@pytest.mark.parametrize("delay", [-1, 366 * 86400 + 1, "90", True, [90]])
def test_a_delay_that_is_none_is_refused(delay: object) -> None:
    found = decode_with(delay=delay)
    assert isinstance(found, Malformed)
    [fault] = found.faults
    assert fault.startswith("delay: ")
