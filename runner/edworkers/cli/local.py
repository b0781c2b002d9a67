"""What `edworkers dev` and `edworkers demo` share: a machine on which nothing needs to be set up beforehand."""

import asyncio
import base64
import os
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from edworkers.cli.supervise import edworkers_command
from edworkers.core.errors import SettingsError
from edworkers.handlers.environment import not_installed
from edworkers.standins.leash import leashed

HOST = "127.0.0.1"
STANDIN_KEY = "none-for-the-stand-in-takes-any"

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Result = TypeVar("Result")

_CANCEL_SECONDS = 0.5
_OWN_VARIABLES = ("EDWORKERS_HEALTH_PORT", "EDWORKERS_POOL")


def check_packages(faults: Sequence[str] = ()) -> None:
    """Refuse to start without what the stand-ins are made of; `faults` are named with theirs. Raises SettingsError."""
    missing = [*not_installed("server", "starlette", "uvicorn"), *not_installed("webhook", "standardwebhooks")]
    found = list(dict.fromkeys([*faults, *missing]))
    if found:
        raise SettingsError("nothing was started, for these settings can't be used:", found)


def runner_command(queue: str, *more: str) -> tuple[str, ...]:
    """Give the command line of one runner process that ends when this process does."""
    return leashed(*edworkers_command("run", queue, "--processes", "1", *more))


def runner_environment(env: Mapping[str, str], **more: str) -> dict[str, str]:
    """Make the environment of a runner process: `env`, `more`, and no proxy between it and this machine's servers."""
    kept = {name: value for name, value in env.items() if name not in _OWN_VARIABLES}
    direct = ",".join(filter(None, [env.get("NO_PROXY") or env.get("no_proxy", ""), HOST]))
    return {**kept, **more, "NO_PROXY": direct, "no_proxy": direct}


def made_up_secret() -> str:
    """Make a secret of Standard Webhooks."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def is_free(port: int) -> bool:
    """Whether nothing listens on a port of loopback now."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def own_command() -> str:
    """Write how this program can be called from the current folder."""
    called = Path(sys.argv[0])
    if called.name != "edworkers":
        return f"{sys.executable} -m edworkers"
    if shutil.which("edworkers"):
        return "edworkers"
    return min(os.path.relpath(called), str(called.absolute()), key=len)


def cancel_on_signals() -> None:
    """Cancel the current task when told to stop, once; what it cleans up then isn't disturbed by a second signal."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    signalled = False

    def cancel() -> None:
        nonlocal signalled
        if task is not None and not signalled:
            signalled = True
            task.cancel()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, cancel)


def stop_on_signals() -> asyncio.Event:
    """Give an event that is set when told to stop."""
    stop = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, Result]) -> Result | None:
    """Wait for `work`; None where it was stopped before its end.

    It is cancelled until it ends: before Python 3.12 `wait_for`, by which redis-py sends, may lose a cancellation.
    """
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        return await working
    while not working.done():
        working.cancel()
        await asyncio.wait({working}, timeout=_CANCEL_SECONDS)
    await asyncio.gather(working, return_exceptions=True)  # what it says now is of no use
    return None
