"""The runner's side of its zygote: it is started at the first job that needs it, and anew where it was killed."""

import asyncio
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from edworkers.adapters.isolation import linux
from edworkers.adapters.isolation.frames import SIGN, Frames, write_frame
from edworkers.core.errors import EdworkersError
from edworkers.telemetry import log

_ANSWER_SECONDS = 3.0
"""A zygote that doesn't confirm an end by then is itself killed."""
_CLOSE_SECONDS = 6.0
_GONE_LOOK_SECONDS = 0.01
_MOST_LOOKS = 300
_PIECE = 1 << 18
_START = """
import json, sys
sys.path[:] = json.loads(sys.argv[3])
from edworkers.adapters.isolation.serve import main
main(int(sys.argv[1]), int(sys.argv[2]))
"""


class IsolationError(EdworkersError):
    """No process can be had for a job."""


class JobProcess:
    """A job's process, as the runner sees it."""

    def __init__(self, zygote: "ZygoteProcess", number: int) -> None:
        self._zygote = zygote
        self._number = number
        self.pid = 0
        self.messages: asyncio.Queue[tuple[dict[str, Any], bytes]] = asyncio.Queue()
        self.is_gone = asyncio.Event()

    def answer(self) -> None:
        """Let it go on after its progress was told."""
        self._zygote.send({"do": "answer", "job": self._number})

    async def end(self) -> None:
        """Kill it with all that it started, if it is still there, and wait until nothing of it is left."""
        if self.is_gone.is_set():
            return
        self._zygote.send({"do": "kill", "job": self._number})
        try:
            await asyncio.wait_for(self.is_gone.wait(), _ANSWER_SECONDS)
        except TimeoutError:
            self._zygote.kill()
            await self.is_gone.wait()


