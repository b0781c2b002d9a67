"""SIGTERM: a runner claims no more, finishes what it can, gives back what it can't, and always ends."""

import signal
from pathlib import Path

import pytest
from tests.integration.processes import Programs, Queue

from edworkers.core.lifecycle import State
from edworkers.standins.redis import RedisServer

pytestmark = pytest.mark.timeout(60)

FOREVER = {"do": "sleep", "seconds": 600}


async def test_at_sigterm_a_runner_claims_no_more_finishes_what_runs_and_ends_with_0(
    programs: Programs, queue: Queue
) -> None:
    runner = await programs.runner(programs.manifest(concurrency=2))
    await queue.push({"id": "runs", "data": {"do": "sleep", "seconds": 1}})
    await queue.began()
    runner.signal(signal.SIGTERM)
    await runner.says("runner.draining", running=1)
    await queue.push({"id": "late", "data": {}})
    assert await runner.ended() == 0

    assert (await queue.record("runs")).state is State.DONE
    depths = await queue.depths()
    assert (depths.pending, depths.inflight) == (1, 0)
    assert await queue.client.lrange(queue.key("pending"), 0, -1) == [b'{"id":"late","data":{}}']
    assert [words[:2] for words in await queue.all_told()] == [["end", "runs"]]


async def test_an_idle_runner_ends_at_once(programs: Programs, queue: Queue) -> None:
    runner = await programs.runner(programs.manifest(leaseSeconds=3600))  # it may wait long for a job
    runner.signal(signal.SIGTERM)
    assert await runner.ended() == 0
    (draining,), (ended,) = runner.seen("runner.draining"), runner.seen("runner.ended")
    assert ended["timestamp"] >= draining["timestamp"]
    assert not runner.seen("redis.away")


async def test_what_cant_finish_in_time_goes_back_to_the_front_without_costing_an_attempt(
    programs: Programs, queue: Queue
) -> None:
    manifest = programs.manifest(job={"maxAttempts": 1})
    runner = await programs.runner(manifest, EDWORKERS_DRAIN_SECONDS="0")
    await queue.push({"id": "long", "data": FOREVER})
    await queue.began()
    await queue.push({"id": "next", "data": {}})
    runner.signal(signal.SIGTERM)
    assert await runner.ended() == 0
    await runner.says("job.released", job="long", attempt=1)

    assert (await queue.record("long")).state is State.PENDING
    waiting = await queue.client.lrange(queue.key("pending"), 0, -1)
    assert b'"long"' in waiting[-1]
    await programs.runner(manifest)
    assert (await queue.told())[0][0] == "cancelled"
    ((_, job_id, _, attempt, _),) = await queue.told()
    assert (job_id, attempt) == ("long", "1")


async def test_a_second_sigterm_gives_everything_back_at_once(programs: Programs, queue: Queue) -> None:
    runner = await programs.runner(programs.manifest(concurrency=2), EDWORKERS_DRAIN_SECONDS="600")
    await queue.push({"id": "a", "data": FOREVER}, {"id": "b", "data": FOREVER})
    await queue.told(2)
    runner.signal(signal.SIGTERM)
    await runner.says("runner.draining")
    runner.signal(signal.SIGTERM)
    assert await runner.ended() == 0
    await runner.says("job.released", times=2)
    depths = await queue.depths()
    assert (depths.pending, depths.inflight) == (2, 0)


async def test_a_handler_that_makes_an_error_of_its_cancellation_costs_no_attempt_either(
    programs: Programs, queue: Queue
) -> None:
    runner = await programs.runner(programs.manifest(job={"maxAttempts": 1}), EDWORKERS_DRAIN_SECONDS="0")
    await queue.push({"id": "a", "data": {"do": "raise_on_cancel", "seconds": 600}})
    await queue.began()
    runner.signal(signal.SIGTERM)
    assert await runner.ended() == 0
    await runner.says("job.released", job="a")
    assert (await queue.record("a")).state is State.PENDING


async def test_a_handler_that_ignores_sigterm_is_left_behind_and_its_job_given_back(
    programs: Programs, queue: Queue
) -> None:
    runner = await programs.runner(programs.manifest(), EDWORKERS_DRAIN_SECONDS="0", EDWORKERS_GRACE_SECONDS="1")
    await queue.push({"id": "a", "data": {"do": "ignore", "seconds": 600}})
    await queue.began()
    runner.signal(signal.SIGTERM)
    assert await runner.ended() == 70
    await runner.says("handler.stuck", job="a")
    assert (await queue.record("a")).state is State.PENDING


async def test_a_thread_that_a_handler_left_behind_doesnt_keep_the_process(programs: Programs, queue: Queue) -> None:
    runner = await programs.runner(programs.manifest(), EDWORKERS_DRAIN_SECONDS="0", EDWORKERS_GRACE_SECONDS="1")
    await queue.push({"id": "a", "data": {"do": "to_thread", "seconds": 600}})
    await queue.began()
    runner.signal(signal.SIGTERM)
    assert await runner.ended() == 0
    await runner.says("job.released", job="a")


async def test_sigterm_while_redis_is_away_ends_in_bounded_time(
    programs: Programs, redis_server: RedisServer, redis_url: str
) -> None:
    queue = Queue(redis_server.url, redis_url)
    runner = await programs.runner(
        programs.manifest(leaseSeconds=3),
        REDIS_URL=redis_server.url,
        EDWORKERS_DRAIN_SECONDS="1",
        EDWORKERS_GRACE_SECONDS="1",
    )
    await queue.push({"id": "a", "data": FOREVER})
    await queue.began()
    await redis_server.stop(signal.SIGKILL)
    runner.signal(signal.SIGTERM)
    assert await runner.ended() == 0
    await runner.says("runner.gave_up")
    await queue.close()


async def test_sigterm_while_waiting_for_redis_at_the_start_ends_at_once(programs: Programs, tmp_path: Path) -> None:
    runner = await programs.start("run", "work", "--pool", str(programs.manifest()), REDIS_URL="redis://127.0.0.1:1/0")
    await runner.says("redis.away")
    runner.signal(signal.SIGTERM)
    assert await runner.ended() == 0


async def test_a_draining_runner_hands_on_the_job_that_woke_it(programs: Programs, queue: Queue) -> None:
    manifest = programs.manifest(concurrency=2)
    draining = await programs.runner(manifest)
    await queue.push({"id": "long", "data": FOREVER})
    await queue.began()
    draining.signal(signal.SIGTERM)
    await draining.says("runner.draining")
    await programs.runner(manifest)
    for number in range(5):
        await queue.push({"id": f"job-{number}", "data": {}})
        await queue.told(2)
    assert not draining.seen("job.done")
