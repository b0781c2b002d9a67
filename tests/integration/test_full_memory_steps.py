"""Each step of runners and keepers where not a byte is to be had: it frees memory, or only moves, and isn't refused."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
import redis
from tests.architecture.test_lua import LUA
from tests.contract.steps import begin, claim, payload, settle
from tests.integration.processes import Queue

from edworkers.adapters.redis.calls import run_script
from edworkers.adapters.redis.limiter import RedisLimiter
from edworkers.adapters.redis.queue import RedisQueue
from edworkers.adapters.redis.scripts import script
from edworkers.compose import SystemClock
from edworkers.core.lifecycle import State
from edworkers.core.settings import Groups, Retention, Window
from edworkers.ports import Enqueue
from edworkers.standins import redis as redis_standin

pytestmark = pytest.mark.timeout(60)

SCRIPTS = [path.stem for path in LUA.glob("*.lua")]


class Strict:
    """Sends commands as runners do; a refusal for want of memory fails the test, and isn't tried again."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def execute_command(self, *words: Any) -> Any:
        try:
            return await self._client.execute_command(*words)
        except redis.OutOfMemoryError as error:
            name = next((name for name in SCRIPTS if script(name).sha == words[1]), words[0])
            raise AssertionError(f"{name} is refused where memory is full") from error


@pytest.fixture
async def seen(redis_url: str) -> AsyncGenerator[Queue]:
    """A queue on a Redis of its own."""
    async with redis_standin.serve() as server:
        queue = Queue(server.url, redis_url)
        yield queue
        await queue.close()


@pytest.fixture
def queue(seen: Queue) -> RedisQueue:
    return RedisQueue(Strict(seen.client), "work", runner="r", lease_ms=600_000, retention=Retention())


@pytest.fixture
def fill(seen: Queue) -> Callable[[], Awaitable[None]]:
    async def full() -> None:
        await seen.client.config_set("maxmemory", 1)
        with pytest.raises(redis.OutOfMemoryError):
            await seen.client.lpush(seen.key("pending"), b"{}")

    return full


Fill = Callable[[], Awaitable[None]]


@pytest.mark.parametrize("verb", ["ack", "retry", "defer", "bury", "release", "cancel", "duplicate"])
async def test_a_job_is_claimed_started_and_settled(seen: Queue, queue: RedisQueue, fill: Fill, verb: str) -> None:
    await seen.push({"id": "a", "data": {}})
    await fill()
    delivery = await begin(queue, "a")
    more: dict[str, Any] = {"follow_ups": (b"next n\n{}",)} if verb == "ack" else {}
    assert await settle(queue, verb, delivery, "a", body=b"{}", delay_ms=90_000, gate_ms=90_000, **more) == ()


async def test_a_job_of_a_closed_queue_that_woke_a_runner_is_handed_back(
    seen: Queue, queue: RedisQueue, fill: Fill
) -> None:
    await seen.control.pause(paused=True)
    for job_id in ("a", "b"):
        await seen.client.rpush(seen.key("arrived"), payload(job_id))
    await fill()
    await queue.hand_back()
    assert await seen.client.llen(seen.key("pending")) == 2
    assert await claim(queue) == ()


async def test_a_lease_is_renewed(seen: Queue, queue: RedisQueue, fill: Fill) -> None:
    await seen.push({"id": "a", "data": {}})
    receipt = (await begin(queue, "a")).receipt
    await fill()
    keys = [seen.key(name) for name in ("lease", "cancel", "runners")]
    assert await run_script(Strict(seen.client), "renew", keys, (900_000, "r", 1, receipt, "a")) == [[], []]
    assert (await seen.depths()).runners == 1


async def test_a_lost_runners_job_is_taken_back_twice(seen: Queue, queue: RedisQueue, fill: Fill) -> None:
    """To the list the first time, then among the delayed."""
    await seen.push({"id": "a", "data": {}})
    await fill()
    for places in ((1, 0), (0, 1)):
        receipt = (await begin(queue, "a")).receipt
        await _end_lease(seen, receipt)
        assert await queue.reap(10) == 1
        depths = await seen.depths()
        assert (depths.pending, depths.delayed) == places


