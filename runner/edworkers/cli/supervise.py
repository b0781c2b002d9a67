"""Several runners on one machine, each a process of its own that is started anew when it ends by itself."""

import asyncio
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edworkers.cli.exits import ExitCode
from edworkers.telemetry import log

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 30.0
_HEALTHY_SECONDS = 10.0
_PATIENT_STOPS = 2
_HOPELESS = (ExitCode.USAGE, ExitCode.UNAVAILABLE)
"""Exit codes of a runner that would end in the same way again."""


@dataclass(frozen=True, slots=True)
class Program:
    """A process to be kept running."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]


def edworkers_command(*words: str) -> tuple[str, ...]:
    """Give the command line that runs edworkers by the same Python as this process."""
    return (sys.executable, "-m", "edworkers", *words)


class Supervisor:
    """Keeps programs running until it is stopped; passes SIGTERM and SIGINT on and waits for their end."""

    _has_run = False

    def __init__(self, programs: Sequence[Program], drain_seconds: float = 40, *, gives_up: bool = True) -> None:
        self._programs = programs
        self._drain_seconds = drain_seconds
        self._gives_up = gives_up
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._stops = 0
        self._news = asyncio.Event()
        self._restarting: set[str] = set()

    def stop(self) -> None:
        """End all programs; a second call tells them to give their jobs back at once, a third kills them."""
        self._stops += 1
        self._stopping.set()
        self._end_pauses()
        self._signal_all(signal.SIGTERM if self._stops <= _PATIENT_STOPS else signal.SIGKILL)

    async def restart_all(self) -> None:
        """End every program gracefully, to be started anew; one that failed is started at once."""
        self._restarting.update(self._processes)
        self._end_pauses()
        self._signal_all(signal.SIGTERM)

    def _end_pauses(self) -> None:
        self._news.set()
        self._news.clear()

    def _signal_all(self, number: signal.Signals) -> None:
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                process.send_signal(number)

    async def run(self) -> int:
        """Run until stopped; returns 0, or 1 if a program had to be killed.

        A program that refuses to start, for its settings or for Redis, ends all of them, and its exit code is returned;
        unless that was switched off, for code that is being worked on.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        codes = await asyncio.gather(*(self._keep(program) for program in self._programs))
        return max(codes, default=0)

    async def _keep(self, program: Program) -> int:
        pause = _FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            began = asyncio.get_running_loop().time()
            process = await asyncio.create_subprocess_exec(*program.command, env=program.env, start_new_session=True)
            self._processes[program.name] = process
            if self._stopping.is_set():
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGTERM)  # told to stop while the process began
            code = await self._wait(process)
            del self._processes[program.name]
            if self._stopping.is_set():
                return int(code == -signal.SIGKILL)
            if self._gives_up and code in _HOPELESS and not self._has_run:
                self.stop()
                return code
            lived = asyncio.get_running_loop().time() - began
            self._has_run = self._has_run or lived > _HEALTHY_SECONDS
            pause = await self._pause(program.name, code, _FIRST_PAUSE_SECONDS if lived > _HEALTHY_SECONDS else pause)
        return 0

    async def _pause(self, name: str, code: int, seconds: float) -> float:
        """Wait before a program is started anew; returns how long to wait if it ends again soon."""
        if name in self._restarting:
            self._restarting.discard(name)
            return _FIRST_PAUSE_SECONDS
        log.warning("process.ended", program=name, code=code, again_in_seconds=seconds)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)
        return min(seconds * 2, _LONGEST_PAUSE_SECONDS)

    async def _wait(self, process: asyncio.subprocess.Process) -> int:
        """Wait for a process to end; once stopping, no longer than the time to drain."""
        ended = asyncio.ensure_future(process.wait())
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        try:
            return await asyncio.wait_for(ended, self._drain_seconds if not ended.done() else None)
        except TimeoutError:
            log.error("process.killed", pid=process.pid, reason=f"still there {self._drain_seconds:g} s after SIGTERM")
            process.kill()
            return await process.wait()


async def reload_on_change(supervisor: Supervisor, folders: Sequence[Path]) -> None:
    """Restart all programs whenever a Python file below these folders changes."""
    from watchfiles import PythonFilter, awatch  # pyright: ignore[reportUnknownVariableType] - a part of watchfiles' own

    try:
        async for changes in awatch(*folders, watch_filter=PythonFilter()):
            log.info("reload", files=sorted({path for _, path in changes})[:5])
            await supervisor.restart_all()
    except OSError as error:
        log.warning("reload.off", reason=str(error), then="start anew to see changes")
