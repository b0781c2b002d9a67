"""Claims: who gets which job, and what a claim proves."""

import pytest
from tests.contract.steps import begin, claim, payload, settle, settle_as, start, start_of
from tests.contract.world import Places, World

from edworkers.core.settings import MAX_PAYLOAD_BYTES
from edworkers.ports import JobQueue

A, B, C = payload("a"), payload("b"), payload("c")


async def test_jobs_are_claimed_in_the_order_in_which_they_came(world: World, queue: JobQueue) -> None:
    await world.push(A, B)
    await world.push(C)
    assert [delivery.raw for delivery in await claim(queue, 3)] == [A, B, C]


async def test_urgent_jobs_are_claimed_before_all_others(world: World, queue: JobQueue) -> None:
    await world.push(A, B)
    await world.push(C, urgent=True)
    assert [delivery.raw for delivery in await claim(queue, 3)] == [C, A, B]


async def test_no_more_is_claimed_than_was_wanted(world: World, queue: JobQueue) -> None:
    await world.push(A, B, C)
    cycle = await queue.cycle((), (), 2)
    assert [delivery.raw for delivery in cycle.deliveries] == [A, B]
    assert cycle.waiting == 1
    assert await world.places() == Places(pending=[C], inflight=[A, B])


async def test_who_wants_none_gets_none(world: World, queue: JobQueue) -> None:
    await world.push(A)
    cycle = await queue.cycle((), (), 0)
    assert cycle.deliveries == ()
    assert cycle.waiting == 1


async def test_an_empty_queue_gives_nothing(queue: JobQueue) -> None:
    cycle = await queue.cycle((), (), 5)
    assert cycle[:5] == ((), (), (), 0, 0)


async def test_a_job_is_given_to_one_runner_only(world: World) -> None:
    await world.push(A, B, C)
    claims = [await claim(world.queue(runner=name), 2) for name in ("one", "two", "three")]
    assert sorted(delivery.raw for deliveries in claims for delivery in deliveries) == [A, B, C]


async def test_every_claim_has_a_receipt_of_its_own_even_of_the_same_job(world: World, queue: JobQueue) -> None:
    receipts: set[str] = set()
    await world.push(A, B)
    for _ in range(4):
        for delivery in await claim(queue, 2):
            receipts.add(delivery.receipt)
            await settle(queue, "release", delivery, "x")
    assert len(receipts) == 8


async def test_bytes_are_handed_out_as_they_came_whatever_they_are(world: World, queue: JobQueue) -> None:
    strange = [b"", b"\x00\xff", b"not json", '{"näme": "\u2028"}'.encode(), b"\x1e", b"\x1e!7", b"\x1e!", b"\r\n$3"]
    await world.push(*strange)
    deliveries = await claim(queue, len(strange))
    assert [(delivery.raw, delivery.oversize) for delivery in deliveries] == [(raw, 0) for raw in strange]


async def test_a_payload_of_the_largest_size_is_handed_out(world: World, queue: JobQueue) -> None:
    largest = b'"' + b"x" * (MAX_PAYLOAD_BYTES - 2) + b'"'
    await world.push(largest)
    (delivery,) = await claim(queue)
    assert delivery.raw == largest
    assert delivery.oversize == 0


@pytest.mark.parametrize("verb", ["release", "retry"])
async def test_a_payload_of_the_largest_size_is_handed_out_again(world: World, queue: JobQueue, verb: str) -> None:
    largest = b'"' + b"x" * (MAX_PAYLOAD_BYTES - 2) + b'"'
    await world.push(largest)
    await settle(queue, verb, await begin(queue, "large"), "large")
    await world.next_moment()
    await queue.promote(1)
    (delivery,) = await claim(queue)
    assert delivery.raw.endswith(b"\n" + largest)
    assert delivery.oversize == 0


async def test_of_too_large_a_payload_only_the_size_is_handed_out(world: World, queue: JobQueue) -> None:
    too_large = b"x" * (MAX_PAYLOAD_BYTES + 1)
    await world.push(too_large)
    world.lose_next_reply()
    (delivery,) = await claim(queue)
    assert delivery.raw == b""
    assert delivery.oversize == MAX_PAYLOAD_BYTES + 1
    assert await world.places() == Places(inflight=[too_large])


async def test_of_too_large_a_payload_that_was_given_back_the_size_stays_the_same(
    world: World, queue: JobQueue
) -> None:
    await world.push(b"x" * (MAX_PAYLOAD_BYTES + 1))
    (delivery,) = await claim(queue)
    await settle(queue, "release", delivery, delivery.receipt, started=False)
    (again,) = await claim(queue)
    assert again.oversize == MAX_PAYLOAD_BYTES + 1


async def test_a_claim_whose_reply_is_lost_is_handed_out_by_the_repeat(world: World, queue: JobQueue) -> None:
    await world.push(A, B, C)
    world.lose_next_reply()
    deliveries = await claim(queue, 2)
    assert [delivery.raw for delivery in deliveries] == [A, B]
    assert await world.places() == Places(pending=[C], inflight=[A, B])
    assert await settle(queue, "ack", deliveries[0], "a") == ()
    assert await settle(queue, "ack", deliveries[1], "b") == ()


async def test_a_runner_holds_what_it_claimed_until_it_says_otherwise(world: World, queue: JobQueue) -> None:
    await world.push(A)
    (delivery,) = await claim(queue)
    assert await claim(queue) == ()
    assert await queue.reap(10) == 0
    assert await start(queue, delivery, "a") == "start"
    assert await world.places() == Places(inflight=[A])


async def test_very_many_jobs_are_claimed_and_settled_in_one_call_each(world: World, queue: JobQueue) -> None:
    await world.push(*(payload(f"j{i}") for i in range(9000)))
    deliveries = [delivery for _ in range(9) for delivery in await claim(queue, 1000)]
    assert len(deliveries) == 9000
    cycle = await queue.cycle((), [start_of(delivery, f"j{i}") for i, delivery in enumerate(deliveries)], 0)
    assert set(cycle.admissions) == {"start"}
    cycle = await queue.cycle([settle_as("ack", delivery, f"j{i}") for i, delivery in enumerate(deliveries)], (), 0)
    assert cycle.lost == ()
    depths = await world.control().depths()
    assert (depths.inflight, depths.totals["ack"]) == (0, 9000)
    assert await queue.reap(10_000) == 0
