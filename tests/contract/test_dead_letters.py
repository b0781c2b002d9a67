"""Dead letters: listed, replayed, dropped."""

import pytest
from tests.contract.steps import begin, claim, payload, settle, start
from tests.contract.world import Places, World

from edworkers.core.job import read_entry
from edworkers.core.lifecycle import State
from edworkers.ports import Enqueue, JobQueue, QueueControl

A = payload("a")
ERROR = b'{"kind":"boom","message":"it broke"}'


async def bury(world: World, queue: JobQueue, job_id: str, **more: str) -> None:
    await world.push(payload(job_id))
    await settle(queue, "bury", await begin(queue, job_id, **more), job_id, body=ERROR, **more)
    await world.next_moment()


async def test_dead_letters_are_listed_the_latest_first(world: World, queue: JobQueue, control: QueueControl) -> None:
    for job_id in ("a", "b", "c"):
        await bury(world, queue, job_id)
    assert [record.id for record in await control.dead(0, 10)] == ["c", "b", "a"]
    assert [record.id for record in await control.dead(1, 1)] == ["b"]
    assert await control.dead(3, 10) == []


async def test_a_replayed_job_starts_anew(world: World, queue: JobQueue, control: QueueControl) -> None:
    await world.push(A)
    await settle(queue, "retry", await begin(queue, "a", type="t"), "a", body=ERROR)
    await world.next_moment()
    await queue.promote(1)
    await settle(queue, "bury", await begin(queue, "a"), "a", body=ERROR)
    assert await control.replay("a")
    record = await control.find("a")
    assert record is not None
    assert (record.state, record.attempts, record.error, record.payload) == (State.PENDING, 0, None, None)
    assert record.finished_at is None
    assert record.type == "t"
    assert await world.places() == Places(pending=[A])
    depths = await control.depths()
    assert (depths.dead, depths.totals["recordBytes"]) == (0, 0)
    (again,) = await claim(queue)
    entry = read_entry(again.raw)
    assert (entry.payload, entry.attempts, entry.deliveries, entry.origin) == (A, 0, 0, "a")
    assert await start(queue, again, "a") == "start"


async def test_a_replayed_job_goes_behind_those_that_wait(world: World, queue: JobQueue, control: QueueControl) -> None:
    await bury(world, queue, "a")
    await world.push(payload("b"))
    await control.replay("a")
    assert (await world.places()).pending == [payload("b"), A]


async def test_a_job_is_replayed_once(world: World, queue: JobQueue, control: QueueControl) -> None:
    await bury(world, queue, "a")
    assert [await control.replay("a"), await control.replay("a")] == [True, False]
    assert await world.places() == Places(pending=[A])
    assert (await control.depths()).totals["replay"] == 1


