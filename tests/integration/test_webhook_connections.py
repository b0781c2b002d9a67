"""Connections to receivers: used again, never too many, and none left behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network

import httpcore2
import pytest
from tests.integration.processes import eventually
from tests.integration.webhook_receivers import Receiver, receiving, saying

from edworkers.adapters.guarded_http.backend import GuardedBackend
from edworkers.adapters.guarded_http.pool import Pool
from edworkers.adapters.guarded_http.resolve import SystemResolver

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@asynccontextmanager
async def pooling(most_idle: int = 10, idle_seconds: float | None = None) -> AsyncIterator[Pool]:
    backend = GuardedBackend([ip_network("127.0.0.0/8")], SystemResolver(), "ALLOWED")

    def make(origin: httpcore2.Origin) -> httpcore2.AsyncHTTPConnection:
        return httpcore2.AsyncHTTPConnection(origin, keepalive_expiry=idle_seconds, network_backend=backend)

    pool = Pool(make, most_idle)
    try:
        yield pool
    finally:
        await pool.aclose()


async def exchange(pool: Pool, receiver: Receiver) -> int:
    answer = await pool.send(httpcore2.Request("POST", receiver.url, headers=head(receiver)))
    try:
        await answer.aread()
    finally:
        await answer.aclose()
    return answer.status


def head(receiver: Receiver) -> dict[bytes | str, bytes | str]:
    return {"host": receiver.url.removeprefix("http://"), "content-length": "0"}


async def test_at_once_as_many_connections_are_made_as_are_needed_and_so_many_idle_ones_are_kept() -> None:
    all_there = asyncio.Barrier(5)

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(receiver.heads) <= 5:
            await all_there.wait()
        writer.write(OK)

    async with receiving(answer) as receiver, pooling(most_idle=2) as pool:
        assert await asyncio.gather(*(exchange(pool, receiver) for _ in range(5))) == [200] * 5
        assert (receiver.connections, len(pool._open), len(pool._idle)) == (5, 2, 2)
        for _ in range(4):
            assert await exchange(pool, receiver) == 200
        assert receiver.connections == 5


async def test_a_connection_that_was_idle_for_too_long_is_not_used_again() -> None:
    async with receiving(saying(OK)) as receiver, pooling(idle_seconds=0) as pool:
        for _ in range(3):
            await exchange(pool, receiver)
        assert receiver.connections == 3
        assert len(pool._open) <= 1


async def test_a_connection_that_the_receiver_has_closed_meanwhile_is_not_used_again() -> None:
    async with receiving(saying(OK)) as receiver, pooling() as pool:
        await exchange(pool, receiver)
        [connection] = pool._open
        receiver.writers[0].close()

        async def noticed() -> bool:
            return connection.has_expired()

        await eventually(noticed)
        assert await exchange(pool, receiver) == 200
        assert receiver.connections == 2


async def test_receivers_share_no_connection() -> None:
    async with receiving(saying(OK)) as one, receiving(saying(OK)) as other, pooling() as pool:
        for _ in range(2):
            await exchange(pool, one)
            await exchange(pool, other)
        assert (one.connections, other.connections, len(pool._ready)) == (1, 1, 2)


async def test_nothing_is_left_of_a_request_that_was_given_up() -> None:
    arrived = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        arrived.set()
        await reader.read()

    async with receiving(wait) as receiver, pooling() as pool:
        sending = asyncio.create_task(exchange(pool, receiver))
        await arrived.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.wait_for(receiver.gone.wait(), 10)
        assert (pool._open, pool._ready, pool._idle) == ({}, {}, {})


async def test_nothing_is_left_of_a_receiver_that_is_not_there() -> None:
    async with receiving(saying(OK)) as receiver:
        pass
    async with pooling() as pool:
        with pytest.raises(httpcore2.ConnectError):
            await exchange(pool, receiver)
        assert (pool._open, pool._ready, pool._idle) == ({}, {}, {})


async def test_nothing_is_left_of_an_answer_of_which_only_the_beginning_was_read() -> None:
    async with receiving(saying(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhalf")) as receiver, pooling() as pool:
        answer = await pool.send(httpcore2.Request("POST", receiver.url, headers=head(receiver)))
        await answer.aclose()
        await asyncio.wait_for(receiver.gone.wait(), 10)
        assert (pool._open, pool._ready, pool._idle) == ({}, {}, {})


async def test_a_large_body_is_sent_whole_though_the_receiver_reads_slowly() -> None:
    async with receiving(saying(OK)) as receiver, pooling() as pool:
        large = b"x" * 3_000_000
        headers = head(receiver) | {"content-length": str(len(large))}
        answer = await pool.send(httpcore2.Request("POST", receiver.url, headers=headers, content=large))
        assert await answer.aread() == b"ok"
        await answer.aclose()


async def test_a_flood_is_held_up_and_read_whole() -> None:
    large = b"y" * 3_000_000
    async with (
        receiving(saying(b"HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n" + large)) as receiver,
        pooling() as pool,
    ):
        answer = await pool.send(httpcore2.Request("POST", receiver.url, headers=head(receiver)))
        assert await answer.aread() == large
        await answer.aclose()
        assert await exchange(pool, receiver) == 200
        assert receiver.connections == 1
