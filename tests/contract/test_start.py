"""Starts: which claimed job may begin."""

from tests.contract.steps import begin, claim, payload, settle, start, start_of
from tests.contract.world import World

from edworkers.core.lifecycle import State
from edworkers.ports import Enqueue, JobQueue, QueueControl

A, B = payload("a"), payload("b")


async def test_a_job_begins_and_its_record_says_so(world: World, queue: JobQueue, control: QueueControl) -> None:
    await world.push(A)
    await begin(queue, "a", type="letter")
    record = await control.find("a")
    assert record is not None
    assert (record.state, record.type, record.attempts, record.queue) == (State.INFLIGHT, "letter", 1, "work")
    assert record.started_at is not None
    assert record.queued_at is None


async def test_answers_come_in_the_order_of_the_questions(world: World, queue: JobQueue) -> None:
    await world.push(A, A, B)
    one, two, three = await claim(queue, 3)
    starts = [start_of(one, "a"), start_of(two, "a"), start_of(three, "b")]
    assert (await queue.cycle((), starts, 0)).admissions == ("start", "duplicate", "start")


async def test_a_job_that_was_settled_can_not_begin(world: World, queue: JobQueue) -> None:
    await world.push(A)
    (delivery,) = await claim(queue)
    await settle(queue, "ack", delivery, "a")
    assert await start(queue, delivery, "a") == "lost"


async def test_a_job_whose_lease_was_taken_away_can_not_begin(world: World, queue: JobQueue) -> None:
    await world.push(A)
    (delivery,) = await claim(queue)
    await world.expire_leases()
    await queue.reap(10)
    assert await start(queue, delivery, "a") == "lost"


async def test_a_start_whose_reply_is_lost_is_answered_the_same_by_the_repeat(world: World, queue: JobQueue) -> None:
    await world.push(A)
    (delivery,) = await claim(queue)
    world.lose_next_reply()
    assert await start(queue, delivery, "a", unique_key="k") == "start"


async def test_a_second_job_of_the_same_id_is_a_duplicate_while_the_first_runs(world: World, queue: JobQueue) -> None:
    await world.push(A, A)
    await begin(queue, "a")
    (second,) = await claim(queue)
    assert await start(queue, second, "a") == "duplicate"


async def test_a_second_job_of_the_same_id_is_a_duplicate_while_the_first_waits_for_its_retry(
    world: World, queue: JobQueue
) -> None:
    await world.push(A, A)
    await settle(queue, "retry", await begin(queue, "a"), "a", delay_ms=10_000)
    (second,) = await claim(queue)
    assert await start(queue, second, "a") == "duplicate"


async def test_a_second_job_of_the_same_id_is_a_duplicate_after_the_first_is_done(
    world: World, queue: JobQueue
) -> None:
    await world.push(A)
    await settle(queue, "ack", await begin(queue, "a"), "a")
    await world.push(A)
    (second,) = await claim(queue)
    assert await start(queue, second, "a") == "duplicate"


async def test_a_pushed_job_is_a_duplicate_of_the_enqueued_one(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await control.enqueue([Enqueue("a", A)])
    await world.push(A)
    enqueued, pushed = await claim(queue, 2)
    assert await start(queue, enqueued, "a") == "start"
    assert await start(queue, pushed, "a") == "duplicate"


async def test_dropping_a_duplicate_leaves_the_first_job_alone(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(A, A)
    first = await begin(queue, "a")
    (second,) = await claim(queue)
    await start(queue, second, "a")
    assert await settle(queue, "duplicate", second, "a", started=False) == ()
    assert (await world.places()).inflight == [A]
    assert await settle(queue, "ack", first, "a", body=b"1") == ()
    record = await control.find("a")
    assert record is not None
    assert (record.state, record.result) == (State.DONE, 1)


async def test_a_new_job_of_a_dead_ones_id_begins_and_takes_its_place(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(A)
    await settle(queue, "bury", await begin(queue, "a"), "a", body=b'{"kind":"x"}')
    await world.push(A)
    await begin(queue, "a")
    record = await control.find("a")
    assert record is not None
    assert (record.state, record.error, record.payload) == (State.INFLIGHT, None, None)
    assert await control.dead(0, 10) == []


async def test_a_job_begins_again_after_its_retry_with_the_next_number(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(A)
    await settle(queue, "retry", await begin(queue, "a"), "a")
    await world.next_moment()
    await queue.promote(1)
    await begin(queue, "a")
    record = await control.find("a")
    assert record is not None
    assert (record.state, record.attempts) == (State.INFLIGHT, 2)


async def test_a_job_begins_again_after_its_runner_was_lost(world: World, queue: JobQueue) -> None:
    await world.push(A)
    await begin(queue, "a")
    await world.expire_leases()
    await queue.reap(10)
    await begin(queue, "a")


async def test_a_unique_key_lets_one_job_begin_at_a_time(world: World, queue: JobQueue) -> None:
    await world.push(A, B)
    first = await begin(queue, "a", unique_key="k")
    (second,) = await claim(queue)
    assert await start(queue, second, "b", unique_key="k") == "duplicate"
    await settle(queue, "duplicate", second, "b", unique_key="k", started=False)
    await settle(queue, "ack", first, "a", unique_key="k")
    await world.push(payload("c"))
    await begin(queue, "c", unique_key="k")


async def test_a_unique_key_is_kept_over_retry_release_and_loss(world: World, queue: JobQueue) -> None:
    await world.push(A)
    await settle(queue, "retry", await begin(queue, "a", unique_key="k"), "a", unique_key="k")
    await _expect_taken(world, queue)
    await world.next_moment()
    await queue.promote(1)
    await settle(queue, "release", await begin(queue, "a", unique_key="k"), "a", unique_key="k")
    await _expect_taken(world, queue)
    await begin(queue, "a", unique_key="k")
    await world.expire_leases()
    await queue.reap(1)
    await _expect_taken(world, queue)


async def _expect_taken(world: World, queue: JobQueue) -> None:
    await world.push(B, urgent=True)
    (other,) = await claim(queue)
    assert await start(queue, other, "b", unique_key="k") == "duplicate"
    await settle(queue, "duplicate", other, "b", unique_key="k", started=False)


async def test_other_unique_keys_do_not_matter(world: World, queue: JobQueue) -> None:
    await world.push(A, B)
    await begin(queue, "a", unique_key="k")
    await begin(queue, "b", unique_key="other")
