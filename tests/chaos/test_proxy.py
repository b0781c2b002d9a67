"""The proxy of chaos runs: what it cuts is cut where it says."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest
from tests.chaos.proxy import Cut, Proxy

from edworkers.standins.redis import RedisServer

SET = b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n"
GET = b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def proxy(redis_server: RedisServer) -> AsyncGenerator[Proxy]:
    made = Proxy(redis_server.port)
    await made.open()
    yield made
    await made.close()


@asynccontextmanager
async def _connected(port: int) -> AsyncGenerator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def _ask(streams: Streams, words: bytes) -> bytes:
    reader, writer = streams
    writer.write(words)
    try:
        return await reader.readline()
    except ConnectionError:
        return b""


async def _asked_while_armed(proxy: Proxy, cut: Cut, words: bytes) -> bytes:
    async with _connected(proxy.port) as streams:
        assert await _ask(streams, b"PING\r\n") == b"+PONG\r\n"
        cutting = asyncio.create_task(proxy.cut(cut, 1, random.Random(1)))
        await asyncio.sleep(0)
        reply = await _ask(streams, words)
        await cutting
        return reply


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncGenerator[Streams]:
    async with _connected(redis_server.port) as streams:
        yield streams


async def test_a_request_whose_reply_is_cut_off_has_been_done(proxy: Proxy, redis: Streams) -> None:
    assert await _asked_while_armed(proxy, Cut.BEFORE_REPLY, SET) == b""
    assert await _ask(redis, GET) == b"$5\r\n"
    assert proxy.cuts == {Cut.BEFORE_REPLY: 1}


async def test_a_reply_that_brings_jobs_is_cut_off_and_those_before_it_are_not(proxy: Proxy, redis: Streams) -> None:
    assert await _ask(redis, b'SET key "\\"nr\\":1"\r\n') == b"+OK\r\n"
    async with _connected(proxy.port) as streams:
        assert await _ask(streams, b"PING\r\n") == b"+PONG\r\n"
        cutting = asyncio.create_task(proxy.cut(Cut.BEFORE_JOBS, 1, random.Random(1)))
        await asyncio.sleep(0)
        assert await _ask(streams, b"PING\r\n") == b"+PONG\r\n"
        assert await _ask(streams, GET) == b""
        await cutting


async def test_a_request_that_is_cut_in_its_middle_is_not_done(proxy: Proxy, redis: Streams) -> None:
    assert await _asked_while_armed(proxy, Cut.MID_REQUEST, SET) == b""
    assert await _ask(redis, GET) == b"$-1\r\n"


async def test_a_reply_that_is_cut_in_its_middle_comes_in_part(proxy: Proxy, redis: Streams) -> None:
    assert await _asked_while_armed(proxy, Cut.MID_REPLY, SET) in {b"+O", b""}
    assert await _ask(redis, GET) == b"$5\r\n"


async def test_what_is_held_up_comes_through_later(proxy: Proxy) -> None:
    async with _connected(proxy.port) as streams:
        assert await _ask(streams, b"PING\r\n") == b"+PONG\r\n"
        proxy.hold()
        asking = asyncio.create_task(_ask(streams, b"PING\r\n"))
        done, _ = await asyncio.wait({asking}, timeout=0.05)
        assert not done
        proxy.go_on()
        assert await asking == b"+PONG\r\n"


async def test_a_connection_through_the_proxy_fails_while_redis_is_down(
    proxy: Proxy, redis_server: RedisServer
) -> None:
    await redis_server.stop()
    async with _connected(proxy.port) as streams:
        assert await _ask(streams, b"PING\r\n") == b""
    await redis_server.start()
    async with _connected(proxy.port) as streams:
        assert await _ask(streams, b"PING\r\n") == b"+PONG\r\n"
