"""How the operator counts queues, against what the runners' own side of Redis says of them."""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.contract.steps import begin, claim, payload, settle
from tests.contract.world import QUEUE, RedisWorld, on_redis

from edworkers.adapters.redis.limiter import RedisLimiter
from edworkers.compose import runner_name
from edworkers.core.keys import QueueKeys
from edworkers.core.settings import Window
from edworkers.standins import redis as redis_standin
from edworkers.standins.redis import RedisServer
from edworkers_operator.queue_reading import QueueReading, Unreadable
from edworkers_operator.queues import Queues, connect
from edworkers_operator.settings import RedisAddress

POD = "edworkers-work-7bb47b5546-4bjlt"


def queues_of(url: str, password: str = "", **address: Any) -> Queues:
    parts = urlsplit(url)
    return Queues(connect(RedisAddress(addresses=(f"127.0.0.1:{parts.port}",), **address), password))


@pytest.fixture
async def world(redis_url: str) -> AsyncGenerator[RedisWorld]:
    async with on_redis(redis_url) as made:
        yield made


@pytest.fixture
async def queues(redis_url: str) -> AsyncGenerator[Queues]:
    made = queues_of(redis_url)
    yield made
    await made.close()


async def read(queues: Queues, *limits: Window, queue: str = QUEUE) -> QueueReading:
    found = await queues.read(queue, limits)
    assert isinstance(found, QueueReading), found
    return found


async def test_a_queue_that_was_never_used_is_empty_and_open(queues: Queues) -> None:
    assert await read(queues) == QueueReading(pending=0, inflight=0, delayed=0, dead=0)


async def test_the_counts_are_those_of_the_queue_s_own_control(world: RedisWorld, queues: Queues) -> None:
    queue, control = world.queue(), world.control()
    await world.push(*(payload(name) for name in "abcdefgh"))
    await settle(queue, "ack", await begin(queue, "a"), "a")
    await settle(queue, "bury", await begin(queue, "b"), "b")
    await settle(queue, "retry", await begin(queue, "c"), "c", delay_ms=600_000)
    await claim(queue, 2)
    await world.push(payload("urgent"), urgent=True)
    depths = await control.depths()
    reading = await read(queues)
    counted = (reading.pending, reading.inflight, reading.delayed, reading.dead)
    assert counted == (depths.pending, depths.inflight, depths.delayed, depths.dead) == (4, 2, 1, 1)
    assert (reading.paused, reading.throttled) == (False, False)


async def test_jobs_in_flight_are_counted_by_the_pod_whose_runner_holds_them(world: RedisWorld, queues: Queues) -> None:
    await world.push(*(payload(name) for name in "abcde"))
    env = {"EDWORKERS_RUNNER_NAME": POD}
    first, second = (world.queue(runner=runner_name(env)) for _ in range(2))
    await claim(first, 2)
    await claim(second)
    await claim(world.queue(runner=runner_name({})))
    reading = await read(queues)
    assert reading.busy[POD] == 3
    assert sum(count for pod, count in reading.busy.items() if pod != POD) <= 1


async def test_a_queue_that_is_paused_says_so_until_it_is_resumed(world: RedisWorld, queues: Queues) -> None:
    await world.control().pause(paused=True)
    assert (await read(queues)).paused
    await world.control().pause(paused=False)
    assert not (await read(queues)).paused


