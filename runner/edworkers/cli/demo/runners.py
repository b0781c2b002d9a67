"""Runner processes of the demo, whose log lines it reads."""

import asyncio
import json
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from edworkers.cli.local import runner_command
from edworkers.core.errors import EdworkersError

OnEvent = Callable[[dict[str, Any]], None]

_STOP_SECONDS = 15.0


class RunnerEndedError(EdworkersError):
    """A runner ended by itself."""


class RunnerProcess:
    """One `edworkers run`, in a folder of its own so that no `.env` is read."""

    def __init__(self, queue: str, process: Process, on_event: OnEvent) -> None:
        self.queue = queue
        self._process = process
        self._on_event = on_event
        self._last_lines: deque[str] = deque(maxlen=12)
        self._expected_to_end = False
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, queue: str, manifest: Path, env: Mapping[str, str], on_event: OnEvent) -> "RunnerProcess":
        """Start a runner for `queue` with the settings of `manifest`."""
        process = await asyncio.create_subprocess_exec(
            *runner_command(queue, "--pool", str(manifest)),
            env={**env, "EDWORKERS_LOG_FORMAT": "json", "EDWORKERS_LOG_LEVEL": "info"},
            cwd=manifest.parent,
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=PIPE,
            start_new_session=True,
        )
        return cls(queue, process, on_event)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise RunnerEndedError when it isn't there any more without having been told to go."""
        if self._process.returncode is None or self._expected_to_end:
            return
        said = "\n".join(f"  {line}" for line in self._last_lines)
        raise RunnerEndedError(f"the runner of {self.queue} ended by itself ({self._process.returncode}):\n{said}")

    async def ended(self) -> None:
        """Wait until it has ended, and all that it said was read."""
        await self._process.wait()
        await self._reading

    async def kill(self) -> None:
        """End it as a crash would, and wait until it has ended."""
        self._expected_to_end = True
        self._process.send_signal(signal.SIGKILL)
        await self.ended()

    async def stop(self) -> None:
        """Let it drain, and wait until it has ended."""
        self._expected_to_end = True
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
        except TimeoutError:
            self._process.kill()
        await self.ended()

    async def _read(self) -> None:
        assert self._process.stderr is not None  # noqa: S101
        async for raw in self._process.stderr:
            line = raw.decode(errors="replace").rstrip()
            self._last_lines.append(line)
            event = _as_event(line)
            if event is not None:
                self._on_event(event)


def _as_event(line: str) -> dict[str, Any] | None:
    try:
        event: Any = json.loads(line)
    except ValueError:
        return None
    return cast("dict[str, Any]", event) if isinstance(event, dict) and "event" in event else None


async def stop_all(runners: Sequence[RunnerProcess]) -> None:
    """Stop all of them at once."""
    await asyncio.gather(*(runner.stop() for runner in runners))
