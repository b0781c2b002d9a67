"""How soon `POST /v1/queues/{queue}/jobs` is answered while so many come each second, at times of their own.

Requests are sent when they are due, whether or not those before are answered, and each is timed from when it was due:
a server that falls behind can't hide it. `python bench/server.py [REQUESTS A SECOND] [SECONDS]` runs it by itself.
"""

import asyncio
import json
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from processes import environment, started

from edworkers.server.access.identity import Scope
from edworkers.server.access.keys import new_key
from edworkers.standins import redis as redis_standin
from edworkers.standins.free_port import free_port

PER_SECOND = 500
SECONDS = 20
WARM_UP_SECONDS = 3
CONNECTIONS = 64
_DATA = {"conversationId": "c-1", "userId": "u-1", "prompt": "What is a prime? " * 12}
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Enqueues:
    """One measured run; times in milliseconds."""

    per_second: float
    count: int
    p50: float
    p99: float
    longest: float
    refused: int
    cpu: float
    """Processor seconds of the server for each second."""


class Client:
    """Connections that are kept open, one request on each at a time."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._key = key
        self.refused = 0
        """How many requests were answered otherwise than by 202."""
        self._free: asyncio.LifoQueue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.LifoQueue()

    async def open(self) -> None:
        """Open all connections."""
        for _ in range(CONNECTIONS):
            self._free.put_nowait(await asyncio.open_connection("127.0.0.1", self._port))

    async def enqueue(self, number: int) -> None:
        """Send a job, and wait for the answer."""
        body = json.dumps({"id": f"bench-{number}", "data": _DATA}).encode()
        head = (
            f"POST /v1/queues/ai/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        reader, writer = await self._free.get()
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in answer.split(b"\r\n") if line.lower().startswith(b"content-length"))
        await reader.readexactly(int(length.split(b":")[1]))
        self._free.put_nowait((reader, writer))
        if not answer.startswith(b"HTTP/1.1 202"):
            self.refused += 1


async def drive(client: Client, first: int, per_second: int, seconds: float) -> list[float]:
    """Send so many jobs a second; gives how long each took from when it was due, in milliseconds."""
    loop = asyncio.get_running_loop()
    began = loop.time() + 0.1
    took: list[float] = []

    async def one(number: int, due: float) -> None:
        await client.enqueue(number)
        took.append((loop.time() - due) * 1000)

    async with asyncio.TaskGroup() as group:
        for index in range(round(per_second * seconds)):
            due = began + index / per_second
            await asyncio.sleep(max(due - loop.time(), 0))
            group.create_task(one(first + index, due))
    return took


async def measure(per_second: int = PER_SECOND, seconds: float = SECONDS) -> Enqueues:
    """Measure `edworkers server` on a Redis of its own."""
    made = new_key("bench", [Scope.ENQUEUE], None)
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys.yaml"
        keys.write_text(f"keys:\n{made.entry}\n  rate: {{perSecond: 1000000, burst: 1000000}}\n")
        async with redis_standin.serve() as server:
            env = environment(
                REDIS_URL=server.url,
                EDWORKERS_API_KEYS_FILE=str(keys),
                EDWORKERS_LOG_FORMAT="json",
                EDWORKERS_LOG_LEVEL="info",
            )
            command = [sys.executable, "-m", "edworkers", "server", "--port", str(port)]
            with (Path(folder) / "logs").open("wb") as logs, started(command, env, logs) as measured:
                await _listening(port)
                client = Client(port, made.key)
                await client.open()
                await drive(client, 0, per_second, WARM_UP_SECONDS)
                process = psutil.Process(measured.process.pid)
                before, at = process.cpu_times(), time.monotonic()
                took = await drive(client, per_second * WARM_UP_SECONDS, per_second, seconds)
                after, passed = process.cpu_times(), time.monotonic() - at
    cpu = (after.user + after.system - before.user - before.system) / passed
    return _summed(took, client.refused, len(took) / passed, cpu)


def _summed(took: Sequence[float], refused: int, per_second: float, cpu: float) -> Enqueues:
    ordered = sorted(took)
    p50, p99 = (ordered[int(len(ordered) * part)] for part in (0.5, 0.99))
    return Enqueues(per_second, len(ordered), p50, p99, ordered[-1], refused, cpu)


async def _listening(port: int) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                await asyncio.sleep(0.05)
            else:
                return


def main() -> None:
    """Measure once, and print it."""
    words = sys.argv[1:]
    per_second = int(words[0]) if words else PER_SECOND
    seconds = float(words[1]) if len(words) > 1 else SECONDS
    found = asyncio.run(measure(per_second, seconds))
    print(
        f"{found.count} jobs at {found.per_second:.0f}/s: p50 {found.p50:.1f} ms, p99 {found.p99:.1f} ms, "
        f"longest {found.longest:.1f} ms, {found.refused} refused; the server used {found.cpu:.2f} of a processor"
    )


if __name__ == "__main__":
    main()
