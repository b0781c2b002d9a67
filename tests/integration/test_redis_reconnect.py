"""After a connection was lost in any way, half-open ones above all, a runner works on and is woken by new jobs."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import redis
from tests.integration.processes import Program, Programs, Queue, eventually
from tests.integration.redis_kinds import Swallower, ask_port

from edworkers.adapters.redis.connection import blocking_connection, connect
from edworkers.adapters.redis.pipe import Pipe
from edworkers.core.lifecycle import State
from edworkers.standins.redis import RedisServer

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
async def queue(redis_server: RedisServer, redis_url: str) -> AsyncGenerator[Queue]:
    seen = Queue(redis_server.url, redis_url)
    yield seen
    await seen.close()


@pytest.fixture
async def swallower(redis_server: RedisServer) -> AsyncGenerator[Swallower]:
    proxy = Swallower(redis_server.port)
    yield proxy
    await proxy.close()


async def _is_woken(server: RedisServer, queue: Queue, job_id: str) -> None:
    """Push once the runner waits for a job, and see it done."""

    async def waits() -> bool:
        info = (await ask_port(server.port, "INFO", "clients")).decode()
        return "blocked_clients:1" in info

    await eventually(waits)
    await queue.client.connection_pool.disconnect()  # it may be one of those that were cut
    await queue.push({"id": job_id, "data": {}})
    await queue.becomes(job_id, State.DONE)


async def _runner(programs: Programs, swallower: Swallower, **spec: Any) -> Program:
    return await programs.runner(programs.manifest(**spec), REDIS_URL=f"redis://127.0.0.1:{await swallower.serve()}/0")


async def test_an_idle_runner_whose_connections_are_half_open_finds_back(
    programs: Programs, redis_server: RedisServer, queue: Queue, swallower: Swallower
) -> None:
    runner = await _runner(programs, swallower, leaseSeconds=3)
    await _is_woken(redis_server, queue, "before")
    assert swallower.swallow() == 2
    # The server still holds the old connections, and may give one of them the job: whoever asks next has it.
    await runner.says("redis.away")
    await runner.says("redis.back")
    await queue.push({"id": "after", "data": {}})
    await queue.becomes("after", State.DONE)


async def test_a_runner_at_work_whose_connections_are_half_open_settles_what_it_did(
    programs: Programs, queue: Queue, swallower: Swallower
) -> None:
    runner = await _runner(programs, swallower, leaseSeconds=600, concurrency=2)
    await queue.push({"id": "a", "data": {"do": "sleep", "seconds": 0.5}})
    await queue.began()
    swallower.swallow()
    await runner.says("redis.away", doing="cycle the queue work")
    assert (await queue.becomes("a", State.DONE)).attempts == 1


async def test_a_runner_whose_connections_were_killed_is_woken_by_the_next_job(
    programs: Programs, redis_server: RedisServer, queue: Queue
) -> None:
    runner = await programs.runner(programs.manifest(leaseSeconds=600), REDIS_URL=redis_server.url)
    for times in range(1, 4):
        await _is_woken(redis_server, queue, f"job-{times}")
        await queue.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await queue.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    await _is_woken(redis_server, queue, "last")
    assert runner.seen("redis.away")


async def test_a_runner_is_woken_after_its_redis_was_killed_and_started(
    programs: Programs, redis_server: RedisServer, queue: Queue
) -> None:
    await programs.runner(programs.manifest(leaseSeconds=600), REDIS_URL=redis_server.url)
    for times in range(2):
        await _is_woken(redis_server, queue, f"job-{times}")
        await redis_server.stop(signal.SIGKILL)
        await redis_server.start()
    await _is_woken(redis_server, queue, "last")


async def test_no_connection_waits_for_ever_for_a_server_that_takes_it_and_says_nothing() -> None:
    accepted: list[asyncio.StreamWriter] = []

    async def mute(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    pipe, client, blocking = Pipe(url), connect(url), blocking_connection(url, 0.2)
    with pytest.raises(redis.TimeoutError):
        await asyncio.to_thread(blocking.connect)
    said = await asyncio.gather(pipe.execute_command("GET", "a"), client.ping(), return_exceptions=True)
    assert [isinstance(error, TimeoutError | redis.TimeoutError) for error in said] == [True, True]
    await pipe.close()
    await client.aclose()
    for writer in accepted:
        writer.close()
    server.close()
