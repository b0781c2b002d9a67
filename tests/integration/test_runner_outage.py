"""Redis away, restarted, emptied of scripts or cutting connections: runners carry on, and nothing is lost."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import suppress

import pytest
from tests.integration.processes import Programs, Queue, eventually

from edworkers.core.lifecycle import State
from edworkers.standins import redis as redis_standin
from edworkers.standins.free_port import free_port
from edworkers.standins.redis import RedisServer

pytestmark = pytest.mark.timeout(90)

LONG = {"leaseSeconds": 600}
"""A lease that can't run out during a test: each job must be run exactly once."""


@pytest.fixture
async def queue(redis_server: RedisServer, redis_url: str) -> AsyncGenerator[Queue]:
    """A queue on a Redis of the test's own; what handlers tell goes to the other one."""
    seen = Queue(redis_server.url, redis_url)
    yield seen
    await seen.close()


async def _push(queue: Queue, count: int, **data: object) -> list[str]:
    ids = [f"job-{number}" for number in range(count)]
    for start in range(0, count, 200):
        await queue.push(*({"id": job_id, "data": data} for job_id in ids[start : start + 200]))
    return ids


async def _check_each_ran_once(queue: Queue, ids: list[str], taken: list[list[str]]) -> None:
    await eventually(queue.is_empty)
    records = [await queue.record(job_id) for job_id in ids]
    assert {record.state for record in records} == {State.DONE}
    told = [*taken, *await queue.all_told()]
    assert Counter(words[1] for words in told if words[0] == "begin") == Counter(ids)
    assert Counter(words[1] for words in told if words[0] == "end") == Counter(ids)
    depths = await queue.depths()
    assert (depths.totals["ack"], depths.dead) == (len(ids), 0)


async def test_redis_away_at_the_start_is_told_once_and_waited_for(programs: Programs, redis_url: str) -> None:
    port, health = free_port(), free_port()
    runner = await programs.start(
        *("run", "work", "--pool", str(programs.manifest())),
        REDIS_URL=f"redis://:secret@127.0.0.1:{port}/0",
        EDWORKERS_HEALTH_PORT=str(health),
    )
    (line,) = await runner.says("redis.away")
    assert line["doing"] == f"connect to redis://[redacted]@127.0.0.1:{port}/0"
    assert "Connection refused" in line["reason"]
    assert [(await runner.get(path))[0] for path in ("/livez", "/readyz")] == [200, 503]

    async with redis_standin.serve(port, options={"requirepass": "secret"}) as server:
        queue = Queue(server.url, redis_url)
        await queue.push({"id": "a", "data": {}})
        await queue.told(2)
        await queue.becomes("a", State.DONE)
        await runner.says("redis.back")
        assert (await runner.get("/readyz"))[0] == 200
        assert len(runner.seen("redis.away")) == 1
        assert "secret" not in str(runner.lines) + runner.text
        runner.signal(signal.SIGTERM)
        assert await runner.ended() == 0
        await queue.close()


async def test_redis_restarted_under_load_loses_nothing_and_starts_nothing_twice(
    programs: Programs, redis_server: RedisServer, queue: Queue
) -> None:
    manifest = programs.manifest(concurrency=16, **LONG)
    runners = [await programs.runner(manifest, REDIS_URL=redis_server.url) for _ in range(2)]
    ids = await _push(queue, 2000)
    taken: list[list[str]] = []
    for _ in range(3):
        taken += await queue.told(900)
        await redis_server.stop(signal.SIGKILL)
        await redis_server.start()
    await _check_each_ran_once(queue, ids, taken)
    for runner in runners:
        runner.signal(signal.SIGTERM)
        assert await runner.ended() == 0


async def test_forgotten_scripts_are_sent_again(programs: Programs, redis_server: RedisServer, queue: Queue) -> None:
    await programs.runner(programs.manifest(concurrency=4, **LONG), REDIS_URL=redis_server.url)
    ids = await _push(queue, 500)
    taken: list[list[str]] = []
    for _ in range(20):
        taken += await queue.told(40)
        await queue.client.script_flush()
    await _check_each_ran_once(queue, ids, taken)


