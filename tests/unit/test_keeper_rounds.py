"""The keeper's rounds: what fails or takes long holds up nothing else."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
import structlog
from tests.virtual_time import VirtualLoop

from edworkers.core.errors import QueueUnavailableError
from edworkers.pipeline.keeper import BATCH, ROUNDS_A_REPAIR, Keeper, keep_forever
from edworkers.ports import Depths

Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


class Told:
    """A queue that notes what is asked of it, and answers as it is told."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked = Counter[str]()
        self.depths = Depths("work", 0, 0, 0, 0, paused=False, throttled=False, gate_ms=0, runners=0)

    async def _answer(self, verb: str, at_most: int) -> int:
        assert at_most == BATCH
        self.asked[verb] += 1
        answer = self.answers.get(verb, 0)
        if isinstance(answer, list):
            answer = answer.pop(0) if answer else 0
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            return 0
        return int(answer)

    async def promote(self, at_most: int) -> int:
        return await self._answer("promote", at_most)

    async def sort(self, at_most: int) -> int:
        return await self._answer("sort", at_most)

    async def reap(self, at_most: int) -> int:
        return await self._answer("reap", at_most)

    async def forward(self, at_most: int) -> int:
        return await self._answer("forward", at_most)

    async def trim(self, at_most: int) -> int:
        return await self._answer("trim", at_most)

    async def repair(self, at_most: int) -> int:
        return await self._answer("repair", at_most)

    async def sample(self) -> Depths:
        await self._answer("sample", BATCH)
        return self.depths


STEPS = ("repair", "promote", "sort", "reap", "forward", "trim", "sample")


def test_a_round_does_each_step_as_long_as_there_is_a_full_batch_of_it() -> None:
    queue = Told(promote=[BATCH, BATCH, 3], trim=[7])
    assert run(Keeper("work", queue).keep()) == 2 * BATCH + 10
    assert queue.asked == {"repair": 1, "promote": 3, "sort": 1, "reap": 1, "forward": 1, "trim": 1}


def test_a_step_that_never_runs_dry_leaves_the_others_their_turn() -> None:
    queue = Told(forward=BATCH)
    run(Keeper("work", queue).keep())
    assert queue.asked["forward"] > 100
    assert queue.asked["trim"] == 1


def test_it_looks_for_broken_things_in_the_first_round_and_then_more_rarely() -> None:
    async def rounds(keeper: Keeper, count: int) -> None:
        for _ in range(count):
            await keeper.keep()

    queue = Told()
    run(rounds(Keeper("work", queue), ROUNDS_A_REPAIR))
    assert queue.asked["repair"] == 1
    queue = Told()
    run(rounds(Keeper("work", queue), ROUNDS_A_REPAIR + 1))
    assert queue.asked["repair"] == 2


def test_it_looks_again_where_it_has_mended_something() -> None:
    queue = Told(repair=[5, 1, 0])
    assert run(Keeper("work", queue).keep()) == 6
    assert queue.asked["repair"] == 3


@pytest.mark.parametrize("verb", STEPS)
@pytest.mark.parametrize("error", [QueueUnavailableError("WRONGTYPE"), ValueError("no number")])
def test_a_step_that_fails_is_told_once_and_holds_up_none_of_the_others(verb: str, error: Exception) -> None:
    queue = Told(**{verb: error})
    keeper = Keeper("work", queue, on_sample=lambda _depths: None)

    async def rounds() -> None:
        for _ in range(ROUNDS_A_REPAIR * 2):
            await keeper.keep()

    with structlog.testing.capture_logs() as lines:
        run(rounds())
    assert [(line["event"], line["step"]) for line in lines] == [("keeper.failed", verb)]
    assert str(error) in lines[0]["reason"]
    assert {step: queue.asked[step] > 1 for step in STEPS} == dict.fromkeys(STEPS, True)


def test_what_fails_again_after_it_went_well_is_told_again() -> None:
    failing = QueueUnavailableError("away")
    keeper = Keeper("work", Told(trim=[failing, 0, failing, failing]))

    async def rounds() -> None:
        for _ in range(4):
            await keeper.keep()

    with structlog.testing.capture_logs() as lines:
        run(rounds())
    assert [line["event"] for line in lines] == ["keeper.failed"] * 2


def test_a_queue_whose_round_takes_for_ever_doesnt_keep_the_others_waiting() -> None:
    stuck, other = Told(reap=asyncio.Event()), Told()

    async def keep() -> None:
        keeping = asyncio.create_task(keep_forever(lambda: [("stuck", stuck), ("other", other)], 1))
        await asyncio.sleep(10.5)
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping

    run(keep())
    assert (stuck.asked["reap"], stuck.asked["trim"]) == (1, 0)
    assert other.asked["trim"] == 11


def test_it_keeps_the_queues_that_there_are_by_now() -> None:
    known = {"a": Told()}

    async def keep() -> None:
        keeping = asyncio.create_task(keep_forever(lambda: list(known.items()), 1))
        await asyncio.sleep(2.5)
        gone = known.pop("a")
        known["b"] = Told()
        await asyncio.sleep(2)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        assert gone.asked["trim"] == 3

    run(keep())
    assert known["b"].asked["trim"] == 2


def test_an_age_that_no_job_tells_is_reckoned_from_the_counts() -> None:
    queue, ages = Told(), list[float | None]()
    queue.depths = Depths("work", 3, 0, 0, 0, paused=False, throttled=False, gate_ms=0, runners=0)

    async def keep() -> None:
        told = [("work", queue)]
        keeping = asyncio.create_task(keep_forever(lambda: told, 1, lambda depths: ages.append(depths.oldest_seconds)))
        await asyncio.sleep(3.5)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    run(keep())
    assert ages == [0, 1, 2, 3]


def test_an_urgent_job_at_the_front_doesnt_hide_those_that_wait_behind_it() -> None:
    queue, ages = Told(), list[float | None]()
    keeper = Keeper("work", queue, lambda depths: ages.append(depths.oldest_seconds))

    async def keep() -> None:
        for told in (500.0, 2.0):
            queue.depths = Depths(
                "work", 3, 0, 0, 0, paused=False, throttled=False, gate_ms=0, runners=0, oldest_seconds=told
            )
            await keeper.keep()
            await asyncio.sleep(60)

    run(keep())
    assert ages == [500, 60]
