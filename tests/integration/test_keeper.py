"""The keeper: with no runner up, retries, leases and follow-up jobs still move."""

import signal

import pytest
from tests.integration.processes import Program, Programs, Queue, eventually

from edworkers.core.lifecycle import State
from edworkers.standins.free_port import free_port
from edworkers.standins.redis import RedisServer

pytestmark = pytest.mark.timeout(60)


async def _keeper(programs: Programs, *queues: str, **env: str) -> Program:
    keeper = await programs.start("keeper", *(queues or ("work",)), "--pool", str(programs.manifest()), **env)
    await keeper.says("keeper.started")
    return keeper


async def test_delayed_jobs_come_back_to_the_list_when_they_are_due(programs: Programs, queue: Queue) -> None:
    backoff = {"initialSeconds": 0.5, "jitter": 0}
    runner = await programs.runner(programs.manifest(job={"backoff": backoff}))
    await queue.push({"id": "a", "data": {"do": "fail", "times": 1}})
    await queue.becomes("a", State.DELAYED)
    await runner.kill()
    await _keeper(programs)

    async def waits() -> bool:
        return (await queue.depths()).pending == 1

    await eventually(waits)
    assert (await queue.record("a")).state is State.PENDING
    await programs.runner(programs.manifest())
    record = await queue.becomes("a", State.DONE)
    assert (record.attempts, record.result) == (2, {"attempts": 2})


async def test_follow_up_jobs_reach_their_queue_once(programs: Programs, queue: Queue, redis_url: str) -> None:
    await queue.client.lpush(queue.key("outbox"), b'next a.next\n{"id":"a.next","data":{}}')
    await queue.client.lpush(queue.key("outbox"), b'next a.next\n{"id":"a.next","data":{}}')
    await _keeper(programs)

    async def is_empty() -> bool:
        return not await queue.client.exists(queue.key("outbox"))

    await eventually(is_empty)
    following = Queue(redis_url, redis_url, "next")
    assert await queue.client.lrange(following.key("pending"), 0, -1) == [b'{"id":"a.next","data":{}}']
    await following.close()


async def test_a_runner_passes_follow_up_jobs_on_by_itself(programs: Programs, queue: Queue, redis_url: str) -> None:
    await programs.runner(programs.manifest())
    await queue.push({"id": "a", "data": {"do": "follow_up"}})
    following = Queue(redis_url, redis_url, "next")

    async def arrived() -> bool:
        return (await following.depths()).pending == 1

    await eventually(arrived)
    assert (await queue.record("a")).state is State.DONE
    await following.close()


async def test_one_queue_that_cant_be_kept_is_told_once_and_doesnt_hold_up_the_others(
    programs: Programs, queue: Queue
) -> None:
    await queue.client.set("edworkers:{bad}:lease", "no sorted set")
    manifest = programs.folder / "both.yaml"
    manifest.write_text("\n---\n".join(programs.manifest(name).read_text() for name in ("bad", "work")))
    keeper = await programs.start("keeper", "bad", "work", "--pool", str(manifest))
    (line,) = await keeper.says("keeper.failed", queue="bad", step="reap")
    assert "WRONGTYPE" in line["reason"]
    for number in range(2):  # round after round
        await queue.client.rpush(queue.key("arrived"), f"{number}")

        async def handed_back(count: int = number + 1) -> bool:
            return bool(await queue.client.llen(queue.key("pending")) == count)

        await eventually(handed_back)
    assert len(keeper.seen("keeper.failed", step="reap")) == 1


async def test_it_carries_on_when_redis_comes_back_and_ends_with_0(
    programs: Programs, redis_server: RedisServer, redis_url: str
) -> None:
    keeper = await _keeper(programs, REDIS_URL=redis_server.url)
    await redis_server.stop(signal.SIGKILL)
    await keeper.says("redis.away")
    await redis_server.start()
    await keeper.says("redis.back")
    keeper.signal(signal.SIGTERM)
    assert await keeper.ended() == 0


async def test_it_keeps_the_pools_of_a_file_and_those_that_are_added_to_it(
    programs: Programs, queue: Queue, redis_url: str
) -> None:
    file = programs.folder / "pools.yaml"
    keeper = await programs.start("keeper", "--pools", str(file))
    await keeper.says("keeper.started")
    (line,) = await keeper.says("pools.unreadable")
    assert "No such file" in line["reason"]
    file.write_text(programs.manifest("work").read_text())
    await keeper.says("keeper.keeps", queues=["work"])
    await queue.client.rpush(queue.key("arrived"), "x")

    async def handed_back() -> bool:
        return bool(await queue.client.llen(queue.key("pending")) == 1)

    await eventually(handed_back)
    file.write_text("\n---\n".join(programs.manifest(name).read_text() for name in ("work", "next")))
    await keeper.says("keeper.keeps", queues=["work", "next"])
    file.write_text("kind: {")
    assert "not YAML" in (await keeper.says("pools.unreadable", 2))[-1]["reason"]
    following = Queue(redis_url, redis_url, "next")
    await following.client.rpush(following.key("arrived"), "y")

    async def passed_on() -> bool:
        return bool(await following.client.llen(following.key("pending")) == 1)

    await eventually(passed_on)
    await following.close()


async def test_a_manifest_names_its_queues_where_no_arguments_do(programs: Programs) -> None:
    manifest = str(programs.manifest("next"))
    keeper = await programs.start("keeper", "--pool", manifest)
    await keeper.says("keeper.keeps", queues=["next"])
    runner = await programs.start("run", "--pool", manifest)
    await runner.says("runner.started", queue="next")


async def test_its_queues_are_named_by_the_file_or_by_arguments_not_by_both(programs: Programs) -> None:
    keeper = await programs.start("keeper", "work", "--pools", "pools.yaml")
    assert await keeper.ended() == 2


async def test_it_is_ready_once_redis_has_answered(programs: Programs, redis_server: RedisServer) -> None:
    await redis_server.stop()
    port = str(free_port())
    manifest = str(programs.manifest())
    keeper = await programs.start(
        "keeper", "work", "--pool", manifest, REDIS_URL=redis_server.url, EDWORKERS_HEALTH_PORT=port
    )
    await keeper.says("redis.away")
    assert [(await keeper.get(path))[0] for path in ("/livez", "/readyz")] == [200, 503]
    await redis_server.start()
    await keeper.says("keeper.started")
    assert (await keeper.get("/readyz"))[0] == 200
