"""What only Linux offers: which processes there are, whose they are, and that none is left behind."""

import os
import resource
import signal
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

_SET_PDEATHSIG, _SET_NAME, _SET_CHILD_SUBREAPER = 1, 15, 36
_PAGE = resource.getpagesize()


@cache
def _libc() -> Any:
    import ctypes  # in no runner, which is to start fast

    return ctypes.CDLL(None, use_errno=True)


def die_with_parent(*, wanted: bool = True) -> None:
    """Have the kernel kill this process when the thread that started it ends."""
    _libc().prctl(_SET_PDEATHSIG, signal.SIGKILL if wanted else 0, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of whatever this process's descendants leave behind."""
    _libc().prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def call_myself(name: str) -> None:
    """Set the name under which process lists show this process; 15 characters count."""
    _libc().prctl(_SET_NAME, name.encode(), 0, 0, 0)


def be_killed_first() -> None:
    """Let the kernel, where memory runs out, kill this process and not its runner."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def kill_group(group: int) -> bool:
    """Kill every process of a group; False if there is none."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    except PermissionError:
        # Only one that changed its user can refuse us, and there is nothing more that we could do about it.
        return False
    return True


class Process(NamedTuple):
    """One process as the kernel lists it."""

    pid: int
    parent: int
    group: int
    resident: int
    """Bytes of memory; what it shares with others is in it."""


def processes() -> list[Process]:
    """List every process that can be seen."""
    found: list[Process] = []
    with os.scandir("/proc") as listed:
        for entry in listed:
            if entry.name.isdigit():
                with suppress(OSError):  # it ended meanwhile
                    found.append(_read_stat(int(entry.name), Path(entry.path, "stat").read_bytes()))
    return found


def _read_stat(pid: int, stat: bytes) -> Process:
    # The name before the last bracket may hold anything, even brackets and spaces.
    parts = stat[stat.rindex(b")") + 2 :].split()
    return Process(pid, int(parts[1]), int(parts[2]), int(parts[21]) * _PAGE)


def family(leader: int, among: Iterable[Process]) -> list[Process]:
    """Give the processes of a group and all that descends from its leader."""
    below: dict[int, list[Process]] = {}
    found: dict[int, Process] = {}
    for process in among:
        below.setdefault(process.parent, []).append(process)
        if leader in (process.group, process.pid):
            found[process.pid] = process
    waiting = list(found.values())
    while waiting:
        children = [child for child in below.get(waiting.pop().pid, ()) if child.pid not in found]
        found.update((child.pid, child) for child in children)
        waiting += children
    return list(found.values())


def memory_of(members: Sequence[Process], limit: int) -> int:
    """Say how many bytes these processes use; what several share counts once where it matters for the limit."""
    resident = sum(process.resident for process in members)
    return resident if resident <= limit else sum(_share(process) for process in members)


def _share(process: Process) -> int:
    try:
        text = Path("/proc", str(process.pid), "smaps_rollup").read_text(encoding="ascii", errors="replace")
    except ProcessLookupError:
        return 0
    except OSError:
        return process.resident
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))


def own_children() -> list[int]:
    """List the processes whose parent this one is."""
    try:
        return [int(pid) for pid in Path("/proc/thread-self/children").read_text(encoding="ascii").split()]
    except OSError:  # a kernel without it
        return [process.pid for process in processes() if process.parent == os.getpid()]


def thread_count() -> int:
    """Count the threads of this process, those of libraries with them."""
    return sum(1 for _ in Path("/proc/self/task").iterdir())
