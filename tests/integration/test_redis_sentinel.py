"""Redis behind Sentinels: a failover under load is followed, and what was replicated is done."""

import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import redis
from tests.integration.command_line import CommandLine
from tests.integration.processes import Programs, Queue, eventually
from tests.integration.redis_kinds import FREEZE, KILL, THAW, QueueOf, Sentinels, ask_port, serve_sentinels
from tests.integration.steady_producer import Producer

from edworkers.core.lifecycle import State
from edworkers.ports import Enqueue

pytestmark = pytest.mark.timeout(60)

LEASE = {"leaseSeconds": 3, "concurrency": 8}


SETTINGS = {"min-replicas-to-write": "1", "min-replicas-max-lag": "2"}
"""As the docs ask for: else a master that was replaced takes jobs for some seconds more, which are lost."""


@pytest.fixture
async def sentinels() -> AsyncGenerator[Sentinels]:
    async with serve_sentinels(SETTINGS) as world:
        yield world


@pytest.fixture
async def queue(sentinels: Sentinels, redis_url: str) -> AsyncGenerator[Queue]:
    seen = QueueOf(sentinels.address, redis_url)
    yield seen
    await seen.close()


async def _kill_the_master(sentinels: Sentinels, producer: Producer) -> None:
    killed = await sentinels.master()
    await killed.stop(KILL)
    master = await sentinels.fails_over(killed)
    await producer.pushes(200)
    await killed.start()
    await ask_port(killed.port, "REPLICAOF", "127.0.0.1", str(master.port))  # else Sentinel takes ten seconds for it
    await sentinels.settled()


async def _freeze_the_master(sentinels: Sentinels, producer: Producer) -> None:
    frozen = await sentinels.master()
    os.kill(frozen.pid, FREEZE)
    await sentinels.fails_over(frozen)
    await producer.pushes(200)
    os.kill(frozen.pid, THAW)


async def test_a_master_killed_and_one_frozen_under_load_lose_nothing_that_was_replicated(
    programs: Programs, sentinels: Sentinels, queue: Queue
) -> None:
    manifest = programs.manifest(**LEASE)
    runners = [await programs.runner(manifest, **sentinels.env) for _ in range(2)]
    producer = Producer(queue, sentinels.address)
    await producer.pushes(200)
    await _kill_the_master(sentinels, producer)
    await _freeze_the_master(sentinels, producer)
    await producer.pushes(200)
    await producer.stop()
    await producer.sees_all_done()
    for runner in runners:
        await runner.says("redis.back")
        runner.signal(signal.SIGTERM)
        assert await runner.ended() == 0


async def test_an_idle_runner_is_woken_by_the_next_job_after_a_failover(
    programs: Programs, sentinels: Sentinels, queue: Queue
) -> None:
    # Its lease is so long that nothing but the wait for a job tells it of the failover.
    await programs.runner(programs.manifest(leaseSeconds=600), **sentinels.env)
    await queue.push({"id": "before", "data": {}})
    await queue.becomes("before", State.DONE)
    old = await sentinels.master()
    await old.stop(KILL)
    await sentinels.fails_over(old)
    await _push_anew(queue, "after")
    await queue.becomes("after", State.DONE)


async def _push_anew(queue: Queue, job_id: str) -> None:
    """Push as a producer that finds Redis again, and tries until it takes the job."""

    async def pushed() -> bool:
        try:
            await queue.client.connection_pool.disconnect()
            await queue.push({"id": job_id, "data": {}})
        except redis.RedisError:
            return False
        return True

    await eventually(pushed)


async def test_a_master_that_was_told_to_be_a_replica_is_left(
    programs: Programs, sentinels: Sentinels, queue: Queue
) -> None:
    await programs.runner(programs.manifest(**LEASE), **sentinels.env)
    old = await sentinels.master()
    await ask_port(sentinels.sentinels[0].port, "SENTINEL", "FAILOVER", "jobs")
    await sentinels.fails_over(old)
    await _push_anew(queue, "after")
    await queue.becomes("after", State.DONE)
    assert queue.client.connection.port != old.port


async def test_a_keeper_goes_on_after_a_failover(programs: Programs, sentinels: Sentinels, queue: Queue) -> None:
    manifest = programs.manifest()
    keeper = await programs.start("keeper", "work", "--pool", str(manifest), **sentinels.env)
    await keeper.says("keeper.started")
    old = await sentinels.master()
    await old.stop(KILL)
    await sentinels.fails_over(old)
    await _push_anew(queue, "first")
    await queue.control.enqueue([Enqueue("late", b"{}", due=(await queue.client.time())[0] * 1000 + 1)])

    async def promoted() -> bool:
        return (await queue.depths()).pending == 2

    await eventually(promoted)


async def test_a_master_that_sentinels_dont_know_is_waited_for_and_named(
    programs: Programs, sentinels: Sentinels
) -> None:
    env = {**sentinels.env, "REDIS_MASTER": "other"}
    runner = await programs.start("run", "work", "--pool", str(programs.manifest()), **env)
    (line,) = await runner.says("redis.away")
    assert "nobody says where the master other of the Sentinels" in line["reason"]
    assert line["reason"].count("doesn't know") == 3


async def test_sentinels_may_have_a_user_of_their_own(tmp_path: Path, sentinels: Sentinels) -> None:
    shell, asker = CommandLine(tmp_path, ""), ("asker", "on", ">pw", "-@all", "+sentinel|get-master-addr-by-name")
    for sentinel in sentinels.sentinels:
        await ask_port(sentinel.port, "ACL", "SETUSER", *asker)
    user = {"REDIS_SENTINEL_USERNAME": "asker", "REDIS_SENTINEL_PASSWORD": "pw"}
    assert (await shell.run("queues", "--json", stdin=b"", **sentinels.env, **user)).code == 0
    refused = await shell.run("queues", stdin=b"", **sentinels.env, **{**user, "REDIS_SENTINEL_PASSWORD": "other"})
    assert refused.code == 3
    assert "the user or the password is wrong or missing" in refused.err
