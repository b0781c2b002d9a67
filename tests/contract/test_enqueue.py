"""Enqueueing by those who know the job's id, and plain counts."""

from tests.contract.steps import begin, claim, payload, settle
from tests.contract.world import Places, World

from edworkers.core.lifecycle import State
from edworkers.ports import Enqueue, JobQueue, QueueControl

A, B, C = payload("a"), payload("b"), payload("c")


async def test_an_enqueued_job_waits_and_has_a_record(world: World, control: QueueControl) -> None:
    assert await control.enqueue([Enqueue("a", A)]) == [True]
    record = await control.find("a")
    assert record is not None
    assert (record.id, record.queue, record.state, record.attempts) == ("a", "work", State.PENDING, 0)
    assert record.queued_at is not None
    assert await world.places() == Places(pending=[A])


async def test_nothing_is_known_of_an_id_that_nobody_used(control: QueueControl) -> None:
    assert await control.find("nobody") is None


async def test_no_jobs_are_no_fault(control: QueueControl) -> None:
    assert await control.enqueue([]) == []


async def test_jobs_of_one_call_keep_their_order(world: World, control: QueueControl) -> None:
    await control.enqueue([Enqueue("a", A), Enqueue("b", B)])
    await control.enqueue([Enqueue("c", C)])
    assert (await world.places()).pending == [A, B, C]


async def test_an_urgent_job_goes_to_the_front(world: World, control: QueueControl) -> None:
    await control.enqueue([Enqueue("a", A), Enqueue("b", B, urgent=True)])
    assert (await world.places()).pending == [B, A]


async def test_a_known_id_is_a_duplicate_wherever_its_job_is(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    again = [Enqueue("a", A)]
    assert await control.enqueue([*again, *again]) == [True, False]
    delivery = await begin(queue, "a")
    assert await control.enqueue(again) == [False]
    await settle(queue, "retry", delivery, "a")
    assert await control.enqueue(again) == [False]
    await world.next_moment()
    await queue.promote(1)
    await settle(queue, "ack", await begin(queue, "a"), "a")
    assert await control.enqueue(again) == [False]
    assert await world.places() == Places()


async def test_a_dead_jobs_id_can_be_used_again(world: World, queue: JobQueue, control: QueueControl) -> None:
    await control.enqueue([Enqueue("a", A)])
    await settle(queue, "bury", await begin(queue, "a"), "a", body=b'{"kind":"x"}')
    assert await control.enqueue([Enqueue("a", A)]) == [True]
    record = await control.find("a")
    assert record is not None
    assert (record.state, record.error, record.attempts) == (State.PENDING, None, 0)
    assert await world.places() == Places(pending=[A])
    assert (await control.depths()).totals["recordBytes"] == 0


async def test_a_unique_key_allows_one_job_until_that_has_ended(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    assert await control.enqueue([Enqueue("a", A, unique_key="k"), Enqueue("b", B, unique_key="k")]) == [True, False]
    assert await control.find("b") is None
    delivery = await begin(queue, "a", unique_key="k")
    assert await control.enqueue([Enqueue("b", B, unique_key="k")]) == [False]
    await settle(queue, "ack", delivery, "a", unique_key="k")
    assert await control.enqueue([Enqueue("b", B, unique_key="k")]) == [True]
    assert await world.places() == Places(pending=[B])


async def test_a_unique_key_of_a_delayed_job_is_free_when_that_is_cancelled(
    world: World, control: QueueControl
) -> None:
    due = world.clock.now() + 60_000
    assert await control.enqueue([Enqueue("a", A, unique_key="k", due=due)]) == [True]
    assert await control.enqueue([Enqueue("b", B, unique_key="k")]) == [False]
    await control.cancel("a")
    assert await control.enqueue([Enqueue("b", B, unique_key="k")]) == [True]


async def test_a_delayed_job_is_known_as_such(world: World, queue: JobQueue, control: QueueControl) -> None:
    due = world.clock.now() + 60_000
    await control.enqueue([Enqueue("a", A, due=due)])
    record = await control.find("a")
    assert record is not None
    assert (record.state, record.due_at) == (State.DELAYED, due)
    assert await world.places() == Places(delayed=[A])
    assert await claim(queue) == ()


async def test_a_time_that_is_over_means_at_once(world: World, control: QueueControl) -> None:
    await control.enqueue([Enqueue("a", A, due=world.clock.now() - 1000)])
    assert await world.places() == Places(pending=[A])


async def test_an_enqueue_may_be_repeated(world: World, control: QueueControl) -> None:
    jobs = [Enqueue("a", A), Enqueue("b", B, due=world.clock.now() + 60_000)]
    assert await control.enqueue(jobs) == [True, True]
    assert await control.enqueue(jobs) == [False, False]
    assert await world.places() == Places(pending=[A], delayed=[B])


async def test_depths_count_each_place(world: World, queue: JobQueue, control: QueueControl) -> None:
    due = world.clock.now() + 60_000
    await control.enqueue([Enqueue("a", A), Enqueue("b", B), Enqueue("c", C), Enqueue("d", payload("d"), due=due)])
    await settle(queue, "bury", await begin(queue, "a"), "a")
    await claim(queue)
    depths = await control.depths()
    assert (depths.queue, depths.pending, depths.inflight, depths.delayed, depths.dead) == ("work", 1, 1, 1, 1)
    assert (depths.paused, depths.throttled, depths.gate_ms, depths.runners) == (False, False, 0, 0)
    assert depths.totals["bury"] == 1


async def test_queues_do_not_see_each_others_jobs(world: World, control: QueueControl) -> None:
    await control.enqueue([Enqueue("a", A)])
    other = world.control("other")
    assert await other.find("a") is None
    assert (await other.depths()).pending == 0
    assert await other.enqueue([Enqueue("a", A)]) == [True]
