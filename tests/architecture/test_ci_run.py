"""`.ci/run`, with a `make` that only says what it is told to."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "run"
FINE = "246 passed in 3.21s"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `.ci/run`, where each target prints these lines and ends with this code."""

    def with_targets(
        check: str = FINE, test: str = FINE, e2e: str = "4 passed in 9.00s", code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        make = tmp_path / "make"
        for target, said in {"check": check, "test": test, "e2e": e2e, "cluster-down": "it is down"}.items():
            (tmp_path / target).write_text(f"{said}\n")
        make.write_text(f"#!/bin/sh\ncat {tmp_path}/$1\nexit {code}\n")
        make.chmod(0o755)
        env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHON": sys.executable}
        return subprocess.run(["bash", str(SCRIPT)], env=env, capture_output=True, text=True, check=False)

    return with_targets


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout.splitlines()[-1]


def test_it_can_be_run() -> None:
    assert os.access(SCRIPT, os.X_OK)


def test_the_last_line_counts_the_tests_of_every_run(run: Run) -> None:
    done = run(check="40 passed in 1.02s", test="300 passed, 2 warnings in 61.00s (0:01:01)\n...\n7 passed in 0.5s")
    assert (last_line(done), done.returncode) == ("351 passed, 0 failed", 0)


def test_pytests_closing_line_is_known_in_its_long_form_too(run: Run) -> None:
    done = run(test="===== 3 passed, 1 deselected in 0.12s =====")
    assert (last_line(done), done.returncode) == ("253 passed, 0 failed", 0)


@pytest.mark.parametrize("others", ["1 skipped", "1 xfailed", "1 xpassed"])
def test_a_test_that_did_not_run_counts_as_failed(run: Run, others: str) -> None:
    done = run(test=f"299 passed, {others} in 61.00s")
    assert (last_line(done), done.returncode) == ("549 passed, 1 failed", 1)


def test_failed_tests_and_errors_are_counted_and_shown(run: Run) -> None:
    done = run(test="FAILED tests/test_x.py::test_y\n2 failed, 10 passed, 3 errors in 1.00s", code=2)
    assert "FAILED tests/test_x.py::test_y" in done.stdout
    assert (last_line(done), done.returncode) == ("260 passed, 7 failed", 1)


def test_a_command_that_fails_without_a_failed_test_is_a_failure(run: Run) -> None:
    done = run(check="E501 Line too long", test="E501 Line too long", code=2)
    assert "E501 Line too long" in done.stdout
    assert (last_line(done), done.returncode) == ("4 passed, 3 failed", 1)


def test_a_run_without_tests_is_a_failure(run: Run) -> None:
    done = run(test="no tests ran in 0.01s")
    assert (last_line(done), done.returncode) == ("250 passed, 1 failed", 1)


@pytest.mark.parametrize("code", [0, 1])
def test_the_cluster_is_taken_down_whether_or_not_its_tests_passed(run: Run, code: int) -> None:
    done = run(e2e="2 failed, 1 passed in 9.00s", code=code)
    assert "it is down" in done.stderr
    assert "it is down" not in done.stdout
