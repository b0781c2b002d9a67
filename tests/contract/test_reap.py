"""Reaping: jobs whose runner was lost."""

from tests.contract.steps import begin, claim, payload, settle
from tests.contract.world import LEASE_MS, Places, World

from edworkers.core.job import read_entry
from edworkers.core.lifecycle import State
from edworkers.ports import Delivery, Enqueue, JobQueue, QueueControl

A, B = payload("a"), payload("b")


async def lose_runner(world: World, queue: JobQueue) -> Delivery:
    """Claim a job, and fall silent until its lease is over."""
    (delivery,) = await claim(queue)
    await world.expire_leases()
    assert await queue.reap(10) == 1
    return delivery


async def test_a_lease_lasts_as_long_as_was_said(world: World, queue: JobQueue) -> None:
    await world.push(A)
    await claim(queue)
    await world.advance(LEASE_MS / 1000 / 2)
    assert await queue.reap(10) == 0
    await world.advance(LEASE_MS / 1000 / 2)
    assert await queue.reap(10) == 1
    assert await world.places() == Places(pending=[A])


async def test_a_lost_job_is_the_next_to_be_claimed(world: World, queue: JobQueue, control: QueueControl) -> None:
    await world.push(A, B)
    first = await begin(queue, "a")
    await world.expire_leases()
    await queue.reap(10)
    record = await control.find("a")
    assert record is not None
    assert record.state is State.PENDING
    (again,) = await claim(queue)
    entry = read_entry(again.raw)
    assert (entry.payload, entry.deliveries, entry.attempts, entry.origin) == (A, 1, 0, first.receipt)


async def test_a_job_that_was_never_decoded_is_counted_too(world: World, queue: JobQueue) -> None:
    await world.push(b"not json")
    first = await lose_runner(world, queue)
    (again,) = await claim(queue)
    entry = read_entry(again.raw)
    assert (entry.payload, entry.deliveries, entry.origin) == (b"not json", 1, first.receipt)


async def test_a_job_that_loses_its_runner_again_waits_longer_each_time(world: World, queue: JobQueue) -> None:
    await world.push(A)
    await lose_runner(world, queue)
    for delivery, pause in ((2, 5), (3, 10), (4, 20)):
        await lose_runner(world, queue)
        assert await world.places() == Places(delayed=[A])
        await world.advance(pause - 2)
        assert await queue.promote(10) == 0
        await world.advance(2)
        assert await queue.promote(10) == 1
        (again,) = await claim(queue)
        assert read_entry(again.raw).deliveries == delivery
        await settle(queue, "release", again, "a")


async def test_a_job_that_waits_after_a_loss_is_known_to_be_delayed(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(A)
    await settle(queue, "release", await begin(queue, "a"), "a")
    for _ in range(2):
        await begin(queue, "a")
        await world.expire_leases()
        assert await queue.reap(10) == 1
    record = await control.find("a")
    assert record is not None
    assert record.state is State.DELAYED
    assert record.due_at is not None
    assert record.due_at <= world.clock.now() + 5000
    await world.advance(5)
    await queue.promote(10)
    record = await control.find("a")
    assert record is not None
    assert (record.state, record.due_at) == (State.PENDING, None)


async def test_a_retry_does_not_forget_how_often_the_runner_was_lost(world: World, queue: JobQueue) -> None:
    await world.push(A)
    await lose_runner(world, queue)
    await settle(queue, "retry", await begin(queue, "a"), "a")
    await world.next_moment()
    await queue.promote(1)
    (again,) = await claim(queue)
    entry = read_entry(again.raw)
    assert (entry.deliveries, entry.attempts) == (1, 1)


async def test_no_more_is_reaped_at_once_than_was_asked(world: World, queue: JobQueue) -> None:
    await world.push(*(payload(f"j{i}") for i in range(5)))
    await claim(queue, 5)
    await world.expire_leases()
    assert [await queue.reap(2) for _ in range(4)] == [2, 2, 1, 0]


async def test_losses_are_counted(world: World, queue: JobQueue, control: QueueControl) -> None:
    await world.push(A)
    await lose_runner(world, queue)
    assert (await control.depths()).totals == {"reap": 1}


async def test_a_delayed_job_that_loses_its_runners_is_in_one_place(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await control.enqueue([Enqueue("a", A, due=world.clock.now() + 60_000)])
    await world.advance(61)
    await queue.promote(1)
    await lose_runner(world, queue)
    await lose_runner(world, queue)
    assert await world.places() == Places(delayed=[A])
    assert await control.cancel("a") == "cancelled"
    assert await world.places() == Places()
