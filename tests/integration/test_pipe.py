"""A pipe whose connection breaks: every call under way, and the next, is told in words that are waited on."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
import redis
import uvloop

from edworkers.adapters.redis.pipe import Pipe


async def _in_uvloop(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run in the loop that runners use, whose transports say other things than asyncio's own."""
    await asyncio.to_thread(uvloop.run, coroutine)


async def _write_after_a_break(url: str) -> None:
    pipe = Pipe(url)
    assert await pipe.execute_command("PING") in {b"PONG", "PONG"}
    pipe._connection._writer.transport.abort()
    await asyncio.sleep(0)
    with pytest.raises(redis.ConnectionError):
        await pipe.execute_command("PING")
    assert await pipe.execute_command("ECHO", "again") == b"again"
    await pipe.close()


async def _break_with_calls_under_way(url: str) -> None:
    pipe = Pipe(url)
    await pipe.execute_command("PING")
    calls = [asyncio.create_task(pipe.execute_command("BLPOP", "nothing", 30)) for _ in range(3)]
    await asyncio.sleep(0)
    pipe._connection.abort()
    said = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(error) for error in said] == [redis.ConnectionError] * 3
    assert await pipe.execute_command("ECHO", "again") == b"again"
    await pipe.close()


async def _silence(url: str) -> None:
    pipe = Pipe(url, timeout_seconds=0.2)
    await pipe.execute_command("PING")
    with pytest.raises(redis.TimeoutError):
        await pipe.execute_command("BLPOP", "nothing", 30)
    assert await pipe.execute_command("ECHO", "again") == b"again"
    await pipe.close()


async def test_a_call_on_a_connection_that_has_just_broken_is_told_so(redis_url: str) -> None:
    await _in_uvloop(_write_after_a_break(redis_url))


async def test_all_calls_under_way_are_told_of_a_break(redis_url: str) -> None:
    await _in_uvloop(_break_with_calls_under_way(redis_url))


async def test_a_redis_that_says_nothing_is_given_up(redis_url: str) -> None:
    await _in_uvloop(_silence(redis_url))