class ZygoteProcess:
    """One process that forks those of jobs, from its start to its end."""

    def __init__(self) -> None:
        self.is_over = False
        self._jobs: dict[int, JobProcess] = {}
        self._count = 0
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._signs_lock = threading.Lock()

    async def start(self, hello: dict[str, Any]) -> None:
        """Start it and wait until it is ready. Raises IsolationError."""
        reader, self._writer = await asyncio.open_connection(sock=await self._spawn())
        self._writer.write(write_frame(hello))
        self._reading = asyncio.create_task(self._read(reader))
        try:
            await self._ready
        except asyncio.CancelledError:
            self._process.kill()
            raise

    async def _spawn(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        signs_to, self._signs = os.pipe()
        os.set_blocking(self._signs, False)
        arguments = (str(theirs.fileno()), str(signs_to), json.dumps(sys.path))
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-c", _START, *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), signs_to),
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            os.close(self._signs)
            raise IsolationError(f"the zygote, from which jobs are forked, can't be started: {error}") from error
        finally:
            theirs.close()
            os.close(signs_to)
        return ours

    def sign(self, renewed_at: float) -> None:
        """Pass on a sign of life, from any thread."""
        with self._signs_lock:
            if not self.is_over:
                with suppress(OSError):  # it is about to end, or frozen
                    os.write(self._signs, SIGN.pack(renewed_at))

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Send it a message."""
        if not self.is_over:
            self._writer.write(write_frame(head, body))

    def run(self, head: dict[str, Any], payload: bytes) -> JobProcess:
        """Have it fork a process for a job."""
        self._count += 1
        job = self._jobs[self._count] = JobProcess(self, self._count)
        self.send({**head, "do": "run", "job": self._count}, payload)
        return job

    def kill(self) -> None:
        """Kill it; the processes of jobs end with it."""
        log.error("zygote.killed", pid=self._process.pid, reason=f"it didn't answer within {_ANSWER_SECONDS:g} s")
        with suppress(ProcessLookupError):
            self._process.kill()

    async def close(self) -> None:
        """Let it kill what is left, and end."""
        if not self.is_over:
            self._writer.close()
        try:
            await asyncio.wait_for(self._process.wait(), _CLOSE_SECONDS)
        except TimeoutError:
            self.kill()
        await self._reading

    async def _read(self, reader: asyncio.StreamReader) -> None:
        frames = Frames()
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                for head, body in frames.feed(piece):
                    self._hear(head, body)
        await self._bury()

    def _hear(self, head: dict[str, Any], body: bytes) -> None:
        job = self._jobs.get(head.get("job", 0))
        match head["is"]:
            case "ready" if not self._ready.done():
                self._ready.set_result(None)
            case "unable" if not self._ready.done():
                self._ready.set_exception(IsolationError(f"the zygote can't load the handlers: {head['reason']}"))
            case "started" if job is not None:
                job.pid = head["pid"]
            case "progress" | "log" | "emit" if job is not None:
                job.messages.put_nowait((head, body))
            case _ if job is not None:
                self._end(head["job"], head, body)
            case _:
                pass

    def _end(self, number: int, head: dict[str, Any], body: bytes) -> None:
        job = self._jobs.pop(number)
        job.is_gone.set()
        job.messages.put_nowait((head, body))

    async def _bury(self) -> None:
        """Note its end. The heads of the jobs' groups ended with it: the kernel saw to that; their groups are ours."""
        with self._signs_lock:
            self.is_over = True
            os.close(self._signs)
        for job in self._jobs.values():
            if job.pid:
                linux.kill_group(job.pid)
        code = await self._process.wait()
        if not self._ready.done():
            self._ready.set_exception(IsolationError(f"the zygote ended while it started, with code {code}"))
        self._writer.close()
        if self._jobs:
            log.error(
                "zygote.lost", code=code, jobs=len(self._jobs), then="their attempts failed; the next starts another"
            )
        for number, job in list(self._jobs.items()):
            if job.pid:
                await _kill_group(job.pid)
            self._end(number, {"is": "ended", "why": "zygote", "code": code}, b"")


async def _kill_group(group: int) -> None:
    for _ in range(_MOST_LOOKS):
        if not linux.kill_group(group):
            return
        _reap(group)
        await asyncio.sleep(_GONE_LOOK_SECONDS)


def _reap(group: int) -> None:
    """Reap what has ended, where this is the first process of a container, which inherits it."""
    with suppress(ChildProcessError):
        os.waitpid(-group, os.WNOHANG)


class Zygotes:
    """The zygote of one runner, whichever process it is by now."""

    def __init__(self, module: str, env: Mapping[str, str], lease_seconds: float) -> None:
        self._hello = {"module": module, "env": dict(env), "lease_seconds": lease_seconds}
        self._renewed_at = time.monotonic()
        self._current: ZygoteProcess | None = None
        self._starting: asyncio.Task[ZygoteProcess] | None = None

    def renewed(self, at: float) -> None:
        """Pass on that a renewal was answered which began at this time; called from any thread."""
        self._renewed_at = at
        if (current := self._current) is not None:
            current.sign(at)

    async def run(self, head: dict[str, Any], payload: bytes) -> JobProcess:
        """Have a process forked for a job. Raises IsolationError."""
        current = self._current
        while current is None or current.is_over:
            if self._starting is None:
                self._starting = asyncio.create_task(self._start())
                self._starting.add_done_callback(self._started)
            # A job that is cancelled meanwhile doesn't keep the others waiting for another start.
            current = await asyncio.shield(self._starting)
        return current.run(head, payload)

    async def _start(self) -> ZygoteProcess:
        zygote = ZygoteProcess()
        await zygote.start(self._hello)
        self._current = zygote
        zygote.sign(self._renewed_at)
        return zygote

    def _started(self, task: "asyncio.Task[ZygoteProcess]") -> None:
        self._starting = None
        if not task.cancelled():
            task.exception()  # told to the jobs that waited for it

    async def close(self) -> None:
        """End it, with every process that is left."""
        if self._starting is not None:
            self._starting.cancel()
        current, self._current = self._current, None
        if current is not None:
            await current.close()
