"""A Redis that is a millisecond away: passes everything on, each reply a while after it came.

    python bench/slow_redis.py REDIS_PORT MILLISECONDS PIPE

Writes the port on which it listens to the pipe. A reply leaves no earlier than asked for and, as timers are that
coarse, up to a millisecond later: `away_ms` measures what that comes to.
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

import redis
from processes import HERE, environment, started

_PART = 1 << 18
_PINGS = 100


@contextmanager
def slow_redis(port: int, milliseconds: float) -> Generator[int]:
    """Serve the Redis of this port at a distance for the block; gives the port to use instead."""
    command = [sys.executable, str(HERE / "slow_redis.py"), str(port), str(milliseconds), "{pipe}"]
    with started(command, environment()) as measured:
        yield int(measured.line())


def away_ms(port: int) -> float:
    """Measure how long a PING takes, by the median."""
    client: Any = redis.Redis(port=port)
    took: list[float] = []
    for _ in range(_PINGS):
        begin = time.perf_counter()
        client.ping()
        took.append((time.perf_counter() - begin) * 1000)
    client.close()
    return statistics.median(took)


async def _serve(port: int, seconds: float, pipe: int) -> None:
    links: set[asyncio.Task[None]] = set()

    async def link(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        redis_reader, redis_writer = await asyncio.open_connection("127.0.0.1", port)
        ways = [
            asyncio.create_task(_pass_on(reader, redis_writer)),
            asyncio.create_task(_delay(redis_reader, writer, seconds)),
        ]
        links.update(ways)
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
            links.discard(way)
        for end in (writer, redis_writer):
            end.close()

    server = await asyncio.start_server(link, "127.0.0.1", 0)
    os.write(pipe, b"%d\n" % server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_PART):
            writer.write(data)
            await writer.drain()


async def _delay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    with suppress(OSError):
        while data := await reader.read(_PART):
            # Timers of one delay fire in their order.
            loop.call_later(seconds, _write, writer, data)
    await asyncio.sleep(seconds * 2)


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    if not writer.is_closing():
        writer.write(data)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2]) / 1000, int(sys.argv[3])))
