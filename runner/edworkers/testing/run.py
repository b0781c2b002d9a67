"""Runs what a test would await, for tests that are no coroutines."""

import asyncio
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class Run:
    """`run(workers.drain())` in a plain `def`; one event loop for all calls."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner

    def __call__(self, call: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end and return what it returned. Raises RuntimeError where a loop runs already."""
        if _a_loop_runs():
            call.close()
            raise RuntimeError("this test runs in an event loop already: await what was to be run")
        return self._runner.run(call)


@contextmanager
def event_loop() -> Generator[Run]:
    """Give what runs coroutines in an event loop of its own; what is left in it is cancelled at the end."""
    with asyncio.Runner() as runner:
        yield Run(runner)


def _a_loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