async def test_a_queue_that_is_throttled_says_until_when_and_says_the_same_when_asked_again(
    world: RedisWorld, queues: Queues
) -> None:
    opens_at = (time.time_ns() // 1_000_000_000 + 3600) * 1000
    await world.client.sadd(QueueKeys(QUEUE).throttled, "day")
    await world.client.pexpireat(QueueKeys(QUEUE).throttled, opens_at)
    for _ in range(20):
        reading = await read(queues)
        assert (reading.throttled, reading.opens_at) == (True, opens_at)


async def test_a_queue_that_is_throttled_without_an_end_says_none(world: RedisWorld, queues: Queues) -> None:
    await world.client.sadd(QueueKeys(QUEUE).throttled, "by hand")
    reading = await read(queues)
    assert (reading.throttled, reading.opens_at) == (True, 0)


async def test_what_is_used_of_the_limits_is_what_the_limiter_says(world: RedisWorld, queues: Queues) -> None:
    windows = (
        Window(name="minute", limit=60, window="minute"),
        Window(name="day", limit=1333, window="day", time_zone=world.zone),
        Window(name="month", limit=45_000, window="month", time_zone=world.zone),
    )
    limiter = RedisLimiter(world.client, QUEUE, windows, runner="r", now=world.clock.now)
    first = await limiter.reserve(5)
    await limiter.reserve(3)
    await limiter.refund(first.reservation, 2)
    usage = {use.window: use for use in await limiter.usage()}
    found = {limit.name: limit for limit in (await read(queues, *windows)).limits}
    assert {name: (limit.used, limit.limit, limit.resets_at) for name, limit in found.items()} == {
        name: (use.used, use.limit, use.resets_at) for name, use in usage.items()
    }
    assert found["day"].used == 6


async def test_an_unused_minute_reads_the_same_each_time_so_that_nobody_is_told_of_it(queues: Queues) -> None:
    window = Window(name="minute", limit=60, window="minute")
    first = await read(queues, window)
    assert [(limit.used, limit.resets_at) for limit in first.limits] == [(0, 0)]
    assert await read(queues, window) == first


async def test_a_minute_that_has_passed_is_no_longer_used(world: RedisWorld, queues: Queues) -> None:
    window = Window(name="minute", limit=60, window="minute")
    await RedisLimiter(world.client, QUEUE, [window], runner="r", now=world.clock.now).reserve(5)
    await world.advance(61)
    assert (await read(queues, window)).limits[0].used == 0


async def test_a_job_ages_while_it_waits_and_no_longer_when_it_is_taken(
    world: RedisWorld, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("edworkers_operator.queues.time.monotonic", lambda: now[0])
    await world.push(payload("a"))
    assert (await read(queues)).oldest_seconds == 0
    now[0] += 30
    await world.push(payload("b"))
    assert (await read(queues)).oldest_seconds == 30
    now[0] += 10
    queue = world.queue()
    await settle(queue, "ack", await begin(queue, "a"), "a")
    assert (await read(queues)).oldest_seconds == 10
    await settle(queue, "retry", await begin(queue, "b"), "b", delay_ms=600_000)
    assert (await read(queues)).oldest_seconds == 0


async def test_queues_are_told_apart(world: RedisWorld, queues: Queues) -> None:
    await world.push(payload("a"), queue="other")
    assert (await read(queues)).pending == 0
    assert (await read(queues, queue="other")).pending == 1


async def test_what_edworkers_did_not_write_makes_one_queue_unreadable_and_nothing_worse(
    world: RedisWorld, queues: Queues
) -> None:
    await world.client.hset(QueueKeys(QUEUE).inflight, b"\xff", "x")
    found = await queues.read(QUEUE, ())
    assert isinstance(found, Unreadable)
    assert "edworkers didn't write" in found.reason
    await world.client.set(QueueKeys("other").delayed, "a string")
    wrong = await queues.read("other", ())
    assert isinstance(wrong, Unreadable)
    assert "WRONGTYPE" in wrong.reason


async def test_a_redis_that_is_away_makes_queues_unreadable_until_it_is_back(redis_server: RedisServer) -> None:
    queues = queues_of(redis_server.url)
    try:
        before = await read(queues)
        await redis_server.stop(signal.SIGKILL)
        found = await queues.read(QUEUE, ())
        assert isinstance(found, Unreadable)
        assert found.reason.startswith("Redis can't be used: ")
        await redis_server.start()
        assert await read(queues) == replace(before, oldest_seconds=0)
    finally:
        await queues.close()


@pytest.mark.parametrize(("password", "is_right"), [("secret", True), ("wrong", False), ("", False)])
async def test_a_password_is_used_and_a_wrong_one_is_told(password: str, *, is_right: bool) -> None:
    async with redis_standin.serve(options={"requirepass": "secret"}) as server:
        queues = queues_of(server.url, password)
        try:
            found = await queues.read(QUEUE, ())
        finally:
            await queues.close()
    assert isinstance(found, QueueReading) == is_right
    assert is_right or "can't be used" in str(found)


async def test_a_database_of_its_own_is_used(world: RedisWorld, redis_url: str) -> None:
    await world.push(payload("a"))
    queues = queues_of(redis_url, database=3)
    try:
        assert (await read(queues)).pending == 0
    finally:
        await queues.close()


async def test_a_redis_that_accepts_and_never_answers_is_unreadable_and_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edworkers_operator.queues._TIMEOUT_SECONDS", 0.1)
    writers: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _reader, writer: writers.append(writer), "127.0.0.1", 0)
    queues = queues_of(f"redis://127.0.0.1:{silent.sockets[0].getsockname()[1]}")
    try:
        assert isinstance(await queues.read(QUEUE, ()), Unreadable)
        assert writers
    finally:
        await queues.close()
        silent.close()
        for writer in writers:
            writer.close()
            await writer.wait_closed()
