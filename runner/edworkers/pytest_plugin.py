"""Fixtures for pytest; every pytest run loads this file, so that it imports nothing until a test asks for a fixture."""

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from edworkers.testing import MemoryBroker, MemoryClock, Run, Workers


@pytest.fixture
def edworkers_clock() -> "MemoryClock":
    """Give time that moves only when told; it begins at noon of 5 January 2026 in UTC."""
    from edworkers.testing import MemoryClock

    return MemoryClock()


@pytest.fixture
def edworkers_broker(edworkers_clock: "MemoryClock") -> "MemoryBroker":
    """Give what Redis is in production: queues in memory."""
    from edworkers.testing import MemoryBroker

    return MemoryBroker(edworkers_clock)


@pytest.fixture
def edworkers_workers(edworkers_broker: "MemoryBroker") -> "Workers":
    """Give real runners on these queues, in virtual time: `serve` a module, `push` jobs, `await drain()`."""
    from edworkers.testing import Workers

    return Workers(edworkers_broker)


@pytest.fixture
def edworkers_run() -> "Generator[Run]":
    """Give what runs a coroutine in a test that is none: `edworkers_run(edworkers_workers.drain())`."""
    from edworkers.testing.run import event_loop

    with event_loop() as run:
        yield run
