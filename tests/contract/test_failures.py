"""Dead jobs counted by the cause of their failure: exactly, wherever they come from and go."""

from typing import Any

from pydantic_core import to_json
from tests.contract.steps import begin, payload, settle
from tests.contract.world import World

from edworkers.core.settings import Retention
from edworkers.ports import Enqueue, JobQueue, QueueControl

ONE: dict[str, Any] = {"fingerprint": "1" * 12, "cause": b'{"kind":"boom","message":"one"}', "body": b'{"kind":"boom"}'}
OTHER: dict[str, Any] = {**ONE, "fingerprint": "2" * 12, "cause": to_json({"kind": "x", "message": "a\n b 1 2 {"})}
OF_OLD: dict[str, Any] = {"body": b'{"kind":"boom"}'}
"""As of a runner that knew of no fingerprints."""


async def bury(world: World, queue: JobQueue, job_id: str, why: dict[str, Any]) -> None:
    await world.push(payload(job_id))
    await settle(queue, "bury", await begin(queue, job_id), job_id, **why)
    await world.next_moment()


async def counts(world: World) -> dict[str, int]:
    return {name[0]: group.count for name, group in (await world.failures()).items()}


async def test_dead_jobs_are_counted_by_cause(world: World, queue: JobQueue, control: QueueControl) -> None:
    await bury(world, queue, "a", ONE)
    await bury(world, queue, "b", {**ONE, "cause": b'{"kind":"boom","message":"one more"}'})
    await bury(world, queue, "c", OTHER)
    groups = await world.failures()
    first, last, other = [await control.find(job_id) for job_id in "abc"]
    assert first is not None
    assert last is not None
    assert other is not None
    one = groups["1" * 12]
    assert (one.kind, one.message, one.count) == ("boom", "one more", 2)
    assert (one.first_at, one.last_at) == (first.finished_at, last.finished_at)
    assert (groups["2" * 12].message, groups["2" * 12].count) == ("a\n b 1 2 {", 1)
    assert [(await world.history(job_id)).fingerprint for job_id in "abc"] == ["1" * 12, "1" * 12, "2" * 12]


async def test_a_job_that_was_buried_without_a_fingerprint_is_not_counted_and_can_go(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    for job_id in "abcd":
        await bury(world, queue, job_id, OF_OLD)
    await bury(world, queue, "e", ONE)
    assert await counts(world) == {"1": 1}
    assert await control.replay("a")
    assert await control.drop("b")
    assert await control.edit("c", payload("c"))
    assert await control.enqueue([Enqueue("d", payload("d"))]) == [True]
    assert await counts(world) == {"1": 1}


async def test_a_cause_without_a_dead_job_is_forgotten(world: World, queue: JobQueue, control: QueueControl) -> None:
    for job_id in "ab":
        await bury(world, queue, job_id, ONE)
    await bury(world, queue, "c", OTHER)
    assert await control.replay("a")
    assert await counts(world) == {"1": 1, "2": 1}
    assert await control.drop("b")
    assert await counts(world) == {"2": 1}
    assert await control.edit("c", payload("c"))
    assert await counts(world) == {}


async def test_a_job_that_is_replayed_and_fails_otherwise_counts_for_its_new_cause(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await bury(world, queue, "a", ONE)
    await control.replay("a")
    assert (await world.history("a")).fingerprint is None
    await settle(queue, "bury", await begin(queue, "a"), "a", **OTHER)
    assert await counts(world) == {"2": 1}


async def test_a_dead_job_that_makes_way_for_a_new_one_is_counted_off(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await bury(world, queue, "a", ONE)
    await bury(world, queue, "b", ONE)
    assert await control.enqueue([Enqueue("a", payload("a"))]) == [True]
    assert await counts(world) == {"1": 1}
    await world.push(payload("b"), urgent=True)
    await begin(queue, "b")
    assert await counts(world) == {}


async def test_dead_jobs_whose_time_is_over_are_counted_off(world: World, queue: JobQueue) -> None:
    for job_id in "ab":
        await bury(world, queue, job_id, ONE)
    await world.advance(Retention().dead_seconds + 1)
    assert await queue.trim(1) == 1
    assert await counts(world) == {"1": 1}
    assert await queue.trim(10) == 1
    assert await counts(world) == {}


async def test_dead_jobs_for_which_there_is_no_room_are_counted_off(world: World) -> None:
    queue = world.queue(retention=Retention(max_bytes=400))
    for job_id in "ab":
        await bury(world, queue, job_id, ONE)
    assert await queue.trim(10) == 1
    assert await counts(world) == {"1": 1}


async def test_what_is_no_follow_up_job_counts_once(world: World, queue: JobQueue, control: QueueControl) -> None:
    for job_id in "ab":
        await world.push(payload(job_id))
        await settle(queue, "ack", await begin(queue, job_id), job_id, follow_ups=(b"nonsense",))
        await queue.forward(10)
    [group] = (await world.failures()).values()
    assert (group.kind, group.count) == ("outbox", 1)
    [record] = await control.dead(0, 10)
    assert (await world.history(record.id)).fingerprint == group.fingerprint
    assert await control.drop(record.id)
    assert await counts(world) == {}


async def test_a_burial_whose_reply_is_lost_counts_once(world: World, queue: JobQueue) -> None:
    await world.push(payload("a"))
    delivery = await begin(queue, "a")
    world.lose_next_reply()
    await settle(queue, "bury", delivery, "a", **ONE)
    assert await counts(world) == {"1": 1}
