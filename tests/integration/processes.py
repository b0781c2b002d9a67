"""Programs as real processes, for tests: heard line by line, and always ended by their process id."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis.asyncio
from pydantic_core import to_json

from edworkers.adapters.redis.control import RedisControl
from edworkers.adapters.redis.record_fields import read_history
from edworkers.core.errors import QueueUnavailableError
from edworkers.core.lifecycle import State
from edworkers.core.settings import Retention
from edworkers.ports import Depths, JobRecord
from edworkers.ports.browse import JobHistory

HERE = Path(__file__).parent
LOOK_SECONDS = 0.02


async def eventually(look: Callable[[], Awaitable[bool]]) -> None:
    """Look until it is so; the test's own time limit ends a wait for what never comes."""
    while True:
        with suppress(QueueUnavailableError):
            if await look():
                return
        await asyncio.sleep(LOOK_SECONDS)


async def fetch(address: str, path: str) -> tuple[int, str]:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        return int(head.split()[1]), body
    finally:
        writer.close()
        await writer.wait_closed()


class Program:
    """A running program and what it said: log lines as JSON, and any other text."""

    def __init__(self, process: Process, health: str | None) -> None:
        self._process = process
        self.health = health
        self.lines: list[dict[str, Any]] = []
        self.text = ""
        self._more = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            async with self._more:
                try:
                    self.lines.append(json.loads(line))
                except ValueError:
                    self.text += line.decode(errors="replace")
                self._more.notify_all()
        async with self._more:
            self._more.notify_all()

    @property
    def pid(self) -> int:
        return self._process.pid

    def seen(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        return [line for line in self.lines if line.get("event") == event and fields.items() <= line.items()]

    async def says(self, event: str, times: int = 1, **fields: Any) -> list[dict[str, Any]]:
        """Wait until it has logged this event so often; fails if it ends before."""
        async with self._more:
            await self._more.wait_for(lambda: len(self.seen(event, **fields)) >= times or self._reading.done())
        found = self.seen(event, **fields)
        assert len(found) >= times, f"ended without {event} {fields}: {self.lines[-20:]} {self.text}"
        return found

    async def get(self, path: str) -> tuple[int, str]:
        """Ask one of its endpoints; returns the status and the body."""
        started = self.seen("runner.started")
        return await fetch(self.health or started[-1]["health"], path)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait until it has ended by itself; returns its exit code."""
        code = await self._process.wait()
        await self._reading
        return code

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
        await self.ended()


class Programs:
    """Starts programs, and ends all of them at the end."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        self.env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(HERE),
            "EDWORKERS_LOG_FORMAT": "json",
            "EDWORKERS_HEALTH_PORT": "0",
            **env,
        }
        self._running: list[Program] = []

    def manifest(self, queue: str = "work", /, **spec: Any) -> Path:
        """Write a manifest; names are those of manifests (`leaseSeconds`)."""
        known = {"queue": queue, "handlers": "handlers_for_tests", **spec}
        path = self.folder / f"{queue}.yaml"
        path.write_bytes(to_json({"apiVersion": "edworkers.dev/v1alpha1", "kind": "WorkerPool", "spec": known}))
        return path

    async def start(self, *words: str, **env: str) -> Program:
        """Start `edworkers` with these words."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "edworkers", *words),
            env={**self.env, **env},
            cwd=self.folder,
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=PIPE,
            limit=2**22,
        )
        port = {**self.env, **env}["EDWORKERS_HEALTH_PORT"]
        program = Program(process, None if port == "0" else f"127.0.0.1:{port}")
        self._running.append(program)
        return program

    async def runner(self, manifest: Path, *words: str, **env: str) -> Program:
        """Start a runner, and wait until it works."""
        program = await self.start("run", manifest.stem, "--pool", str(manifest), *words, **env)
        await program.says("runner.started")
        return program

    async def end(self) -> None:
        for program in self._running:
            await program.kill()


class Queue:
    """One queue seen from outside, and what its handlers did."""

    def __init__(self, url: str, side_effects_url: str, name: str = "work") -> None:
        self.name = name
        self.client: Any = redis.asyncio.Redis.from_url(url, protocol=3)
        self.control = RedisControl(self.client, name, Retention())
        self._told: Any = redis.asyncio.Redis.from_url(side_effects_url, socket_timeout=None)

    def key(self, name: str) -> str:
        return f"edworkers:{{{self.name}}}:{name}"

    async def push(self, *jobs: Any) -> None:
        """LPUSH jobs as a producer does: bytes as they are, anything else as JSON."""
        await self.client.lpush(self.key("pending"), *(job if isinstance(job, bytes) else to_json(job) for job in jobs))

    async def told(self, count: int = 1) -> list[list[str]]:
        """Take the next things that handlers told, waiting for them."""
        return [(await self._told.blpop("did"))[1].decode().split() for _ in range(count)]

    async def all_told(self) -> list[list[str]]:
        """Everything that handlers told and that was not taken yet."""
        return [line.decode().split() for line in await self._told.lrange("did", 0, -1)]

    async def began(self) -> tuple[str, str]:
        """Take the next thing told, which must be a beginning; returns the job's id and its receipt."""
        ((what, job_id, receipt, *_),) = await self.told()
        assert what == "begin"
        return job_id, receipt

    async def record(self, job_id: str) -> JobRecord:
        found = await self.control.find(job_id)
        assert found is not None, f"no record of {job_id}"
        return found

    async def history(self, job_id: str) -> JobHistory:
        return read_history(await self.client.hgetall(self.key(f"job:{job_id}")))

    async def becomes(self, job_id: str, state: State) -> JobRecord:
        async def look() -> bool:
            found = await self.control.find(job_id)
            return found is not None and found.state is state

        await eventually(look)
        return await self.record(job_id)

    async def depths(self) -> Depths:
        return await self.control.depths()

    async def is_empty(self) -> bool:
        """Whether nothing waits, runs or is delayed."""
        depths = await self.depths()
        return depths.pending == depths.inflight == depths.delayed == 0

    async def close(self) -> None:
        await self.client.aclose()
        await self._told.aclose()
