"""Repair: what is whole is left alone, and what nobody would ever come back for is freed or set aside."""

import pytest
from tests.contract.steps import begin, claim, payload, settle, start
from tests.contract.world import RETENTION, Places, World

from edworkers.core.lifecycle import State
from edworkers.ports import Enqueue, JobQueue, QueueControl

A, B, C, D, E = (payload(job_id) for job_id in "abcde")
NEXT = payload("n")


def keyed(job_id: str) -> Enqueue:
    return Enqueue(job_id, payload(job_id), unique_key="k")


async def test_a_queue_that_is_whole_is_left_alone(world: World, queue: JobQueue, control: QueueControl) -> None:
    await world.push(A, B, C, D)
    await control.enqueue([keyed("e")])
    await settle(queue, "ack", await begin(queue, "a"), "a", follow_ups=(b"next n\n" + NEXT,))
    await settle(queue, "bury", await begin(queue, "b"), "b", body=b"{}")
    await settle(queue, "retry", await begin(queue, "c"), "c", delay_ms=60_000, gate_ms=90_000)
    await world.advance(90)
    running = await begin(queue, "d")
    before, depths = await world.places(), await control.depths()
    assert await queue.repair(100) == 0
    assert await world.places() == before == Places(pending=[E], inflight=[D], delayed=[C], dead=[B])
    assert (await control.depths()).totals == depths.totals
    assert await settle(queue, "ack", running, "d") == ()
    assert await control.enqueue([keyed("f")]) == [False]


async def test_a_unique_key_is_free_again_when_its_job_has_vanished(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    assert await control.enqueue([keyed("a")]) == [True]
    (delivery,) = await claim(queue)
    await settle(queue, "duplicate", delivery, "a", started=False)  # which forgets the bytes, and leaves the record
    assert await queue.repair(100) == 0
    await world.advance(RETENTION.dead_seconds + 1)
    assert await control.enqueue([keyed("b")]) == [False]
    assert await queue.repair(100) == 1
    assert (await control.depths()).totals["repair"] == 1
    assert await control.enqueue([keyed("b")]) == [True]
    assert await queue.repair(100) == 0


async def test_a_job_that_waits_longer_than_its_record_is_kept_still_has_its_unique_key(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await control.enqueue([keyed("a")])
    await world.advance(RETENTION.dead_seconds + 1)
    assert await control.find("a") is None
    assert await queue.repair(100) == 0
    assert await control.enqueue([keyed("b")]) == [False]
    delivery = await begin(queue, "a", unique_key="k")
    assert await queue.repair(100) == 0
    await settle(queue, "ack", delivery, "a", unique_key="k")
    assert await control.enqueue([keyed("b")]) == [True]


@pytest.mark.parametrize("item", [b"", b"nonsense", b"next\n{}", b"Next a\n{}", b"next  a\n{}", b"\xff\xfe a\n{}", A])
async def test_what_lies_in_the_outbox_and_is_no_follow_up_job_is_put_among_the_dead_letters(
    world: World, queue: JobQueue, control: QueueControl, item: bytes
) -> None:
    await world.push(A)
    follow_ups = (item, b"next n\n" + NEXT)
    await settle(queue, "ack", await begin(queue, "a"), "a", follow_ups=follow_ups)
    assert await queue.forward(10) == 2
    assert await queue.forward(10) == 0
    (record,) = await control.dead(0, 10)
    assert (record.state, record.payload) == (State.DEAD, item)
    assert record.error is not None
    assert record.error["kind"] == "outbox"
    assert (await world.places("next")).pending == [NEXT]
    assert await control.drop(record.id)
    assert (await control.depths()).totals["repair"] == 1


async def test_the_same_nonsense_twice_is_one_dead_letter(world: World, queue: JobQueue, control: QueueControl) -> None:
    await world.push(A, B)
    for job_id in "ab":
        await settle(queue, "ack", await begin(queue, job_id), job_id, follow_ups=(b"nonsense",))
        assert await queue.forward(10) == 1
    (record,) = await control.dead(0, 10)
    before = (await control.depths()).totals["recordBytes"]
    assert await queue.repair(100) == 0  # which counts the bytes of records anew
    await control.drop(record.id)
    assert (await control.depths()).totals["recordBytes"] < before


async def test_of_two_that_repair_at_once_each_thing_is_mended_by_one(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await control.enqueue([keyed("a")])
    (delivery,) = await claim(queue)
    await settle(queue, "duplicate", delivery, "a", started=False)
    await world.advance(RETENTION.dead_seconds + 1)
    other = world.queue(runner="other")
    assert await queue.repair(100) + await other.repair(100) == 1


async def test_a_job_in_hand_is_none_of_repairs_business(world: World, queue: JobQueue) -> None:
    await world.push(A)
    (delivery,) = await claim(queue)
    assert await queue.repair(100) == 0
    assert await start(queue, delivery, "a") == "start"
    assert await queue.repair(100) == 0
