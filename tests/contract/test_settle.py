"""Settlements: what becomes of a job, and who may say so."""

import pytest
from tests.contract.steps import begin, claim, payload, settle, settle_as
from tests.contract.world import Places, World

from edworkers.core.job import read_entry
from edworkers.core.lifecycle import State
from edworkers.ports import JobQueue, QueueControl

A, B = payload("a"), payload("b")
ERROR = b'{"kind":"boom","message":"it broke"}'
VERBS = ("ack", "retry", "defer", "bury", "cancel", "release", "duplicate")
# What a decoder that is not byte for byte would spoil: 2**53 + 1, an empty array, spaces, escapes, a repeated name.
DELICATE = b'{ "id":"a","data":{"n":9007199254740993,"l":[],"o":{},"f":1.0,"e":1e400,"s":"\\u00e9\\/","n":[ ]}}\n'


async def test_an_ack_keeps_the_result(world: World, queue: JobQueue, control: QueueControl) -> None:
    await world.push(A)
    await settle(queue, "ack", await begin(queue, "a"), "a", body=b'{"big":9007199254740993,"none":[]}', seconds=1.5)
    record = await control.find("a")
    assert record is not None
    assert (record.state, record.attempts, record.seconds) == (State.DONE, 1, 1.5)
    assert record.result == {"big": 9007199254740993, "none": []}
    assert record.finished_at is not None
    assert record.started_at is not None
    assert record.started_at <= record.finished_at
    assert await world.places() == Places()


