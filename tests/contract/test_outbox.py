"""Follow-up jobs: written with the end of the job that they follow, then passed on."""

from tests.contract.steps import begin, payload, settle
from tests.contract.world import Places, World

from edworkers.core.lifecycle import State
from edworkers.ports import JobQueue

A = payload("a")
NEXT = payload("a.next")
FOLLOW_UP = b"next a.next\n" + NEXT


async def test_a_follow_up_job_reaches_its_queue(world: World, queue: JobQueue) -> None:
    await world.push(A)
    await settle(queue, "ack", await begin(queue, "a"), "a", follow_ups=(FOLLOW_UP,))
    assert await world.places("next") == Places()
    assert await queue.forward(10) == 1
    assert await world.places("next") == Places(pending=[NEXT])
    record = await world.control("next").find("a.next")
    assert record is not None
    assert (record.state, record.queue) == (State.PENDING, "next")
    assert await queue.forward(10) == 0


async def test_a_follow_up_job_that_was_sent_before_is_not_sent_again(world: World, queue: JobQueue) -> None:
    await world.push(A, payload("b"))
    for job_id in ("a", "b"):
        await settle(queue, "ack", await begin(queue, job_id), job_id, follow_ups=(FOLLOW_UP,))
    assert await queue.forward(10) == 2
    assert await world.places("next") == Places(pending=[NEXT])


async def test_a_follow_up_job_that_is_dead_by_now_is_not_sent_again(world: World, queue: JobQueue) -> None:
    await world.push(A, payload("b"))
    await settle(queue, "ack", await begin(queue, "a"), "a", follow_ups=(FOLLOW_UP,))
    await queue.forward(10)
    next_queue = world.queue("next")
    await settle(next_queue, "bury", await begin(next_queue, "a.next"), "a.next")
    await settle(queue, "ack", await begin(queue, "b"), "b", follow_ups=(FOLLOW_UP,))
    await queue.forward(10)
    assert (await world.places("next")).pending == []


async def test_an_ack_whose_reply_is_lost_sends_its_follow_up_jobs_once(world: World, queue: JobQueue) -> None:
    await world.push(A)
    delivery = await begin(queue, "a")
    world.lose_next_reply()
    await settle(queue, "ack", delivery, "a", follow_ups=(FOLLOW_UP,))
    assert await queue.forward(10) == 1


async def test_follow_up_jobs_are_passed_on_in_their_order_so_many_at_a_time(world: World, queue: JobQueue) -> None:
    await world.push(A)
    jobs = [payload(f"n{i}") for i in range(5)]
    follow_ups = tuple(b"next n%d\n" % i + job for i, job in enumerate(jobs))
    await settle(queue, "ack", await begin(queue, "a"), "a", follow_ups=follow_ups)
    assert await queue.forward(2) == 2
    assert (await world.places("next")).pending == jobs[:2]
    assert [await queue.forward(2) for _ in range(3)] == [2, 1, 0]
    assert (await world.places("next")).pending == jobs


async def test_a_follow_up_payload_is_passed_on_byte_for_byte(world: World, queue: JobQueue) -> None:
    raw = b'{"data": {"n": 9007199254740993, "l": []}}\n\n \xff'
    await world.push(A)
    await settle(queue, "ack", await begin(queue, "a"), "a", follow_ups=(b"next n\n" + raw,))
    await queue.forward(1)
    assert await world.places("next") == Places(pending=[raw])


async def test_any_runner_or_keeper_passes_on_what_another_left(world: World, queue: JobQueue) -> None:
    await world.push(A)
    await settle(queue, "ack", await begin(queue, "a"), "a", follow_ups=(FOLLOW_UP,))
    assert await world.queue(runner="keeper").forward(10) == 1
    assert await world.places("next") == Places(pending=[NEXT])


async def test_a_job_may_be_followed_by_one_of_its_own_queue(world: World, queue: JobQueue) -> None:
    await world.push(A)
    await settle(queue, "ack", await begin(queue, "a"), "a", follow_ups=(b"work a.work\n" + NEXT,))
    await queue.forward(10)
    assert await world.places() == Places(pending=[NEXT])
