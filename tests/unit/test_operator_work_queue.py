"""The queue of pools to be looked at, in a time that the test moves."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.virtual_time import VirtualLoop

from edworkers_operator.work_queue import FIRST_SECONDS, LONGEST_SECONDS, WorkQueue, backoff_seconds


class Staff:
    """What is done for a key, as the test wants it, and what was."""

    def __init__(self) -> None:
        self.began: list[tuple[str, float]] = []
        self.failed: list[str] = []
        self.running: set[str] = set()
        self.failures: dict[str, int] = {}
        """How often a key's work is to fail from now on."""
        self.again: float | None = None
        self.gate: asyncio.Event | None = None
        self.queue = WorkQueue[str](self._work, lambda key, error: self.failed.append(f"{key}: {error}"))

    async def _work(self, key: str) -> float | None:
        assert key not in self.running, f"{key} is worked on twice at once"
        self.running.add(key)
        self.began.append((key, asyncio.get_running_loop().time()))
        try:
            await asyncio.sleep(0)
            if self.gate is not None:
                await self.gate.wait()
            if self.failures.get(key, 0) > 0:
                self.failures[key] -= 1
                raise ValueError("no")
            return self.again
        finally:
            self.running.discard(key)

    @property
    def keys(self) -> list[str]:
        return [key for key, _ in self.began]

    @asynccontextmanager
    async def at_work(self, workers: int = 2) -> AsyncGenerator[None]:
        task = asyncio.create_task(self.queue.run(workers))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def in_virtual_time(story: Callable[[Staff], object]) -> Staff:
    staff = Staff()
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story(staff))  # type: ignore[arg-type]
    return staff


def test_a_key_that_is_asked_for_often_is_worked_on_once() -> None:
    async def story(staff: Staff) -> None:
        for key in "aabab":
            staff.queue.add(key)
        assert staff.queue.depth == 2
        async with staff.at_work():
            await asyncio.sleep(1)
        assert staff.queue.depth == 0

    assert in_virtual_time(story).keys == ["a", "b"]


def test_a_key_that_is_asked_for_while_it_is_worked_on_is_worked_on_once_more_and_never_twice_at_once() -> None:
    async def story(staff: Staff) -> None:
        staff.gate = asyncio.Event()
        staff.queue.add("a")
        async with staff.at_work(3):
            await asyncio.sleep(1)
            staff.queue.add("a")
            staff.queue.add("a")
            staff.queue.add("b")
            await asyncio.sleep(1)
            assert staff.keys == ["a", "b"]
            staff.gate.set()
            await asyncio.sleep(1)

    assert in_virtual_time(story).keys == ["a", "b", "a"]


def test_a_key_is_worked_on_again_after_as_long_as_its_work_says() -> None:
    async def story(staff: Staff) -> None:
        staff.again = 7
        staff.queue.add("a")
        async with staff.at_work():
            await asyncio.sleep(20)

    assert in_virtual_time(story).began == [("a", 0), ("a", 7), ("a", 14)]


def test_a_key_without_such_a_wish_is_not_worked_on_again() -> None:
    async def story(staff: Staff) -> None:
        staff.queue.add("a")
        async with staff.at_work():
            await asyncio.sleep(10_000)

    assert in_virtual_time(story).keys == ["a"]


def test_a_key_that_fails_waits_longer_each_time_and_is_told_each_time() -> None:
    async def story(staff: Staff) -> None:
        staff.failures["a"] = 12
        staff.queue.add("a")
        async with staff.at_work():
            await asyncio.sleep(1000)

    staff = in_virtual_time(story)
    assert staff.failed == ["a: no"] * 12
    waits = [after - before for (_, before), (_, after) in pairwise(staff.began)]
    assert len(waits) == 12
    for at, wait in enumerate(waits):
        usual = min(LONGEST_SECONDS, FIRST_SECONDS * 2**at)
        assert usual * 0.75 <= wait <= usual * 1.25


def test_success_is_the_end_of_all_patience_lost() -> None:
    async def story(staff: Staff) -> None:
        staff.failures["a"] = 6
        staff.queue.add("a")
        async with staff.at_work():
            await asyncio.sleep(1000)
            staff.failures["a"] = 1
            staff.queue.add("a")
            await asyncio.sleep(1000)

    began = [moment for _, moment in in_virtual_time(story).began]
    assert began[-1] - began[-2] <= FIRST_SECONDS * 1.25


def test_a_failure_holds_no_other_key_up() -> None:
    async def story(staff: Staff) -> None:
        staff.failures["a"] = 100
        staff.queue.add("a")
        async with staff.at_work(1):
            await asyncio.sleep(100)
            staff.queue.add("b")
            await asyncio.sleep(0.1)
            assert staff.keys[-1] == "b"

    in_virtual_time(story)


def test_who_asks_needs_not_wait_for_the_timer_and_the_timer_does_not_ring_besides() -> None:
    async def story(staff: Staff) -> None:
        staff.queue.add_later("a", 100)
        async with staff.at_work():
            await asyncio.sleep(10)
            staff.queue.add("a")
            await asyncio.sleep(1000)

    assert in_virtual_time(story).began == [("a", 10)]


def test_of_two_timers_the_last_counts() -> None:
    async def story(staff: Staff) -> None:
        staff.queue.add_later("a", 10)
        staff.queue.add_later("a", 30)
        async with staff.at_work():
            await asyncio.sleep(1000)

    assert in_virtual_time(story).began == [("a", 30)]


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_the_wait_grows_with_each_failure_and_has_a_bound(failures: int, roll: float) -> None:
    wait = backoff_seconds(failures, roll)
    assert 0.75 * FIRST_SECONDS <= wait <= 1.25 * LONGEST_SECONDS
    assert wait <= backoff_seconds(failures + 1, roll)


@pytest.mark.parametrize(("failures", "seconds"), [(1, 0.5), (2, 1), (3, 2), (7, 32), (8, 60), (100, 60)])
def test_the_wait_doubles(failures: int, seconds: float) -> None:
    assert backoff_seconds(failures, 0.5) == seconds


def test_a_key_rests_between_two_runs_and_others_dont_wait_for_it() -> None:
    async def story(staff: Staff) -> None:
        staff.queue = WorkQueue[str](staff._work, lambda *_: None, rest_seconds=3)
        staff.queue.add("a")
        async with staff.at_work():
            await asyncio.sleep(1)
            for _ in range(5):
                staff.queue.add("a")
            staff.queue.add("b")
            await asyncio.sleep(10)
            staff.queue.add("a")
            await asyncio.sleep(1)

    assert in_virtual_time(story).began == [("a", 0), ("b", 1), ("a", 3), ("a", 11)]
