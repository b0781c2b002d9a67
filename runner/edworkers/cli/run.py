"""`edworkers run` and `edworkers keeper`: one runner in this process, or several in processes of their own."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import uvloop

from edworkers import compose, pools
from edworkers.adapters.postgres.settings import ledger_faults
from edworkers.adapters.tracing.settings import find_faults as tracing_faults
from edworkers.cli.loading import end_loading
from edworkers.cli.logs import log_faults
from edworkers.core.errors import SettingsError
from edworkers.core.settings import PoolSpec
from edworkers.handlers.environment import not_installed
from edworkers.pipeline.runner import Exit, Patience
from edworkers.standins.leash import leashed
from edworkers.telemetry import log

_MARGIN_SECONDS = 2.0


def run_one(pool: pools.Pool, env: Mapping[str, str], options: compose.RunOptions) -> int:
    """Run one runner in this process until it is stopped; returns the exit code."""
    return uvloop.run(_run_one(pool, env, options))


async def _run_one(pool: pools.Pool, env: Mapping[str, str], options: compose.RunOptions) -> Exit:
    stopping = Stopping(options.patience)
    code = Exit.FAILED

    def ready(stop: Callable[[], None]) -> None:
        end_loading()
        stopping.call(stop)

    try:
        async with compose.open_pipe(env) as client:
            code = await compose.RunningPool(pool, env, client, options).run(ready)
    except asyncio.CancelledError:
        log.error("runner.gave_up", reason="stopped while Redis didn't answer; jobs go back when their leases end")
        code = Exit.DONE
    finally:
        _end_in_time(code, 0 if code is Exit.STUCK else options.patience.grace)
    return code


def _end_in_time(code: int, seconds: float) -> None:
    """End the process in so many seconds, even if a handler or a thread of its own keeps the interpreter from it."""

    def end() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def run_keeper(specs: Callable[[], Sequence[PoolSpec]], env: Mapping[str, str], options: compose.RunOptions) -> int:
    """Run a keeper in this process until it is stopped. Raises SettingsError."""

    async def keep() -> int:
        Stopping(Patience())
        end_loading()
        with suppress(asyncio.CancelledError):
            await compose.run_keeper(specs, env, options)
        return 0

    return uvloop.run(keep())


class Stopping:
    """Turns SIGTERM and SIGINT into a graceful end, and too long a wait into a quick one."""

    def __init__(self, patience: Patience) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._patience = patience
        self._stop: Callable[[], None] | None = None
        self._signals = 0
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
        drain = 0 if self._signals else self._patience.drain
        self._signals += 1
        self._loop.call_later(drain + self._patience.grace + _MARGIN_SECONDS, self._end)

    def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            # Before Python 3.12, `asyncio.wait_for` may lose a cancellation.
            self._loop.call_later(_MARGIN_SECONDS, self._end)


def run_several(
    queues: Sequence[str], processes: int, env: Mapping[str, str], *, pool: Path | None, reload: bool
) -> int:
    """Run `processes` runners for each queue, in processes of their own, until stopped.

    Raises SettingsError where changes can't be watched.
    """
    from edworkers.cli.supervise import Program, Supervisor, edworkers_command, reload_on_change

    if reload and (missing := not_installed("dev", "watchfiles")):
        raise SettingsError("nothing was started, for --reload needs more:", missing)
    more = ("--pool", str(pool)) if pool is not None else ()
    first_port = run_options(env).health_port
    names = [(queue, number) for queue in queues for number in range(1, processes + 1)]
    programs = [
        Program(
            f"{queue}-{number}",
            leashed(*edworkers_command("run", queue, "--processes", "1", *more)),
            # Each has endpoints of its own: the first at the port that was given, the others at those after it.
            {**env, "EDWORKERS_HEALTH_PORT": str(first_port + at)} if first_port else env,
        )
        for at, (queue, number) in enumerate(names)
    ]

    async def supervise() -> int:
        supervisor = Supervisor(programs, run_options(env).patience.drain + 15, gives_up=not reload)
        watching = asyncio.create_task(reload_on_change(supervisor, [Path.cwd()])) if reload else None
        try:
            return await supervisor.run()
        finally:
            if watching is not None:
                watching.cancel()

    return asyncio.run(supervise())


def run_options(env: Mapping[str, str]) -> compose.RunOptions:
    """Read how a runner is to be run from the environment.

    Raises SettingsError with every fault.
    """
    faults = log_faults(env)
    port = _number(env, "EDWORKERS_HEALTH_PORT", 65535, faults)
    drain = _number(env, "EDWORKERS_DRAIN_SECONDS", 86400, faults)
    grace = _number(env, "EDWORKERS_GRACE_SECONDS", 3600, faults)
    faults += ledger_faults(env)
    faults += tracing_faults(env)
    if faults:
        raise SettingsError("nothing was started, for these settings can't be used:", faults)
    return compose.RunOptions(
        health_host=env.get("EDWORKERS_HEALTH_HOST") or "127.0.0.1",
        health_port=port,
        patience=Patience(drain=25 if drain is None else drain, grace=5 if grace is None else grace),
    )


def process_count(env: Mapping[str, str], asked: int | None) -> int:
    """Say how many processes a queue gets: as asked, or EDWORKERS_PROCESSES or PM2_INSTANCES, or one.

    Raises SettingsError.
    """
    if asked is not None:
        return asked
    faults: list[str] = []
    for name in ("EDWORKERS_PROCESSES", "PM2_INSTANCES"):
        count = (os.cpu_count() or 1) if env.get(name) == "max" else _number(env, name, 256, faults)
        if faults:
            raise SettingsError("nothing was started, for these settings can't be used:", faults)
        if count is not None:
            return max(count, 1)
    return 1


def _number(env: Mapping[str, str], name: str, most: int, faults: list[str]) -> int | None:
    value = env.get(name)
    if not value:
        return None
    if value.isascii() and value.isdigit() and int(value) <= most:
        return int(value)
    faults.append(f"{name}: {value!r} is no number from 0 to {most}")
    return None
