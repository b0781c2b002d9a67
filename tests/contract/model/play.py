"""Runs the machine, by pytest."""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.contract.model.machine import QueueMachine

from edworkers.adapters.redis.connection import Outage


def _no_wait(_outage: Outage, _error: BaseException) -> float:
    return 0.0


def play_on(url: str, monkeypatch: pytest.MonkeyPatch, **how: Any) -> None:
    """Play examples on a Redis that is otherwise unused; a call whose reply is lost is repeated at once."""
    monkeypatch.setattr(Outage, "failed", _no_wait)
    machine: Any = lambda: QueueMachine(url)  # noqa: E731
    run_state_machine_as_test(
        machine,
        settings=settings(
            deadline=None, stateful_step_count=50, print_blob=True, suppress_health_check=list(HealthCheck), **how
        ),
    )
