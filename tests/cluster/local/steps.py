"""Tells a person what is going on, and for how long it took; waits for what takes time."""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

PRIVILEGES = "in a container, it has to be a privileged one"
"""What to look at when root may not do something."""


class ClusterError(Exception):
    """Something that a person has to do something about; its text says what."""


@contextmanager
def step(what: str) -> Generator[None]:
    """Print one line when the step is done, with its seconds."""
    if sys.stdout.isatty():
        print(f"  …      {what}", end="\r", flush=True)
    started = time.monotonic()
    yield
    print(f"{time.monotonic() - started:6.1f} s  {what}", flush=True)


def wait_until(what: str, holds: Callable[[], bool], *, seconds: float, fails: Callable[[], str | None]) -> None:
    """Ask until it holds; raises ClusterError when `fails` gives a reason, or after so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        reason = fails()
        if reason is None and time.monotonic() > deadline:
            reason = f"it took more than {seconds:.0f} seconds"
        if reason is not None:
            raise ClusterError(f"{what}: {reason}")
        time.sleep(0.1)
