"""The `edworkers` command as people and programs run it, and jobs for it to find; for tests."""

import asyncio
import json
import os
import pty
import sys
import termios
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import to_json

from edworkers.adapters.redis.connection import connect
from edworkers.adapters.redis.control import RedisControl
from edworkers.adapters.redis.queue import RedisQueue
from edworkers.core.settings import Retention
from edworkers.ports import Delivery, Settlement, Start

QUESTION: dict[str, Any] = {"conversationId": "c1", "userId": "u1", "prompt": "What is 1 + 1?"}
MESSAGE: dict[str, Any] = {"url": "https://school.example/hooks", "event": "ai.completed", "payload": {}}


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What it wrote on stdout, which must be one JSON document."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """What it wrote on stderr, which must be one JSON document."""
        return json.loads(self.err)


class CommandLine:
    """Runs `edworkers` in a folder of its own."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder = folder
        self.env = {"PATH": os.environ["PATH"], "REDIS_URL": redis_url, "TZ": "Etc/UTC", "TERM": "xterm"}

    def _command(self, words: tuple[str, ...]) -> tuple[str, ...]:
        return (sys.executable, "-m", "edworkers", *words)

    async def start(self, *words: str, **env: str) -> asyncio.subprocess.Process:
        """Start it, with pipes on all sides."""
        return await asyncio.create_subprocess_exec(
            *self._command(words), env={**self.env, **env}, cwd=self.folder, stdin=PIPE, stdout=PIPE, stderr=PIPE
        )

    async def run(self, *words: str, stdin: bytes = b"", **env: str) -> Ran:
        """Run it to its end."""
        return await self.ended(await self.start(*words, **env), stdin)

    async def ended(self, process: asyncio.subprocess.Process, stdin: bytes = b"") -> Ran:
        """Wait for its end."""
        out, err = await process.communicate(stdin)
        assert process.returncode is not None
        assert b"Traceback" not in err
        return Ran(process.returncode, out.decode(errors="backslashreplace"), err.decode())

    async def on_terminal(self, *words: str, typed: bytes = b"", columns: int = 120) -> tuple[int, bytes]:
        """Run it on a terminal; returns its exit code and all that was shown."""
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (40, columns))
        process = await asyncio.create_subprocess_exec(
            *self._command(words), env=self.env, cwd=self.folder, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        os.write(ours, typed)
        reading = asyncio.to_thread(_read_all, ours)
        code, shown = await asyncio.gather(process.wait(), reading)
        os.close(ours)
        return code, shown


def _read_all(terminal: int) -> bytes:
    shown = b""
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError:  # how Linux says that the other side is closed
            return shown
        if not more:
            return shown
        shown += more


class Jobs:
    """One queue with jobs in every state, as runners and producers leave them."""

    def __init__(self, redis_url: str, queue: str) -> None:
        self.client: Any = connect(redis_url)
        self.queue = RedisQueue(self.client, queue, runner="r", lease_ms=600_000, retention=Retention())
        self.control = RedisControl(self.client, queue, Retention())
        self._pending = f"edworkers:{{{queue}}}:pending"

    async def push(self, job_id: str, data: dict[str, Any]) -> None:
        await self.push_bytes(to_json({"id": job_id, "data": data}))

    async def push_bytes(self, payload: bytes) -> None:
        await self.client.lpush(self._pending, payload)

    async def waiting(self) -> list[Any]:
        """The jobs in the list, the next first."""
        return [json.loads(raw) for raw in reversed(await self.client.lrange(self._pending, 0, -1))]

    async def begin(self, job_id: str) -> Delivery:
        """Claim the next job and begin it."""
        [delivery] = (await self.queue.cycle((), (), 1)).deliveries
        start = Start(delivery.receipt, job_id, delivery.receipt, 1)
        assert (await self.queue.cycle((), (start,), 0)).admissions == ("start",)
        return delivery

    async def end(self, delivery: Delivery, job_id: str, verb: str, body: Any = None, **more: Any) -> None:
        """Settle a job that was begun."""
        written = b"" if body is None else to_json(body)
        settled = Settlement(delivery.receipt, job_id, delivery.receipt, verb, 0, 1, written, seconds=1.5, **more)
        assert (await self.queue.cycle((settled,), (), 0)).lost == ()

    async def done(self, job_id: str, result: Any) -> None:
        """Make a job that is done."""
        await self.push(job_id, {})
        await self.end(await self.begin(job_id), job_id, "ack", result)

    async def dead(self, job_id: str, payload: bytes = b"{}", **error: Any) -> None:
        """Make a dead letter."""
        await self.push_bytes(payload)
        told = {"kind": "rejected", "message": "no job", **error}
        await self.end(await self.begin(job_id), job_id, "bury", told)

    async def close(self) -> None:
        await self.client.aclose()
