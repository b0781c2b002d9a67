"""Has HTML and Markdown laid out in a process of its own, and tells what its end means."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edworkers.handlers.document.depth import TOO_DEEP
from edworkers.handlers.document.errors import NotLaidOutError, UnusableDocumentError
from edworkers.handlers.document.lay_out import Order, too_large

_PROGRAM = "edworkers.handlers.document.lay_out"
_NEEDED = ("PATH", "HOME", "TMPDIR", "PYTHONPATH")
_OF_FONTS = ("XDG_", "FONTCONFIG_")
_SHARE_OF_TIME = 0.8
"""Of the job's time that is left: the rest is for what comes after it."""
_SAID_CHARACTERS = 300
_OUT_OF_MEMORY = (signal.SIGABRT, signal.SIGTRAP)
"""How libraries in C end where they are refused memory."""
_TOO_DEEP = (signal.SIGSEGV, signal.SIGBUS)
"""How they end where their stack is used up."""


async def lay_out(order: Order, env: Mapping[str, str], folder: Path, seconds_left: float) -> list[str]:
    """Do what is ordered, and name what wasn't loaded. `folder` is where it works.

    Raises UnusableDocumentError where no attempt will do better, and NotLaidOutError where one may.
    """
    seconds = seconds_left * _SHARE_OF_TIME
    with (folder / "said").open("w+b") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", _PROGRAM), stdin=PIPE, stdout=PIPE, stderr=said, cwd=folder, env=_own(env)
        )
        try:
            async with asyncio.timeout(seconds):
                told, _ = await process.communicate(json.dumps(asdict(order)).encode())
        except TimeoutError:
            takes = f"it takes longer than {seconds:.0f} s to be laid out"
            raise UnusableDocumentError(f"{takes}: split it, or raise job.timeoutSeconds") from None
        finally:
            await _end(process)
        said.seek(0)
        return _read(process.returncode or 0, told, said.read().decode(errors="replace"))


async def _end(process: Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _own(env: Mapping[str, str]) -> dict[str, str]:
    """Give it what it needs, and none of the runner's secrets."""
    whole = {**os.environ, **env}
    given = {name: value for name, value in whole.items() if name in _NEEDED or name.startswith(_OF_FONTS)}
    return {**given, "LANG": "C.UTF-8"}


def _read(code: int, told: bytes, said: str) -> list[str]:
    if -code in _OUT_OF_MEMORY:
        raise UnusableDocumentError(too_large())
    if -code in _TOO_DEEP:
        raise UnusableDocumentError(TOO_DEEP)
    if code != 0:
        last = said.strip().splitlines()[-1:] or ["it said nothing"]
        raise NotLaidOutError(f"what lays documents out ended with {code}: {last[0][:_SAID_CHARACTERS]}")
    reply: dict[str, Any] = json.loads(told)
    if reply["wrong"]:
        raise UnusableDocumentError(reply["wrong"])
    return list(reply["missing"])
