"""Which dead letters are not in the ledger yet: none is passed over, and one runner at a time writes them."""

from collections.abc import AsyncGenerator

import pytest
from tests.integration.command_line import Jobs

from edworkers.adapters.redis.dead_letters import MARGIN_MS, RedisDeadLetters
from edworkers.ports import Unrecorded


@pytest.fixture
async def jobs(redis_url: str) -> AsyncGenerator[Jobs]:
    made = Jobs(redis_url, "ai")
    yield made
    await made.close()


@pytest.fixture
def dead(jobs: Jobs) -> RedisDeadLetters:
    return RedisDeadLetters(jobs.client, "ai", runner="one")


def ids(found: Unrecorded) -> list[str]:
    return [letter.job.id for letter in found.letters]


async def age(jobs: Jobs, milliseconds: dict[str, int]) -> None:
    """Put dead letters so far into the past."""
    key = "edworkers:{ai}:dead"
    for member, score in await jobs.client.zrange(key, 0, -1, withscores=True):
        job_id = member.partition(b":")[2].decode()
        await jobs.client.zadd(key, {member: score - milliseconds.get(job_id, 0)})


async def test_a_dead_letter_is_found_with_its_error_and_what_it_was_given(jobs: Jobs, dead: RedisDeadLetters) -> None:
    payload = b'{"id": "a", "group": "school-1", "data": {"prompt": "Why?"}}'
    await jobs.dead("a", payload, kind="timeout", message="slow", traceback="Traceback …")
    [letter] = (await dead.unrecorded(10)).letters
    assert (letter.job.queue, letter.job.id, letter.job.outcome, letter.job.group) == ("ai", "a", "buried", "school-1")
    assert letter.error == {"kind": "timeout", "message": "slow", "traceback": "Traceback …"}
    assert letter.payload == payload
    assert letter.job.seconds == 1.5
    assert letter.job.finished_at >= (letter.job.started_at or 0) > 0


async def test_what_was_recorded_is_not_found_again(jobs: Jobs, dead: RedisDeadLetters) -> None:
    await jobs.dead("a")
    await jobs.dead("b")
    await age(jobs, {"a": 10_000, "b": 9_000})
    found = await dead.unrecorded(10)
    assert (ids(found), found.is_all) == (["a", "b"], True)
    await dead.recorded(found.mark)
    assert await dead.unrecorded(10) == ([], 0, True)
    await jobs.dead("c")
    assert ids(await dead.unrecorded(10)) == ["c"]


async def test_what_is_younger_than_the_margin_is_found_again(jobs: Jobs, dead: RedisDeadLetters) -> None:
    await jobs.dead("a")
    found = await dead.unrecorded(10)
    assert found.mark <= found.letters[0].job.finished_at - MARGIN_MS + 60_000
    await dead.recorded(found.mark)
    await jobs.dead("b")  # by a Redis whose clock is a little behind, say
    assert ids(await dead.unrecorded(10)) == ["a", "b"]


async def test_many_are_found_page_by_page_and_those_of_one_instant_together(
    jobs: Jobs, dead: RedisDeadLetters
) -> None:
    names = [f"job-{number}" for number in range(9)]
    for name in names:
        await jobs.dead(name)
    key = "edworkers:{ai}:dead"
    members = sorted(await jobs.client.zrange(key, 0, -1))
    await jobs.client.zadd(key, {member: 1000 if 2 <= place < 7 else place for place, member in enumerate(members)})
    seen: list[str] = []
    for _ in range(10):
        found = await dead.unrecorded(3)
        seen += ids(found)
        if not found.mark:
            break
        await dead.recorded(found.mark)
    assert sorted(seen) == names


async def test_one_runner_at_a_time_has_the_turn(jobs: Jobs, dead: RedisDeadLetters) -> None:
    other = RedisDeadLetters(jobs.client, "ai", runner="other")
    await jobs.dead("a")
    assert ids(await dead.unrecorded(10)) == ["a"]
    assert ids(await other.unrecorded(10)) == []
    await other.recorded(0, is_over=True)
    assert ids(await other.unrecorded(10)) == []
    await dead.recorded(0, is_over=True)
    assert ids(await other.unrecorded(10)) == ["a"]


async def test_the_turn_of_a_runner_that_was_lost_ends(jobs: Jobs, dead: RedisDeadLetters) -> None:
    await jobs.dead("a")
    await dead.unrecorded(10)
    await jobs.client.hset("edworkers:{ai}:ledger", "until", "1")
    assert ids(await RedisDeadLetters(jobs.client, "ai", runner="other").unrecorded(10)) == ["a"]


async def test_one_that_was_replayed_or_dropped_meanwhile_is_left_out(jobs: Jobs, dead: RedisDeadLetters) -> None:
    for name in ("a", "b", "c"):
        await jobs.dead(name)
    await jobs.control.replay("a")
    await jobs.control.drop("b")
    assert ids(await dead.unrecorded(10)) == ["c"]


async def test_it_is_found_where_memory_is_full(jobs: Jobs, dead: RedisDeadLetters) -> None:
    await jobs.dead("a")
    await jobs.client.execute_command("CONFIG", "SET", "maxmemory", 1)
    try:
        found = await dead.unrecorded(10)
        await dead.recorded(found.mark)
    finally:
        await jobs.client.execute_command("CONFIG", "SET", "maxmemory", 0)
    assert ids(found) == ["a"]
