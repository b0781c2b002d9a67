"""A key of another type in the place of a queue's own is an error, and no job is lost by it."""

from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import pytest
from tests.contract.steps import begin, claim, payload, settle, settle_as
from tests.contract.world import QUEUE, Places, RedisWorld, on_redis

from edworkers.core.errors import QueueUnavailableError
from edworkers.core.keys import QueueKeys
from edworkers.core.settings import Circuit, Groups

KEYS = QueueKeys(QUEUE)
A = payload("a")


@pytest.fixture
async def world(redis_url: str) -> AsyncGenerator[RedisWorld]:
    async with on_redis(redis_url) as found:
        yield found


async def is_whole(world: RedisWorld, key: str) -> None:
    """Take the wrong key away, let what is in flight be lost by its runner, and see the job run again."""
    await world.client.delete(key)
    await world.expire_leases()
    queue = world.queue(runner="later")
    await queue.repair(100)
    await world.expire_leases()
    await queue.reap(10)
    await world.advance(3600)
    await queue.promote(10)
    assert (await world.places()).all == [A]


@pytest.mark.parametrize(
    ("verb", "name"),
    [
        ("release", "pending"),
        ("retry", "delayed"),
        ("retry", "entries"),
        ("defer", "delayed"),
        ("bury", "unique"),
        ("ack", "outbox"),
    ],
)
async def test_a_settlement_that_has_no_place_leaves_the_job_in_flight(world: RedisWorld, verb: str, name: str) -> None:
    queue, key = world.queue(), getattr(KEYS, name)
    await world.push(A)
    delivery = await begin(queue, "a")
    await world.client.set(key, "wrong")
    more: dict[str, Any] = {"follow_ups": (b"next n\n" + payload("n"),)} if verb == "ack" else {"delay_ms": 1000}
    if verb == "bury":
        more["unique_key"] = "k"
    with pytest.raises(QueueUnavailableError):
        await queue.cycle([settle_as(verb, delivery, "a", **more)], (), 0)
    await is_whole(world, key)


@pytest.mark.parametrize("name", ["pending", "grouped", "totals"])
async def test_a_lost_runners_job_that_cannot_go_back_stays_in_flight(world: RedisWorld, name: str) -> None:
    queue, key = world.queue(), getattr(KEYS, name)
    await world.push(A)
    await claim(queue)
    await world.expire_leases()
    await world.client.delete(key)
    await world.client.set(key, "wrong")
    with pytest.raises(QueueUnavailableError):
        await queue.reap(10)
    await is_whole(world, key)


@pytest.mark.parametrize("name", ["inflight", "lease"])
async def test_a_job_that_could_not_be_held_is_not_taken(world: RedisWorld, name: str) -> None:
    key = getattr(KEYS, name)
    await world.push(A)
    await world.client.set(key, "wrong")
    with pytest.raises(QueueUnavailableError):
        await claim(world.queue())
    await world.client.delete(key)
    assert await world.places() == Places(pending=[A])


FAIR = ("fair", "turns", "shares", "shut", "fairness", "running", "grouped")


@pytest.mark.parametrize("name", FAIR)
async def test_a_job_that_has_no_place_in_a_line_stays_in_the_list(world: RedisWorld, name: str) -> None:
    key, queue = getattr(KEYS, name), world.queue(groups=Groups())
    await world.push(A)
    await world.client.set(key, "wrong")
    with pytest.raises(QueueUnavailableError):
        await queue.sort(10)
    await world.client.delete(key)
    assert await queue.sort(10) == 1
    assert await world.places() == Places(pending=[A])


async def test_a_job_of_a_group_whose_circuit_has_no_place_stays_where_it_is(world: RedisWorld) -> None:
    queue = world.queue(groups=Groups(circuit=Circuit(failures=1)))
    await world.push(payload("a", group="g"))
    await queue.sort(10)
    (delivery,) = await claim(queue)
    await world.client.set(KEYS.circuits, "wrong")
    with pytest.raises(QueueUnavailableError):
        await settle(queue, "ack", delivery, "a", service_down=False)
    assert (await world.places()).inflight == [payload("a", group="g")]
    await world.client.delete(KEYS.circuits)
    assert await settle(queue, "ack", delivery, "a", service_down=False) == ()


@pytest.mark.parametrize("name", FAIR[2:])
async def test_a_job_that_could_not_be_counted_for_its_group_stays_in_its_line(world: RedisWorld, name: str) -> None:
    key, queue = getattr(KEYS, name), world.queue(groups=Groups())
    await world.push(A)
    await queue.sort(10)
    await world.client.delete(key)
    await world.client.set(key, "wrong")
    with pytest.raises(QueueUnavailableError):
        await claim(queue)
    await world.client.delete(key)
    assert await world.places() == Places(pending=[A])
    assert len(await claim(queue)) == 1


async def test_jobs_of_the_same_call_that_could_be_settled_are(world: RedisWorld) -> None:
    queue = world.queue()
    await world.push(A, payload("b"))
    a, b = await begin(queue, "a"), await begin(queue, "b")
    await world.client.set(KEYS.delayed, "wrong")
    with suppress(QueueUnavailableError):
        await queue.cycle([settle_as("ack", b, "b"), settle_as("retry", a, "a", delay_ms=1000)], (), 0)
    assert await settle(queue, "ack", b, "b") == (b.receipt,)
    await is_whole(world, KEYS.delayed)
