"""Pausing a queue, and telling the autoscaler that it is closed."""

from tests.contract.steps import begin, claim, payload, settle
from tests.contract.world import Places, World

from edworkers.ports import JobQueue, QueueControl

A, B = payload("a"), payload("b")


async def test_nothing_is_claimed_while_paused(world: World, queue: JobQueue, control: QueueControl) -> None:
    await world.push(A)
    assert await control.pause(paused=True)
    cycle = await queue.cycle((), (), 5)
    assert (cycle.deliveries, cycle.closed_ms) == ((), -1)
    assert (await control.depths()).paused
    assert await world.places() == Places(pending=[A])


async def test_a_resumed_queue_gives_its_jobs(world: World, queue: JobQueue, control: QueueControl) -> None:
    await world.push(A)
    await control.pause(paused=True)
    assert await control.pause(paused=False)
    cycle = await queue.cycle((), (), 5)
    assert [delivery.raw for delivery in cycle.deliveries] == [A]
    assert cycle.closed_ms == 0
    assert not (await control.depths()).paused


async def test_pausing_and_resuming_tell_whether_anything_changed(control: QueueControl) -> None:
    assert [await control.pause(paused=paused) for paused in (False, True, True, False, False)] == [
        False,
        True,
        False,
        True,
        False,
    ]


async def test_running_jobs_go_on_while_paused(world: World, queue: JobQueue, control: QueueControl) -> None:
    await world.push(A, B)
    one = await begin(queue, "a")
    await control.pause(paused=True)
    assert await settle(queue, "ack", one, "a") == ()
    assert await world.places() == Places(pending=[B])


async def test_a_paused_queue_is_said_to_be_closed_even_to_those_who_want_nothing(
    queue: JobQueue, control: QueueControl
) -> None:
    await control.pause(paused=True)
    assert (await queue.cycle((), (), 0)).closed_ms == -1


async def test_only_the_queue_that_was_named_is_paused(world: World, control: QueueControl) -> None:
    await control.pause(paused=True)
    other = world.queue("other")
    await world.push(A, queue="other")
    assert len(await claim(other)) == 1


async def test_a_throttled_queue_says_so_until_the_time_is_over(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await queue.throttle(120_000, "day")
    assert (await control.depths()).throttled
    await world.advance(121)
    assert not (await control.depths()).throttled


async def test_a_throttled_queue_is_not_closed(world: World, queue: JobQueue) -> None:
    await world.push(A)
    await queue.throttle(120_000, "day")
    assert len(await claim(queue)) == 1


async def test_to_resume_a_throttled_queue_lets_the_autoscaler_look_again(
    queue: JobQueue, control: QueueControl
) -> None:
    await queue.throttle(120_000, "day")
    assert await control.pause(paused=False)
    assert not (await control.depths()).throttled
    assert not await control.pause(paused=False)
