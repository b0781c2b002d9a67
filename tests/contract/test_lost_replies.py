"""Calls to Redis that are made twice, as nobody knows whether the first one arrived."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from tests.contract.steps import begin, claim, payload, settle_as, start_of
from tests.contract.world import Places, RedisWorld, on_redis

from edworkers.adapters.redis.calls import run_script
from edworkers.adapters.redis.queue import RedisQueue
from edworkers.ports import Delivery, Settlement, Start

A, B = payload("a"), payload("b")


@pytest.fixture
async def world(redis_url: str) -> AsyncGenerator[RedisWorld]:
    async with on_redis(redis_url) as world:
        yield world


class Call:
    """One cycle, sent as often as a test likes."""

    def __init__(
        self,
        world: RedisWorld,
        queue: RedisQueue,
        settlements: Sequence[Settlement] = (),
        starts: Sequence[Start] = (),
        want: int = 0,
    ) -> None:
        self._client = world.client
        self._keys, self._args = queue.cycle_call(settlements, starts, want)

    async def send(self, *, again: bool = False) -> list[Any]:
        self._args[3] = int(again)
        reply: list[Any] = await run_script(self._client, "cycle", self._keys, self._args)
        return reply


async def test_a_repeated_claim_hands_out_the_same_jobs_under_the_same_receipts(world: RedisWorld) -> None:
    await world.push(A, B, payload("c"))
    call = Call(world, world.queue(), want=2)
    first = await call.send()
    assert first[2][1::2] == [A, B]
    assert [(await call.send(again=True))[2] for _ in range(2)] == [first[2]] * 2
    assert await world.places() == Places(pending=[payload("c")], inflight=[A, B])


async def test_a_claim_that_arrives_only_when_it_is_repeated_takes_nothing(world: RedisWorld) -> None:
    await world.push(A)
    reply = await Call(world, world.queue(), want=1).send(again=True)
    assert (reply[2], reply[4]) == ([], 1)


async def test_a_repeat_never_gives_one_jobs_receipt_to_another(world: RedisWorld) -> None:
    await world.push(b'{"no": "id"}')
    call = Call(world, world.queue(runner="slow"), want=1)
    receipt = (await call.send())[2][0]
    await world.expire_leases()
    quick = world.queue(runner="quick")
    await quick.reap(10)
    await claim(quick)
    await world.push(b'{"another": "job"}')
    assert receipt not in (await call.send(again=True))[2]


async def test_a_repeat_hands_out_again_only_what_nobody_else_has_by_now(world: RedisWorld) -> None:
    await world.push(A, B)
    slow = world.queue(runner="slow")
    call = Call(world, slow, want=2)
    receipt, raw, *rest = (await call.send())[2]
    await slow.cycle((settle_as("release", Delivery(receipt.decode(), raw), "a"),), (), 0)
    assert (await call.send(again=True))[2] == rest


@pytest.mark.parametrize("verb", ["ack", "retry", "defer", "bury", "cancel", "release", "duplicate"])
async def test_a_repeated_settlement_changes_nothing_more(world: RedisWorld, verb: str) -> None:
    queue, control = world.queue(), world.control()
    await world.push(A)
    delivery = await begin(queue, "a", unique_key="k")
    more: dict[str, Any] = {"unique_key": "k", "body": b'{"kind":"x"}', "delay_ms": 1000}
    if verb == "ack":
        more["follow_ups"] = (b"next n\n{}",)
    call = Call(world, queue, [settle_as(verb, delivery, "a", **more)])
    await call.send()
    before = (await control.find("a"), await world.places(), (await control.depths()).totals)
    await call.send(again=True)
    assert (await control.find("a"), await world.places(), (await control.depths()).totals) == before
    assert await queue.forward(10) == (verb == "ack")


async def test_a_repeated_start_is_answered_the_same(world: RedisWorld) -> None:
    queue = world.queue()
    await world.push(A, A, B)
    one, two, three = await claim(queue, 3)
    await world.control().cancel("b")
    starts = [start_of(one, "a", unique_key="k"), start_of(two, "a"), start_of(three, "b")]
    call = Call(world, queue, starts=starts)
    assert (await call.send())[1] == [b"start", b"duplicate", b"cancel"]
    assert (await call.send(again=True))[1] == [b"start", b"duplicate", b"cancel"]


async def test_a_server_that_forgot_the_scripts_is_given_them_anew(world: RedisWorld) -> None:
    await world.push(A)
    queue = world.queue()
    await claim(queue)
    await world.client.execute_command("SCRIPT", "FLUSH")
    assert await claim(queue) == ()