async def _end_lease(seen: Queue, receipt: str) -> None:
    await seen.client.config_set("maxmemory", 0)
    await seen.client.zadd(seen.key("lease"), {receipt: 1})
    await seen.client.config_set("maxmemory", 1)


async def test_a_retry_comes_back_to_the_list(seen: Queue, queue: RedisQueue, fill: Fill) -> None:
    await seen.push({"id": "a", "data": {}})
    await settle(queue, "retry", await begin(queue, "a"), "a", due=1)
    await fill()
    assert await queue.promote(10) == 1


async def test_follow_up_jobs_are_passed_on_and_nonsense_is_set_aside(
    seen: Queue, queue: RedisQueue, fill: Fill
) -> None:
    await seen.client.lpush(seen.key("outbox"), b"nonsense", b"next n\n{}")
    await fill()
    assert await queue.forward(10) == 2
    assert await seen.client.llen("edworkers:{next}:pending") == 1
    assert (await seen.depths()).dead == 1


async def test_results_go_and_what_was_broken_is_mended(seen: Queue, queue: RedisQueue, fill: Fill) -> None:
    await seen.push({"id": "a", "data": {}}, {"id": "b", "data": {}})
    await settle(queue, "ack", await begin(queue, "a"), "a")
    await begin(queue, "b")
    await seen.client.delete(seen.key("lease"))
    await fill()
    assert await queue.trim(10) == 1
    assert await seen.control.find("a") is None
    assert await queue.repair(10) == 1


async def test_progress_is_told_and_a_limit_that_closes_the_queue(seen: Queue, queue: RedisQueue, fill: Fill) -> None:
    await seen.push({"id": "a", "data": {}})
    delivery = await begin(queue, "a")
    await fill()
    assert await queue.report_progress("a", delivery.receipt, b"{}")
    await queue.throttle(90_000, "day")
    assert (await queue.sample()).throttled


async def test_limits_are_counted(seen: Queue, fill: Fill) -> None:
    windows = [Window(name="minute", limit=1000, window="minute"), Window(name="day", limit=1000, window="day")]
    limiter = RedisLimiter(Strict(seen.client), "work", windows, runner="r", now=SystemClock().now)
    await fill()
    first, second = await limiter.reserve(5), await limiter.reserve(5)
    assert (first.granted, second.granted) == (5, 5)
    await limiter.refund(first.reservation, 2)
    await limiter.adjust(second.reservation, 7)
    assert {usage.used for usage in await limiter.usage()} == {10}


async def test_jobs_are_sorted_by_group_and_take_turns(seen: Queue, fill: Fill) -> None:
    fair = RedisQueue(Strict(seen.client), "work", runner="r", lease_ms=600_000, retention=Retention(), groups=Groups())
    await seen.push({"id": "a", "group": "school", "data": {}})
    await seen.client.rpush(seen.key("arrived"), payload("b"))
    await fill()
    assert await fair.sort(10) == 2
    delivery = (await claim(fair))[0]
    assert await settle(fair, "release", delivery, "a", started=False) == ()
    assert (await seen.depths()).pending == 2


async def test_an_operator_can_look_cancel_replay_and_drop(seen: Queue, queue: RedisQueue, fill: Fill) -> None:
    await seen.control.enqueue([Enqueue("late", payload("late"), due=10**14)])
    await seen.push({"id": "a", "data": {}}, {"id": "b", "data": {}}, {"id": "c", "data": {}})
    await settle(queue, "bury", await begin(queue, "a", unique_key="k"), "a", unique_key="k")
    await settle(queue, "bury", await begin(queue, "b"), "b")
    await fill()
    assert (await seen.depths()).dead == 2
    assert (await seen.record("a")).state is State.DEAD
    assert await seen.control.replay("a")
    assert await seen.control.drop("b")
    assert await seen.control.cancel("late") == "cancelled"
    assert await seen.control.cancel("c") == "requested"
