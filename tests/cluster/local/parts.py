"""Starts, finds and ends the cluster's processes.

A process of the cluster is known by a variable in its environment, which its children inherit: so none is missed, even
when what started it was killed the moment after, and none is taken for another that got its process id.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import places
from steps import ClusterError, wait_until

_MARK = "EDWORKERS_CLUSTER_PART"


@dataclass(frozen=True)
class Process:
    """One process of the cluster, and the part of the cluster to which it or its parent belongs."""

    pid: int
    part: str
    program: str


def start(part: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Start a part in a session of its own; its output goes to a log of its name."""
    places.LOGS.mkdir(parents=True, exist_ok=True)
    with log_of(part).open("ab") as log:
        subprocess.Popen(
            list(command),
            env={**os.environ, **(environment or {}), _MARK: part},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=places.HOME,
            start_new_session=True,
        )


def log_of(part: str) -> Path:
    """Name the file to which a part writes its log."""
    return places.LOGS / f"{part}.log"


def running(*parts: str) -> list[Process]:
    """Find the processes of these parts, or of all."""
    found = (_look_at(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [process for process in found if process is not None and (not parts or process.part in parts)]


def is_running(part: str) -> bool:
    """Say whether the part's own process is there, not only children of it."""
    return any(process.program == part[:15] for process in running(part))


def wait_for(part: str, what: str, command: Sequence[str], seconds: float = 120) -> None:
    """Run the command until it succeeds; raises ClusterError with the end of the part's log otherwise."""

    def holds() -> bool:
        return succeeds(command)

    def fails() -> str | None:
        return None if is_running(part) else f"{part} has ended"

    try:
        wait_until(what, holds, seconds=seconds, fails=fails)
    except ClusterError as error:
        raise ClusterError(f"{error}\n{last_lines(part)}") from error


def succeeds(command: Sequence[str]) -> bool:
    """Say whether a command ends with 0; its output is thrown away."""
    return subprocess.run(list(command), capture_output=True, check=False).returncode == 0


def last_lines(part: str, count: int = 8) -> str:
    """Give the end of a part's log and say where the whole is."""
    try:
        lines = log_of(part).read_text(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        lines = []
    return "\n".join([f"the end of {log_of(part)}:", *(f"  {line}" for line in lines)])


def end(*names: str) -> None:
    """End the processes of these parts, or of all, at once: what they would still write goes with the cluster."""
    while found := running(*names):
        for process in found:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.02)


def _look_at(pid: int) -> Process | None:
    folder = Path(f"/proc/{pid}")
    try:
        variables = (folder / "environ").read_bytes().split(b"\0")
        program = (folder / "comm").read_text().strip()
    except OSError:
        return None  # it has ended, or is not ours to look at
    for variable in variables:
        name, _, value = variable.partition(b"=")
        if name.decode(errors="replace") == _MARK:
            return Process(pid, value.decode(), program)
    return None
