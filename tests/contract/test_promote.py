"""Promotion: delayed jobs whose time has come."""

from tests.contract.steps import claim, payload
from tests.contract.world import Places, World

from edworkers.core.lifecycle import State
from edworkers.ports import Enqueue, JobQueue, QueueControl

A, B, C = payload("a"), payload("b"), payload("c")


async def test_a_delayed_job_waits_until_it_is_due(world: World, queue: JobQueue, control: QueueControl) -> None:
    await control.enqueue([Enqueue("a", A, due=world.clock.now() + 60_000)])
    assert await claim(queue) == ()
    await world.advance(30)
    assert await queue.promote(10) == 0
    await world.advance(30.001)
    assert await queue.promote(10) == 1
    record = await control.find("a")
    assert record is not None
    assert (record.state, record.due_at) == (State.PENDING, None)
    assert await world.places() == Places(pending=[A])


async def test_due_jobs_go_behind_those_that_wait_the_earliest_first(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    now = world.clock.now()
    await control.enqueue([Enqueue("a", A, due=now + 60_000), Enqueue("b", B, due=now + 50_000)])
    await world.push(C)
    await world.advance(61)
    assert await queue.promote(10) == 2
    assert await world.places() == Places(pending=[C, B, A])


async def test_no_more_is_promoted_at_once_than_was_asked(world: World, queue: JobQueue, control: QueueControl) -> None:
    due = world.clock.now() + 1000
    await control.enqueue([Enqueue(f"j{i}", payload(f"j{i}"), due=due + i) for i in range(5)])
    await world.advance(2)
    assert [await queue.promote(2) for _ in range(4)] == [2, 2, 1, 0]
    assert (await world.places()).pending == [payload(f"j{i}") for i in range(5)]
