"""`edworkers run` and `edworkers keeper`: one runner in this process, or several in processes of their own."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import uvloop

from edworkers import compose
from edworkers.pipeline.runner import Exit, Patience
from edworkers.telemetry import log

_MARGIN_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class RunArguments:
    """What `edworkers run` was asked for."""

    queues: tuple[str, ...]
    manifest: Path | None = None
    processes: int = 1
    reload: bool = False


def run_one(pool: compose.Pool, env: Mapping[str, str], options: compose.RunOptions) -> int:
    """Run one runner in this process until it is stopped; returns the exit code."""
    code = uvloop.run(_run_one(pool, env, options))
    if code is Exit.STUCK:
        # The handler that can't be stopped would keep the interpreter from ending.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


async def _run_one(pool: compose.Pool, env: Mapping[str, str], options: compose.RunOptions) -> Exit:
    stopping = Stopping(options.patience)
    async with compose.open_redis(env) as client:
        running = compose.RunningPool(pool, env, client, options)
        stopping.call(running.runner.stop)
        try:
            return await running.run()
        except asyncio.CancelledError:
            log.error("runner.gave_up", reason="Redis didn't answer; jobs go back when their leases end")
            return Exit.DONE


class Stopping:
    """Turns SIGTERM and SIGINT into a graceful end, and a second one, or too long a wait, into a quick one."""

    def __init__(self, patience: Patience) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._patience = patience
        self._stop: Callable[[], None] | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._signalled)

    def call(self, stop: Callable[[], None]) -> None:
        """Call `stop` at each signal; before that, a signal ends the program at once."""
        self._stop = stop

    def _signalled(self) -> None:
        if self._stop is None:
            self._end()
            return
        self._stop()
        longest = self._patience.drain + self._patience.grace + _MARGIN_SECONDS
        self._loop.call_later(longest, self._end)

    def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()


def run_options(env: Mapping[str, str], health_port: int | None = None) -> compose.RunOptions:
    """Read how a runner is to be run from the environment."""
    port = env.get("EDWORKERS_HEALTH_PORT")
    return compose.RunOptions(
        health_host=env.get("EDWORKERS_HEALTH_HOST", "127.0.0.1"),
        health_port=health_port if health_port is not None else (int(port) if port else None),
        patience=Patience(drain=float(env.get("EDWORKERS_DRAIN_SECONDS", "25"))),
    )
