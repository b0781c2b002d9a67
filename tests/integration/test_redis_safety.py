"""A Redis that could lose jobs by its own settings is refused at the start, and told of whenever it is met later."""

import pytest
from tests.integration.processes import Programs, Queue
from tests.integration.redis_kinds import ask_port

from edworkers.adapters.redis.safety import danger, read_info
from edworkers.core.lifecycle import State
from edworkers.standins.redis import RedisServer

EVICT = ("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "allkeys-random"])
@pytest.mark.parametrize("command", ["run", "keeper"])
async def test_a_redis_that_deletes_keys_is_refused_with_the_reason(
    programs: Programs, redis_server: RedisServer, command: str, policy: str
) -> None:
    await ask_port(redis_server.port, "CONFIG", "SET", "maxmemory-policy", policy)
    refused = await programs.start(command, "work", "--pool", str(programs.manifest()), REDIS_URL=redis_server.url)
    assert await refused.ended() != 0
    assert f"deletes keys when its memory is full (maxmemory-policy {policy})" in refused.text
    assert "CONFIG SET maxmemory-policy noeviction" in refused.text


async def test_a_redis_that_comes_back_with_such_a_setting_is_told_of_and_worked_on(
    programs: Programs, redis_server: RedisServer, redis_url: str
) -> None:
    queue = Queue(redis_server.url, redis_url)
    runner = await programs.runner(programs.manifest(), REDIS_URL=redis_server.url)
    await queue.push({"id": "before", "data": {}})
    await queue.becomes("before", State.DONE)
    assert not runner.seen("redis.unsafe")
    await ask_port(redis_server.port, *EVICT)
    await ask_port(redis_server.port, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    (line, *_) = await runner.says("redis.unsafe")
    assert (line["level"], "maxmemory-policy allkeys-lru" in line["reason"]) == ("error", True)
    await queue.client.connection_pool.disconnect()
    await queue.push({"id": "after", "data": {}})
    await queue.becomes("after", State.DONE)
    await queue.close()


async def test_a_memory_too_small_for_what_is_to_be_kept_is_warned_of(
    programs: Programs, redis_server: RedisServer
) -> None:
    await ask_port(redis_server.port, "CONFIG", "SET", "maxmemory", "30mb")
    env = {"REDIS_URL": redis_server.url}
    usual = await programs.runner(programs.manifest(), **env)
    (line,) = await usual.says("redis.small")
    assert (line["maxmemory"], "retention.maxBytes" in line["reason"]) == (30 * 2**20, True)
    less = await programs.runner(programs.manifest("other", retention={"maxBytes": "10Mi"}), **env)
    assert not less.seen("redis.small")


def test_an_old_server_is_a_danger_and_one_that_hides_its_policy_is_not() -> None:
    assert (
        danger(read_info(b"# Server\r\nredis_version:6.0.16\r\n"))
        == "Redis 6.0.16 is too old: edworkers needs 6.2 or later"
    )
    assert danger(read_info(b"redis_version:6.2.0\r\n")) is None
    assert danger({"redis_version": "7.2.4", "maxmemory_policy": "volatile-lru"}) is not None
