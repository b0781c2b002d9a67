"""Converts one document: LibreOffice is started for it, and has ended when it is done."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from edworkers.adapters.libreoffice import sealed
from edworkers.adapters.libreoffice.errors import NotConvertedError
from edworkers.adapters.libreoffice.profile import write_profile
from edworkers.adapters.libreoffice.program import find_program
from edworkers.adapters.libreoffice.sockets import remove_left_sockets

_SAID_BYTES = 2000
_UNREADABLE = b"source file could not be loaded"
_NOISE = ("javaldx", "failed to launch")


async def convert(env: Mapping[str, str], source: Path, folder: Path, ending: str, export: str) -> Path:
    """Convert a document in `folder`, where nothing else is, into a new file there, and give its path.

    `source` has a name of ours, for it is on the command line. `ending` is that of the new file, `export` the name of
    LibreOffice's filter, with its options after a colon. The program stays in this process's group. When the call is
    cancelled, it is killed with all that it started. Raises NotConvertedError.
    """
    program = find_program(env)
    if program is None:
        raise NotConvertedError("LibreOffice is not there: install it, and start the runner anew", is_document=False)
    home, output = folder / "home", folder / "output"
    for made in (home, output):
        made.mkdir()
    write_profile(folder / "profile")
    remove_left_sockets()
    command = (program, *_arguments(source, folder / "profile", output, ending, export))
    with (folder / "said").open("w+b") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", sealed.__file__, str(folder)),
            *command,
            stdin=DEVNULL,
            stdout=said,
            stderr=said,
            cwd=home,
            env=_environment(env, home),
        )
        code = await _end_of(process)
        said.seek(0)
        return _made(output, code, said.read(_SAID_BYTES))


def _arguments(source: Path, profile: Path, output: Path, ending: str, export: str) -> list[str]:
    return [
        f"-env:UserInstallation={profile.as_uri()}",
        "--headless",
        "--invisible",
        "--nologo",
        "--nodefault",
        "--norestore",
        "--nolockcheck",
        "--convert-to",
        f"{ending}:{export}",
        "--outdir",
        str(output),
        str(source),
    ]


def _environment(env: Mapping[str, str], home: Path) -> dict[str, str]:
    """Give it what it needs, and none of the runner's secrets."""
    return {
        "PATH": env.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "SAL_USE_VCLPLUGIN": "svp",
        "SAL_DISABLE_OPENCL": "1",
    }


async def _end_of(process: Process) -> int:
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            _kill_family(process.pid)
            await process.wait()


def _kill_family(leader: int) -> None:
    """Kill a process and all that descends from it, the youngest last: what has lost its parent is found no more."""
    found = [leader]
    for pid in found:  # grows as it goes
        with suppress(OSError):
            os.kill(pid, signal.SIGSTOP)  # so that it starts nothing meanwhile
        found += _children_of(pid)
    for pid in found:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _children_of(parent: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{parent}/task").glob("*/children"):
        with suppress(OSError):
            found += [int(pid) for pid in path.read_text(encoding="ascii").split()]
    return found


def _made(output: Path, code: int, said: bytes) -> Path:
    """Find the new file. LibreOffice ends with 0 as well where it made none."""
    files = [path for path in output.iterdir() if path.is_file() and path.stat().st_size > 0]
    if code == 0 and len(files) == 1:
        return files[0]
    words = _in_words(said)
    if _UNREADABLE in said:
        raise NotConvertedError(f"LibreOffice can't open it{words}", is_document=True)
    if code < 0:
        raise NotConvertedError(f"LibreOffice was ended by signal {-code}{words}", is_document=False)
    # One that crashed over a document does so with every attempt, but from out of memory it looks the same.
    ended = "made no file" if code == 0 else f"ended with code {code}"
    raise NotConvertedError(f"LibreOffice {ended}{words}", is_document=False)


def _in_words(said: bytes) -> str:
    lines = (line.strip() for line in said.decode(errors="replace").splitlines())
    worth = [line for line in lines if line and not any(noise in line for noise in _NOISE)]
    return f": {'; '.join(worth)[:300]}" if worth else ""