@pytest.mark.parametrize("kind", ["normal", "pubsub"])
async def test_connections_cut_under_load_lose_nothing_and_start_nothing_twice(
    programs: Programs, redis_server: RedisServer, queue: Queue, kind: str
) -> None:
    runner = await programs.runner(programs.manifest(concurrency=16, **LONG), REDIS_URL=redis_server.url)
    ids = await _push(queue, 1000)
    taken: list[list[str]] = []
    killed = 0
    for _ in range(12):
        taken += await queue.told(120)
        killed += await queue.client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
    assert killed > 0
    await _check_each_ran_once(queue, ids, taken)
    await queue.push({"id": "last", "data": {}})
    await queue.becomes("last", State.DONE)
    await runner.says("redis.away")


class Proxy:
    """Stands between a runner and Redis, and can lose replies: what was asked is done, and its asker never knows."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.armed = False
        self.cut: list[bytes] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> str:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return f"redis://{host}:{port}/0"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        redis_reader, redis_writer = await asyncio.open_connection("127.0.0.1", self._port)
        there = asyncio.create_task(self._pass_on(reader, redis_writer))
        with suppress(ConnectionError):
            while reply := await redis_reader.read(65536):
                if self.armed and b".1\r\n" in reply and b'"id"' in reply:  # the reply to a claim
                    self.armed = False
                    self.cut.append(reply)
                    break
                writer.write(reply)
                await writer.drain()
        there.cancel()
        for stream in (writer, redis_writer):
            stream.close()
            with suppress(ConnectionError):
                await stream.wait_closed()
        self._tasks.discard(task)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while words := await reader.read(65536):
                writer.write(words)
                await writer.drain()
        writer.close()

    async def close(self) -> None:
        self._server.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def test_what_a_call_claimed_whose_reply_was_lost_is_run_by_the_one_who_asked(
    programs: Programs, redis_server: RedisServer, queue: Queue
) -> None:
    proxy = Proxy(redis_server.port)
    runner = await programs.runner(programs.manifest(concurrency=4, **LONG), REDIS_URL=await proxy.serve())
    ids = await _push(queue, 200)
    taken: list[list[str]] = []
    for _ in range(5):
        taken += await queue.told(50)
        proxy.armed = True
    await _check_each_ran_once(queue, ids, taken)
    assert len(proxy.cut) >= 3
    runner.signal(signal.SIGTERM)
    assert await runner.ended() == 0
    await proxy.close()


async def test_work_is_stopped_before_its_lease_runs_out_when_redis_stays_silent(
    programs: Programs, redis_server: RedisServer, queue: Queue
) -> None:
    runner = await programs.runner(programs.manifest(leaseSeconds=1), REDIS_URL=redis_server.url)
    await _push(queue, 1, do="sleep", seconds=2)
    _, receipt = await queue.began()
    os.kill(redis_server.pid, signal.SIGSTOP)
    assert await queue.told() == [["cancelled", "job-0", receipt]]
    await runner.says("lease.lost", job="job-0")
    os.kill(redis_server.pid, signal.SIGCONT)
    _, receipt = await queue.began()
    assert await queue.told() == [["end", "job-0", receipt]]
    assert (await queue.becomes("job-0", State.DONE)).attempts == 1
    assert len(runner.seen("lease.lost")) == 1


async def test_a_redis_that_is_a_replica_for_a_while_is_waited_for(
    programs: Programs, redis_server: RedisServer, queue: Queue
) -> None:
    runner = await programs.runner(programs.manifest(concurrency=4, **LONG), REDIS_URL=redis_server.url)
    ids = await _push(queue, 200)
    taken = await queue.told(40)
    await queue.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    (line, *_) = await runner.says("redis.away")
    assert "read only replica" in line["reason"]
    await queue.client.execute_command("REPLICAOF", "NO", "ONE")
    await _check_each_ran_once(queue, ids, taken)
    await queue.push({"id": "last", "data": {}})
    await queue.becomes("last", State.DONE)


async def test_a_redis_that_turns_a_runner_away_ends_it_with_the_reason(
    programs: Programs, redis_server: RedisServer, queue: Queue
) -> None:
    runner = await programs.runner(programs.manifest(**LONG), REDIS_URL=redis_server.url)

    async def waits_for_a_job() -> bool:
        return int((await queue.client.info("clients"))["blocked_clients"]) == 1

    await eventually(waits_for_a_job)
    await queue.client.config_set("requirepass", "new")
    await queue.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await queue.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    assert await runner.ended() == 3
    assert "the user or the password is wrong or missing" in runner.text