async def test_a_replayed_job_can_die_and_be_replayed_again(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await bury(world, queue, "a")
    for _ in range(2):
        assert await control.replay("a")
        await settle(queue, "bury", await begin(queue, "a"), "a", body=ERROR)
    assert [record.id for record in await control.dead(0, 10)] == ["a"]


async def test_a_job_of_bytes_that_nobody_can_read_is_replayed_as_it_came(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(b"\x00 no json \xff")
    (delivery,) = await claim(queue)
    await settle(queue, "bury", delivery, "made-up", body=ERROR)
    assert await control.replay("made-up")
    (again,) = await claim(queue)
    assert read_entry(again.raw).payload == b"\x00 no json \xff"


async def test_a_replayed_job_holds_its_unique_key_again(world: World, queue: JobQueue, control: QueueControl) -> None:
    await bury(world, queue, "a", unique_key="k")
    await control.replay("a")
    assert await control.enqueue([Enqueue("b", payload("b"), unique_key="k")]) == [False]
    await begin(queue, "a", unique_key="k")


async def test_a_job_is_not_replayed_while_another_has_its_unique_key(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await bury(world, queue, "a", unique_key="k")
    await control.enqueue([Enqueue("b", payload("b"), unique_key="k")])
    assert not await control.replay("a")
    assert await world.places() == Places(pending=[payload("b")], dead=[A])
    await settle(queue, "ack", await begin(queue, "b", unique_key="k"), "b", unique_key="k")
    assert await control.replay("a")


async def test_a_dropped_job_is_gone(world: World, queue: JobQueue, control: QueueControl) -> None:
    await bury(world, queue, "a")
    assert [await control.drop("a"), await control.drop("a")] == [True, False]
    assert await control.find("a") is None
    assert not await control.replay("a")
    assert await world.places() == Places()
    assert (await control.depths()).totals["recordBytes"] == 0


@pytest.mark.parametrize("verb", ["ack", "cancel", "retry", "release"])
async def test_only_dead_jobs_are_replayed_and_dropped(
    world: World, queue: JobQueue, control: QueueControl, verb: str
) -> None:
    await world.push(A)
    await settle(queue, verb, await begin(queue, "a"), "a", delay_ms=1000)
    before = await world.places()
    assert not await control.replay("a")
    assert not await control.drop("a")
    assert not await control.replay("nobody")
    assert not await control.drop("nobody")
    assert await world.places() == before
    assert await control.find("a") is not None


# Replayed with other data.


async def test_a_dead_job_is_replayed_with_other_data(world: World, queue: JobQueue, control: QueueControl) -> None:
    await world.push(A)
    await settle(queue, "bury", await begin(queue, "a", type="t"), "a", body=ERROR)
    edited = payload("a", data={"text": "right"})
    assert await control.edit("a", edited)
    record = await control.find("a")
    assert record is not None
    assert (record.state, record.attempts, record.error, record.payload) == (State.PENDING, 0, None, None)
    assert record.type is None
    assert await world.places() == Places(pending=[edited])
    (again,) = await claim(queue)
    entry = read_entry(again.raw)
    assert (entry.payload, entry.attempts, entry.origin) == (edited, 0, "a")
    assert await start(queue, again, "a", type="other") == "start"
    totals = (await control.depths()).totals
    assert (totals["replay"], totals["recordBytes"]) == (1, 0)


async def test_a_dead_job_is_edited_once(world: World, queue: JobQueue, control: QueueControl) -> None:
    await bury(world, queue, "a")
    assert [await control.edit("a", A), await control.edit("a", A)] == [True, False]
    assert await world.places() == Places(pending=[A])


@pytest.mark.parametrize("verb", ["ack", "cancel", "retry", "release"])
async def test_only_dead_jobs_are_edited(world: World, queue: JobQueue, control: QueueControl, verb: str) -> None:
    await world.push(A)
    await settle(queue, verb, await begin(queue, "a"), "a", delay_ms=1000)
    before = await world.places()
    assert not await control.edit("a", A)
    assert not await control.edit("nobody", b"{}")
    assert await world.places() == before


async def test_an_edited_job_stays_the_job_that_it_is(world: World, queue: JobQueue, control: QueueControl) -> None:
    await bury(world, queue, "a")
    with pytest.raises(ValueError, match="the job is 'a', and can't become 'b'"):
        await control.edit("a", payload("b"))
    assert (await world.places()).dead == [A]
    assert await control.edit("a", b'{"data":{}}')


async def test_an_edited_job_holds_the_unique_key_that_it_has_now(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await bury(world, queue, "a", unique_key="k")
    assert await control.edit("a", A, "other")
    assert await control.enqueue([Enqueue("b", payload("b"), "k"), Enqueue("c", payload("c"), "other")]) == [
        True,
        False,
    ]
    await settle(queue, "bury", await begin(queue, "a", unique_key="other"), "a", unique_key="other")
    assert await control.edit("a", A)
    assert await control.enqueue([Enqueue("c", payload("c"), "other")]) == [True]


async def test_a_job_is_not_edited_to_a_unique_key_that_another_has(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await bury(world, queue, "a")
    await control.enqueue([Enqueue("b", payload("b"), unique_key="k")])
    assert not await control.edit("a", A, "k")
    assert (await world.places()).dead == [A]