async def test_an_ack_without_a_result_is_done_all_the_same(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(A)
    await settle(queue, "ack", await begin(queue, "a"), "a")
    record = await control.find("a")
    assert record is not None
    assert (record.state, record.result) == (State.DONE, None)


async def test_a_retry_waits_and_keeps_the_error(world: World, queue: JobQueue, control: QueueControl) -> None:
    await world.push(A)
    before = world.clock.now()
    await settle(queue, "retry", await begin(queue, "a"), "a", body=ERROR, delay_ms=60_000)
    record = await control.find("a")
    assert record is not None
    assert (record.state, record.attempts) == (State.DELAYED, 1)
    assert record.error == {"kind": "boom", "message": "it broke"}
    assert record.due_at is not None
    assert record.due_at >= before + 60_000
    assert await world.places() == Places(delayed=[A])


async def test_a_retried_job_comes_back_with_one_attempt_more(world: World, queue: JobQueue) -> None:
    await world.push(A)
    first = await begin(queue, "a")
    await settle(queue, "retry", first, "a")
    await world.next_moment()
    await queue.promote(1)
    (again,) = await claim(queue)
    entry = read_entry(again.raw)
    assert (entry.payload, entry.attempts, entry.deliveries, entry.origin) == (A, 1, 0, first.receipt)


async def test_a_deferred_job_comes_back_with_no_attempt_more(world: World, queue: JobQueue) -> None:
    await world.push(A)
    await settle(queue, "defer", await begin(queue, "a"), "a", delay_ms=1000)
    assert await queue.promote(1) == 0
    await world.advance(2)
    assert await queue.promote(1) == 1
    (again,) = await claim(queue)
    entry = read_entry(again.raw)
    assert (entry.payload, entry.attempts) == (A, 0)
    assert entry.due > 0


async def test_a_deferral_to_a_time_waits_until_then(world: World, queue: JobQueue, control: QueueControl) -> None:
    await world.push(A)
    due = world.clock.now() + 3_600_000
    await settle(queue, "defer", await begin(queue, "a"), "a", due=due)
    record = await control.find("a")
    assert record is not None
    assert (record.state, record.due_at, record.error) == (State.DELAYED, due, None)


async def test_a_buried_job_is_a_dead_letter_with_its_error(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(A)
    await settle(queue, "bury", await begin(queue, "a"), "a", body=ERROR)
    (record,) = await control.dead(0, 10)
    assert (record.id, record.state, record.payload) == ("a", State.DEAD, A)
    assert record.error == {"kind": "boom", "message": "it broke"}
    assert record == await control.find("a")
    assert await world.places() == Places(dead=[A])


async def test_a_cancelled_job_has_ended(world: World, queue: JobQueue, control: QueueControl) -> None:
    await world.push(A)
    await settle(queue, "cancel", await begin(queue, "a"), "a")
    record = await control.find("a")
    assert record is not None
    assert record.state is State.CANCELLED
    assert record.finished_at is not None
    assert await world.places() == Places()


async def test_a_released_job_is_the_next_to_be_claimed_and_has_lost_nothing(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(A, B)
    first = await begin(queue, "a")
    await settle(queue, "release", first, "a")
    record = await control.find("a")
    assert record is not None
    assert record.state is State.PENDING
    assert await world.places() == Places(pending=[A, B])
    (again,) = await claim(queue)
    entry = read_entry(again.raw)
    assert (entry.payload, entry.attempts, entry.deliveries, entry.origin) == (A, 0, 0, first.receipt)


@pytest.mark.parametrize("raw", [DELICATE, b"not json at all\x00\xff", b"", b"\x1e9999999999 0 0 x\n{}", b"\x1e"])
@pytest.mark.parametrize("verb", ["retry", "defer", "release", "bury"])
async def test_a_payload_stays_byte_for_byte(world: World, queue: JobQueue, raw: bytes, verb: str) -> None:
    await world.push(raw)
    for _ in range(2):
        (delivery,) = await claim(queue)
        assert read_entry(delivery.raw).payload == raw
        await settle(queue, verb, delivery, "a", body=ERROR)
        await world.next_moment()
        await queue.promote(1)
        assert (await world.places()).all == [raw]
        await world.control().replay("a")


@pytest.mark.parametrize("verb", VERBS)
async def test_a_job_can_be_settled_once_only(world: World, queue: JobQueue, verb: str) -> None:
    await world.push(A)
    delivery = await begin(queue, "a")
    assert await settle(queue, verb, delivery, "a", body=ERROR) == ()
    before = await world.places()
    for second in VERBS:
        assert await settle(queue, second, delivery, "a", body=ERROR) == (delivery.receipt,)
    assert await world.places() == before


@pytest.mark.parametrize("verb", VERBS)
async def test_who_lost_the_lease_is_refused_and_changes_nothing(
    world: World, queue: JobQueue, control: QueueControl, verb: str
) -> None:
    await world.push(A)
    late = await begin(queue, "a")
    await world.expire_leases()
    assert await queue.reap(10) == 1
    winner = await begin(world.queue(runner="other"), "a")
    before = await control.find("a")
    assert await settle(queue, verb, late, "a", body=ERROR, follow_ups=(b"next n\n{}",)) == (late.receipt,)
    assert await control.find("a") == before
    assert await world.places() == Places(inflight=[A])
    assert await queue.forward(10) == 0
    assert await settle(queue, "ack", winner, "a") == ()


async def test_a_lease_that_ran_out_but_was_not_taken_away_still_counts(world: World, queue: JobQueue) -> None:
    await world.push(A)
    delivery = await begin(queue, "a")
    await world.expire_leases()
    assert await settle(queue, "ack", delivery, "a") == ()
    assert await queue.reap(10) == 0


async def test_receipts_that_nobody_gave_are_refused(world: World, queue: JobQueue) -> None:
    await world.push(A)
    (delivery,) = await claim(queue)
    assert await settle(queue, "ack", delivery._replace(receipt="r.ffff.1"), "a") == ("r.ffff.1",)
    assert await world.places() == Places(inflight=[A])


@pytest.mark.parametrize("verb", VERBS)
async def test_a_settlement_whose_reply_is_lost_happens_once(
    world: World, queue: JobQueue, control: QueueControl, verb: str
) -> None:
    await world.push(A)
    delivery = await begin(queue, "a")
    world.lose_next_reply()
    assert await settle(queue, verb, delivery, "a", body=ERROR, delay_ms=1000) == ()
    assert {name: count for name, count in (await control.depths()).totals.items() if name in VERBS} == {verb: 1}
    assert len((await world.places()).all) == (verb not in {"ack", "cancel", "duplicate"})


async def test_many_jobs_are_settled_and_claimed_in_one_step(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    jobs = [payload(f"j{i}") for i in range(10)]
    await world.push(*jobs)
    held = await claim(queue, 7)
    ends = [settle_as(verb, held[i], f"j{i}", body=ERROR, delay_ms=1000) for i, verb in enumerate(VERBS)]
    cycle = await queue.cycle(ends, (), 4)
    assert cycle.lost == ()
    # What was released goes out again before those that still wait.
    assert [read_entry(delivery.raw).payload for delivery in cycle.deliveries] == [jobs[5], *jobs[7:]]
    totals = (await control.depths()).totals
    assert {verb: totals[verb] for verb in VERBS} == dict.fromkeys(VERBS, 1)
    assert await world.places() == Places(
        inflight=sorted([jobs[5], *jobs[7:]]), delayed=[jobs[1], jobs[2]], dead=[jobs[3]]
    )


async def test_of_several_settlements_only_the_lost_are_refused(world: World, queue: JobQueue) -> None:
    await world.push(A, B)
    one, two = await claim(queue, 2)
    await settle(queue, "ack", one, "a")
    cycle = await queue.cycle((settle_as("ack", one, "a"), settle_as("ack", two, "b")), (), 0)
    assert cycle.lost == (one.receipt,)


async def test_a_deferral_can_close_the_queue_for_everyone(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(A, B)
    await settle(queue, "defer", await begin(queue, "a"), "a", delay_ms=30_000, gate_ms=30_000)
    cycle = await world.queue(runner="other").cycle((), (), 5)
    assert cycle.deliveries == ()
    assert 0 < cycle.closed_ms <= 30_000
    depths = await control.depths()
    assert 0 < depths.gate_ms <= 30_000
    assert not depths.throttled
    await world.advance(31)
    assert [delivery.raw for delivery in await claim(queue, 5)] == [B]


async def test_the_longest_request_to_wait_counts(world: World, queue: JobQueue) -> None:
    await world.push(A, B)
    one, two = await claim(queue, 2)
    await settle(queue, "defer", one, "a", gate_ms=50_000)
    await settle(queue, "defer", two, "b", gate_ms=1)
    await world.advance(5)
    assert (await queue.cycle((), (), 1)).closed_ms > 1000


async def test_a_long_request_to_wait_is_told_to_the_autoscaler(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(A)
    await settle(queue, "defer", await begin(queue, "a"), "a", gate_ms=120_000)
    assert (await control.depths()).throttled
    await world.advance(121)
    depths = await control.depths()
    assert (depths.throttled, depths.gate_ms) == (False, 0)


async def test_progress_is_kept_for_the_holder_only(world: World, queue: JobQueue, control: QueueControl) -> None:
    await world.push(A)
    late = await begin(queue, "a")
    assert await queue.report_progress("a", late.receipt, b'{"fraction":0.1}')
    await world.expire_leases()
    await queue.reap(1)
    holder = await begin(queue, "a")
    assert not await queue.report_progress("a", late.receipt, b'{"fraction":0.9}')
    record = await control.find("a")
    assert record is not None
    assert record.progress == {"fraction": 0.1}
    assert await queue.report_progress("a", holder.receipt, b'{"fraction":0.2}')
    record = await control.find("a")
    assert record is not None
    assert record.progress == {"fraction": 0.2}
