"""A Redis whose memory is full: the queue drains all the same, results make room, and producers are told what to do."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import redis
import redis.asyncio
from pydantic_core import to_json
from tests.integration.command_line import MESSAGE, CommandLine
from tests.integration.processes import Programs, Queue, eventually

from edworkers.core.lifecycle import State
from edworkers.standins import redis as redis_standin
from edworkers.standins.redis import RedisServer

pytestmark = pytest.mark.timeout(110)

MEGABYTE = 1024**2
PAD = b" " * 10_000
"""After a job's JSON, so that it takes memory, and gives it back."""


@pytest.fixture
async def small_redis() -> AsyncGenerator[RedisServer]:
    async with redis_standin.serve(options={"maxmemory": f"{6 * MEGABYTE}"}) as server:
        yield server


@pytest.fixture
async def full(small_redis: RedisServer, redis_url: str) -> AsyncGenerator[Queue]:
    """A queue of a Redis whose memory is about to be full; what handlers tell goes elsewhere."""
    seen = Queue(small_redis.url, redis_url)
    yield seen
    await seen.close()


async def fill(queue: Queue, key: str, value: bytes) -> int:
    """Push as long as there is room; returns how often."""
    for count in range(100_000):
        try:
            await queue.client.lpush(key, value)
        except redis.OutOfMemoryError:
            return count
    raise AssertionError("this Redis has no bound")


@asynccontextmanager
async def taking_every_byte(url: str) -> AsyncGenerator[None]:
    """Have somebody else take whatever is freed, so that the memory stays full."""

    ended = asyncio.Event()

    async def take() -> None:
        client = redis.asyncio.Redis.from_url(url)
        while not ended.is_set():
            for size in (50_000, 1_000, 50):
                with suppress(redis.OutOfMemoryError):
                    while not ended.is_set():
                        await client.rpush("hoard", b"x" * size)
            await asyncio.sleep(0.001)
        await client.aclose()

    # Not by a cancellation: Python 3.11 loses one that meets a call to Redis.
    taking = asyncio.create_task(take())
    try:
        yield
    finally:
        ended.set()
        await taking


def padded(job_id: str, **data: Any) -> bytes:
    return to_json({"id": job_id, "data": {"quiet": True, **data}}) + PAD


SPEC = {
    "leaseSeconds": 3,
    "concurrency": 4,
    "job": {"backoff": {"initialSeconds": 2, "jitter": 0}},
    "limits": [{"name": window, "limit": 1_000_000, "window": window} for window in ("minute", "day")],
}
SPECIAL = (
    padded("fails", do="fail", times=1),
    padded("follows", do="follow_up"),
    padded("tells", do="progress"),
    padded("sleeps", do="sleep", seconds=5),
)


async def test_a_queue_that_takes_all_memory_is_drained_though_not_a_byte_is_left(
    programs: Programs, small_redis: RedisServer, full: Queue
) -> None:
    await full.push(*SPECIAL)
    usual = 0
    with suppress(redis.OutOfMemoryError):
        while True:
            await full.push(padded(f"job-{usual}"))
            usual += 1
    assert usual > 100
    async with taking_every_byte(small_redis.url):
        runner = await programs.runner(programs.manifest(**SPEC), REDIS_URL=small_redis.url)
        await eventually(full.is_empty)
        await eventually(lambda: _has_one(full, "edworkers:{next}:pending"))
        await runner.kill()
        await eventually(lambda: _refuses(full, b"x"))
        depths = await full.depths()  # to look is possible all the same
    assert (depths.totals["ack"], depths.totals["retry"], depths.dead) == (usual + len(SPECIAL), 1, 0)


async def _has_one(queue: Queue, key: str) -> bool:
    return bool(await queue.client.llen(key) == 1)


async def test_results_make_room_before_their_time_and_dead_letters_stay(
    programs: Programs, small_redis: RedisServer, full: Queue
) -> None:
    """Producers get through again, and the newest results are still there."""
    await full.push(*({"id": f"dead-{number}", "data": {"do": "nonsense"}} for number in range(20)))
    await full.push(*({"id": f"job-{number}", "data": {"do": "succeed", "quiet": True}} for number in range(500)))
    runner = await programs.runner(programs.manifest(concurrency=4), REDIS_URL=small_redis.url)
    await eventually(full.is_empty)
    await runner.kill()
    newest = await full.client.zrange(full.key("finished"), -5, -1)
    for member in await full.client.zrange(full.key("finished"), 0, -6):
        await full.client.zincrby(full.key("finished"), -60_000, member)
    await fill(full, "hoard", b"x" * 5000)
    await fill(full, "hoard", b"x")
    keeper = await programs.start("keeper", "work", "--pool", str(programs.manifest()), REDIS_URL=small_redis.url)
    await keeper.says("results.squeezed", queue="work")
    await eventually(lambda: _takes(full, b'{"id":"new","data":{"quiet":true}}'))
    assert (await full.depths()).dead == 20
    assert (await full.record("dead-0")).state is State.DEAD
    assert keeper.seen("dead.squeezed") == []
    assert set(newest) <= set(await full.client.zrange(full.key("finished"), 0, -1))


async def _refuses(queue: Queue, job: bytes) -> bool:
    return not await _takes(queue, job)


async def _takes(queue: Queue, job: bytes) -> bool:
    try:
        await queue.client.lpush(queue.key("pending"), job)
    except redis.OutOfMemoryError:
        return False
    return True


async def test_no_more_is_kept_of_finished_jobs_than_half_of_the_memory(
    programs: Programs, small_redis: RedisServer, full: Queue
) -> None:
    await full.client.zadd(full.key("finished"), {f"1000:{number}": 1e15 + number for number in range(3500)})
    await full.client.hset(full.key("totals"), "recordBytes", 3_500_000)
    manifest = programs.manifest(retention={"maxBytes": "256Mi"})
    keeper = await programs.start("keeper", "work", "--pool", str(manifest), REDIS_URL=small_redis.url)
    (line,) = await keeper.says("retention.bounded", queue="work")
    assert line["bytes"] == 3 * MEGABYTE

    async def bounded() -> bool:
        return int(await full.client.hget(full.key("totals"), "recordBytes")) <= 3 * MEGABYTE

    await eventually(bounded)
    kept = await full.client.zrange(full.key("finished"), 0, -1)
    assert len(kept) == 3 * MEGABYTE // 1000
    assert kept[-1] == b"1000:3499"


async def test_a_producer_is_told_in_words_what_to_do(
    programs: Programs, small_redis: RedisServer, full: Queue
) -> None:
    await fill(full, "hoard", b"x" * 5000)
    await fill(full, "hoard", b"x")
    shell = CommandLine(programs.folder, small_redis.url)

    async def refused() -> bool:
        ran = await shell.run("enqueue", "webhook", to_json(MESSAGE).decode(), "--json")
        if ran.code == 0:  # a few bytes were free again
            return False
        assert ran.code == 3
        (fault,) = ran.error["faults"]
        return "its memory is full" in fault and "raise its maxmemory" in fault

    await eventually(refused)
