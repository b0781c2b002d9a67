"""What somebody breaks by hand in the lines of groups is mended, and no job waits for ever."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from tests.contract.steps import claim, payload, settle
from tests.contract.world import QUEUE, RedisWorld, on_redis

from edworkers.core.keys import QueueKeys
from edworkers.core.settings import Groups
from edworkers.ports import Delivery, JobQueue

KEYS = QueueKeys(QUEUE)


@pytest.fixture
async def world(redis_url: str) -> AsyncGenerator[RedisWorld]:
    async with on_redis(redis_url) as found:
        yield found


@pytest.fixture
async def queue(world: RedisWorld) -> JobQueue:
    """A fair queue of which one job of the group `a` is in flight, and two wait."""
    queue = world.queue(groups=Groups(max_inflight=1))
    await world.push(*(payload(f"a{number}", group="a") for number in range(3)))
    assert await queue.sort(10) == 3
    return queue


async def claimed(queue: JobQueue) -> Delivery:
    (delivery,) = await claim(queue, 9)
    return delivery


async def repairs(world: RedisWorld) -> int:
    return int(await world.client.hget(KEYS.totals, "repair") or 0)


async def test_lines_that_are_whole_are_left_alone(world: RedisWorld, queue: JobQueue) -> None:
    first = await claimed(queue)
    assert await queue.repair(100) == 0
    assert await claim(queue, 9) == ()
    await settle(queue, "ack", first, "a0")
    assert await queue.repair(100) == 0
    assert await repairs(world) == 0


async def test_a_job_that_vanished_in_flight_counts_for_its_group_no_more(world: RedisWorld, queue: JobQueue) -> None:
    first = await claimed(queue)
    await world.client.hdel(KEYS.inflight, first.receipt)
    await world.client.zrem(KEYS.lease, first.receipt)
    assert await queue.repair(100) == 1
    assert (await claimed(queue)).raw == payload("a1", group="a")


@pytest.mark.parametrize("wrong", [None, "7", "0"])
async def test_a_group_whose_jobs_were_miscounted_is_counted_anew(
    world: RedisWorld, queue: JobQueue, wrong: Any
) -> None:
    first = await claimed(queue)
    await (world.client.delete(KEYS.running) if wrong is None else world.client.hset(KEYS.running, "a", wrong))
    assert await queue.repair(100) == 1
    assert await world.client.hgetall(KEYS.running) == {b"a": b"1"}
    await settle(queue, "ack", first, "a0")
    assert (await claimed(queue)).raw == payload("a1", group="a")


async def test_a_group_that_is_counted_and_has_no_job_in_flight_is_forgotten(
    world: RedisWorld, queue: JobQueue
) -> None:
    await world.client.hset(KEYS.running, "a", 1)
    await world.client.delete(KEYS.turns)
    assert await queue.repair(100) == 2
    assert (await claimed(queue)).raw == payload("a0", group="a")


async def test_a_group_whose_turn_was_lost_has_one_again(world: RedisWorld, queue: JobQueue) -> None:
    await world.client.delete(KEYS.turns)
    assert await claim(queue, 9) == ()
    assert await queue.repair(100) == 1
    assert (await claimed(queue)).raw == payload("a0", group="a")
