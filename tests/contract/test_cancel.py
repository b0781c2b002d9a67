"""Cancelling a job, wherever it is."""

import pytest
from tests.contract.steps import begin, claim, payload, settle, start
from tests.contract.world import Places, World

from edworkers.core.lifecycle import State
from edworkers.ports import Enqueue, JobQueue, QueueControl

A = payload("a")


async def test_a_delayed_job_is_cancelled_at_once(world: World, queue: JobQueue, control: QueueControl) -> None:
    await control.enqueue([Enqueue("a", A, due=world.clock.now() + 60_000)])
    assert await control.cancel("a") == "cancelled"
    record = await control.find("a")
    assert record is not None
    assert record.state is State.CANCELLED
    assert record.finished_at is not None
    assert (await control.depths()).totals["cancel"] == 1
    await world.advance(61)
    assert await queue.promote(10) == 0
    assert await world.places() == Places()


async def test_a_job_that_waits_for_its_retry_is_cancelled_at_once(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(A)
    await settle(queue, "retry", await begin(queue, "a", unique_key="k"), "a", unique_key="k", delay_ms=60_000)
    assert await control.cancel("a") == "cancelled"
    assert await world.places() == Places()
    assert await control.enqueue([Enqueue("b", payload("b"), unique_key="k")]) == [True]


async def test_a_waiting_job_is_cancelled_by_the_runner_that_meets_it(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await control.enqueue([Enqueue("a", A)])
    assert await control.cancel("a") == "requested"
    (delivery,) = await claim(queue)
    assert await start(queue, delivery, "a") == "cancel"
    await settle(queue, "cancel", delivery, "a")
    record = await control.find("a")
    assert record is not None
    assert record.state is State.CANCELLED
    assert await world.places() == Places()


async def test_a_pushed_job_can_be_cancelled_before_anyone_has_read_it(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    assert await control.cancel("a") == "requested"
    await world.push(A)
    (delivery,) = await claim(queue)
    assert await start(queue, delivery, "a") == "cancel"


async def test_a_running_job_that_is_retried_is_cancelled_at_its_next_start(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(A)
    delivery = await begin(queue, "a")
    assert await control.cancel("a") == "requested"
    await settle(queue, "retry", delivery, "a")
    await world.next_moment()
    await queue.promote(1)
    (again,) = await claim(queue)
    assert await start(queue, again, "a") == "cancel"


@pytest.mark.parametrize("verb", ["ack", "bury", "cancel"])
async def test_a_job_that_has_ended_can_not_be_cancelled(
    world: World, queue: JobQueue, control: QueueControl, verb: str
) -> None:
    await world.push(A)
    await settle(queue, verb, await begin(queue, "a"), "a")
    before = await control.find("a")
    assert await control.cancel("a") == "finished"
    assert await control.find("a") == before


async def test_a_request_that_came_too_late_does_not_touch_the_next_job_of_that_id(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(A)
    delivery = await begin(queue, "a")
    await control.cancel("a")
    await settle(queue, "bury", delivery, "a")
    await control.replay("a")
    await begin(queue, "a")


async def test_cancelling_twice_is_the_same_as_once(world: World, queue: JobQueue, control: QueueControl) -> None:
    await world.push(A)
    await begin(queue, "a")
    assert [await control.cancel("a"), await control.cancel("a")] == ["requested", "requested"]


async def test_a_request_that_nobody_met_is_forgotten_in_the_end(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await control.cancel("a")
    await world.advance(8 * 86400)
    await queue.trim(10)
    await world.push(A)
    await begin(queue, "a")
