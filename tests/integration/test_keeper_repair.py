"""A person with redis-cli breaks a queue, and a keeper mends it: no job is lost, and what was done is told."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest
from tests.contract.steps import begin, claim, payload, settle
from tests.integration.processes import Program, Programs, Queue, eventually

from edworkers.adapters.redis.connection import connect
from edworkers.adapters.redis.queue import RedisQueue
from edworkers.core.lifecycle import State
from edworkers.core.settings import Retention
from edworkers.pipeline.keeper import Keeper
from edworkers.ports import Enqueue
from edworkers.standins.free_port import free_port

pytestmark = pytest.mark.timeout(90)

HOUR_MS = 3_600_000


@pytest.fixture
async def held(redis_url: str) -> AsyncGenerator[RedisQueue]:
    """The queue in the hands of a runner whose leases end in ten minutes."""
    client = connect(redis_url)
    yield RedisQueue(client, "work", runner="r", lease_ms=600_000, retention=Retention())
    await client.aclose()


async def _keeper(programs: Programs, **env: str) -> Program:
    keeper = await programs.start("keeper", "work", "--pool", str(programs.manifest()), **env)
    await keeper.says("keeper.started")
    return keeper


async def _waiting(queue: Queue, count: int) -> bool:
    return (await queue.depths()).pending == count


async def test_jobs_whose_leases_were_deleted_run_again(programs: Programs, queue: Queue, held: RedisQueue) -> None:
    await queue.push({"id": "a", "data": {}}, {"id": "b", "data": {}}, {"id": "c", "data": {}})
    for job_id in "abc":
        await begin(held, job_id)
    await queue.client.delete(queue.key("lease"))
    keeper = await _keeper(programs)
    (line,) = await keeper.says("queue.repaired")
    assert (line["level"], line["count"]) == ("warning", 3)
    assert line["what"] == "jobs in flight without a lease"
    await eventually(lambda: _waiting(queue, 3))
    runner = await programs.runner(programs.manifest())
    await asyncio.gather(*(queue.becomes(job_id, State.DONE) for job_id in "abc"))
    assert (await queue.depths()).totals["repair"] == 3
    assert runner.seen("job.buried") == []


async def test_delayed_jobs_whose_times_were_deleted_keep_the_time_they_were_given(
    programs: Programs, queue: Queue, held: RedisQueue
) -> None:
    await queue.push({"id": "soon", "data": {}}, {"id": "late", "data": {}})
    await settle(held, "retry", await begin(held, "soon"), "soon", delay_ms=1)
    await settle(held, "retry", await begin(held, "late"), "late", delay_ms=HOUR_MS)
    late = await queue.client.zscore(queue.key("delayed"), "late")
    await queue.client.delete(queue.key("delayed"))
    await _keeper(programs)
    await eventually(lambda: _waiting(queue, 1))
    assert await queue.client.zrange(queue.key("delayed"), 0, -1, withscores=True) == [[b"late", late]]
    await programs.runner(programs.manifest())
    await queue.becomes("soon", State.DONE)


async def test_what_is_gone_is_forgotten_and_told(programs: Programs, queue: Queue, held: RedisQueue) -> None:
    await queue.push({"id": "a", "data": {}}, {"id": "b", "data": {}})
    delivery = await begin(held, "a")
    await settle(held, "retry", await begin(held, "b"), "b", delay_ms=HOUR_MS)
    await queue.client.delete(queue.key("inflight"), queue.key("entries"))
    keeper = await _keeper(programs)
    lines = await keeper.says("queue.repaired", 2)
    assert {line["what"] for line in lines} == {"leases without a job", "delayed jobs without an entry"}

    async def is_clean() -> bool:
        return not await queue.client.exists(queue.key("lease"), queue.key("delayed"))

    await eventually(is_clean)
    assert await settle(held, "ack", delivery, "a") == (delivery.receipt,)


async def test_a_lease_of_a_clock_that_was_wrong_ends_within_an_hour(
    programs: Programs, queue: Queue, held: RedisQueue
) -> None:
    await queue.push({"id": "a", "data": {}}, {"id": "b", "data": {}})
    await begin(held, "a")
    wrong = await begin(held, "b")
    before = await queue.client.zrange(queue.key("lease"), 0, -1, withscores=True)
    await queue.client.zincrby(queue.key("lease"), 10 * 366 * 24 * HOUR_MS, wrong.receipt)
    await (await _keeper(programs)).says("queue.repaired", count=1)
    after = dict(await queue.client.zrange(queue.key("lease"), 0, -1, withscores=True))
    for receipt, deadline in before:
        assert deadline <= after[receipt] <= deadline + 2 * HOUR_MS


async def test_a_queue_that_was_closed_for_ever_opens_again(programs: Programs, queue: Queue) -> None:
    await queue.client.set(queue.key("gate"), "1")
    await queue.client.sadd(queue.key("throttled"), "by hand")
    await queue.client.sadd(queue.key("paused"), "paused")
    await (await _keeper(programs)).says("queue.repaired", count=2)
    for name in ("gate", "throttled"):
        assert 0 < await queue.client.pttl(queue.key(name)) <= 60_000
    assert await queue.client.pttl(queue.key("paused")) == -1  # this is somebody's wish


@pytest.mark.parametrize("wrong", [None, b"-5000000", b"99999999999"])
async def test_bytes_of_records_that_were_miscounted_are_counted_anew(
    programs: Programs, queue: Queue, held: RedisQueue, wrong: bytes | None
) -> None:
    for job_id in "abc":
        await queue.push({"id": job_id, "data": {}})
        await settle(held, "ack", await begin(held, job_id), job_id, body=b'{"long": "result"}')
    right = (await queue.depths()).totals["recordBytes"]
    await queue.client.delete(queue.key("totals"))
    if wrong is not None:
        await queue.client.hset(queue.key("totals"), "recordBytes", wrong)
    await (await _keeper(programs)).says("queue.repaired", count=1)
    assert (await queue.depths()).totals["recordBytes"] == right
    assert (await queue.record("a")).state is State.DONE


async def test_nonsense_in_the_outbox_is_a_dead_letter_and_holds_up_nothing(programs: Programs, queue: Queue) -> None:
    good = b'next n\n{"id":"n","data":{}}'
    await queue.client.lpush(queue.key("outbox"), b"\xff nonsense", b"also this", good)
    keeper = await _keeper(programs)
    await keeper.says("outbox.malformed", 2)

    async def is_empty() -> bool:
        return not await queue.client.exists(queue.key("outbox"))

    await eventually(is_empty)
    assert await queue.client.lrange("edworkers:{next}:pending", 0, -1) == [b'{"id":"n","data":{}}']
    assert {record.payload for record in await queue.control.dead(0, 10)} == {b"\xff nonsense", b"also this"}


async def test_a_queue_that_refuses_its_follow_up_jobs_doesnt_hold_up_those_of_others(
    programs: Programs, queue: Queue
) -> None:
    await queue.client.set("edworkers:{bad}:pending", "no list")
    items = (b'bad b%d\n{"data":{}}' % number for number in range(3))
    await queue.client.lpush(queue.key("outbox"), *items, b'next n\n{"id":"n","data":{}}')
    keeper = await _keeper(programs)
    (line,) = await keeper.says("keeper.failed", step="forward")
    assert "to bad" in line["reason"]
    assert await queue.client.llen("edworkers:{next}:pending") == 1
    await queue.client.delete("edworkers:{bad}:pending")

    async def passed_on() -> bool:
        return bool(await queue.client.llen("edworkers:{bad}:pending") == 3)

    await eventually(passed_on)


async def test_long_queues_are_mended_too(queue: Queue, held: RedisQueue) -> None:
    """More than one look sees: which part a look sees is left to chance, so that the next sees another."""
    jobs = [Enqueue(f"job-{number}", payload(f"job-{number}"), due=10**13 + number) for number in range(12_000)]
    for at in range(0, len(jobs), 1000):
        await queue.control.enqueue(jobs[at : at + 1000])
    gone = [f"job-{number}" for number in range(0, 12_000, 400)]
    await queue.client.zrem(queue.key("delayed"), *gone)
    looks = [await held.repair(500)]
    while sum(looks) < len(gone):
        looks.append(await held.repair(500))
    assert sum(looks) == len(gone)
    assert await queue.client.zcard(queue.key("delayed")) == 12_000
    assert await queue.client.zscore(queue.key("delayed"), "job-400") == 10**13 + 400
    assert await held.repair(500) == 0


async def test_of_many_keepers_at_once_each_thing_is_done_by_one(queue: Queue, redis_url: str) -> None:
    items = [b'next n%d\n{"id":"n%d","data":{}}' % (number, number) for number in range(500)]
    await queue.client.lpush(queue.key("outbox"), *items)
    await queue.control.enqueue([Enqueue(f"d{n}", payload(f"d{n}"), due=10**13) for n in range(500)])
    await queue.client.delete(queue.key("delayed"))
    clients = [connect(redis_url) for _ in range(4)]
    queues = [RedisQueue(client, "work", runner="", lease_ms=0, retention=Retention()) for client in clients]
    await asyncio.gather(*(Keeper("work", kept).keep() for kept in queues))
    assert await queue.client.llen("edworkers:{next}:pending") == 500
    assert (await queue.depths()).delayed == 500
    assert (await queue.depths()).totals["repair"] == 500
    await asyncio.gather(*(client.aclose() for client in clients))


async def test_keepers_that_are_killed_again_and_again_leave_nothing_half_done(
    programs: Programs, queue: Queue
) -> None:
    items = [b'next n%d\n{"id":"n%d","data":{}}' % (number, number) for number in range(3000)]
    await queue.client.lpush(queue.key("outbox"), *items)
    keepers = [await _keeper(programs) for _ in range(2)]
    for left in (2500, 1800, 1000):
        await eventually(_at_most(queue, left))
        keepers[0].signal(signal.SIGKILL)
        await keepers[0].ended()
        keepers = [keepers[1], await _keeper(programs)]
    await eventually(_at_most(queue, 0))
    jobs = await queue.client.lrange("edworkers:{next}:pending", 0, -1)
    assert sorted(jobs) == sorted(item.partition(b"\n")[2] for item in items)


def _at_most(queue: Queue, count: int) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return bool(await queue.client.llen(queue.key("outbox")) <= count)

    return look


async def test_its_endpoint_tells_how_every_queue_stands(programs: Programs, queue: Queue, held: RedisQueue) -> None:
    await queue.push({"id": "a", "data": {}}, {"id": "b", "data": {}, "time": "2020-01-01T00:00:00Z"})
    await claim(held)
    keeper = await _keeper(programs, EDWORKERS_HEALTH_PORT=str(free_port()))

    async def is_told() -> bool:
        return 'edworkers_queue_jobs{queue="work",state="pending"} 1.0' in (await keeper.get("/metrics"))[1]

    await eventually(is_told)
    lines = (await keeper.get("/metrics"))[1].splitlines()
    assert 'edworkers_queue_jobs{queue="work",state="inflight"} 1.0' in lines
    (oldest,) = (line for line in lines if line.startswith("edworkers_queue_oldest_seconds{"))
    assert float(oldest.split()[1]) > 365 * 86400
    await queue.control.pause(paused=True)

    async def is_paused() -> bool:
        return 'edworkers_queue_paused{queue="work"} 1.0' in (await keeper.get("/metrics"))[1]

    await eventually(is_paused)
