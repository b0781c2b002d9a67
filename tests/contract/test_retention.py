"""Retention: records of jobs that ended are kept for a time and up to a size."""

from tests.contract.steps import begin, payload, settle
from tests.contract.world import World

from edworkers.core.settings import Retention
from edworkers.ports import JobQueue

SHORT = Retention(result_seconds=100, dead_seconds=1000)


async def end(world: World, queue: JobQueue, job_id: str, verb: str, body: bytes = b"") -> None:
    await world.push(payload(job_id))
    await settle(queue, verb, await begin(queue, job_id), job_id, body=body)
    await world.next_moment()


async def kept(world: World, *job_ids: str) -> list[str]:
    control = world.control()
    return [job_id for job_id in job_ids if await control.find(job_id) is not None]


async def record_bytes(world: World) -> int:
    return (await world.control().depths()).totals.get("recordBytes", 0)


async def test_results_are_kept_for_their_time(world: World) -> None:
    queue = world.queue(retention=SHORT)
    await end(world, queue, "done", "ack")
    await end(world, queue, "cancelled", "cancel")
    await end(world, queue, "dead", "bury")
    await world.advance(50)
    assert await queue.trim(10) == 0
    await world.advance(50)
    assert await queue.trim(10) == 2
    assert await kept(world, "done", "cancelled", "dead") == ["dead"]


async def test_dead_letters_are_kept_for_their_time(world: World) -> None:
    queue = world.queue(retention=SHORT)
    await end(world, queue, "dead", "bury")
    await world.advance(1000)
    assert await queue.trim(10) == 1
    assert await world.control().dead(0, 10) == []
    assert await kept(world, "dead") == []
    assert await record_bytes(world) == 0


async def test_records_are_counted_in_bytes(world: World) -> None:
    queue = world.queue()
    await end(world, queue, "a", "ack", b'"' + b"x" * 998 + b'"')
    first = await record_bytes(world)
    assert 1000 < first < 1500
    await end(world, queue, "b", "bury", b"{}")
    assert await record_bytes(world) > first + len(payload("b"))


async def test_the_oldest_results_go_first_when_there_are_too_many_bytes(world: World) -> None:
    body = b'"' + b"x" * 9998 + b'"'
    queue = world.queue(retention=Retention(max_bytes=25_000))
    for job_id in ("a", "b", "c", "d"):
        await end(world, queue, job_id, "ack", body)
    assert await queue.trim(10) == 2
    assert await kept(world, "a", "b", "c", "d") == ["c", "d"]
    assert await record_bytes(world) <= 25_000
    assert await queue.trim(10) == 0


async def test_dead_letters_go_last_when_there_are_too_many_bytes(world: World) -> None:
    body = b'"' + b"x" * 9998 + b'"'
    queue = world.queue(retention=Retention(max_bytes=15_000))
    await end(world, queue, "dead-1", "bury", body)
    await end(world, queue, "dead-2", "bury", body)
    await end(world, queue, "done", "ack", body)
    assert await queue.trim(1) == 1
    assert await kept(world, "dead-1", "dead-2", "done") == ["dead-1", "dead-2"]
    assert await queue.trim(10) == 1
    assert await kept(world, "dead-1", "dead-2") == ["dead-2"]


async def test_no_more_is_forgotten_at_once_than_was_asked(world: World) -> None:
    queue = world.queue(retention=SHORT)
    for i in range(5):
        await end(world, queue, f"j{i}", "ack")
    await world.advance(200)
    assert [await queue.trim(2) for _ in range(4)] == [2, 2, 1, 0]


async def test_an_id_can_be_used_again_when_its_record_is_forgotten(world: World) -> None:
    queue = world.queue(retention=SHORT)
    await end(world, queue, "a", "ack")
    await world.advance(200)
    await queue.trim(10)
    await world.push(payload("a"))
    await begin(queue, "a")


async def test_a_record_goes_by_itself_where_nobody_trims(world: World) -> None:
    queue = world.queue(retention=SHORT)
    await end(world, queue, "a", "ack")
    await world.advance(2 * 86_400)
    assert await kept(world, "a") == []


async def test_the_record_of_a_running_job_stays(world: World) -> None:
    queue = world.queue(retention=SHORT)
    await world.push(payload("a"))
    await begin(queue, "a")
    await world.advance(10 * 86_400)
    await queue.trim(10)
    assert await kept(world, "a") == ["a"]
