"""The cgroup under which every container of the cluster runs; version 1 has one in the tree of every controller."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from steps import ClusterError

NAME = "edworkers-cluster"
_TOP = Path("/sys/fs/cgroup")
_NEEDED = frozenset({"cpu", "memory", "pids"})


def is_unified(top: Path = _TOP) -> bool:
    """Say whether the machine has cgroup version 2 alone."""
    return (top / "cgroup.controllers").exists()


def up() -> None:
    """Make the cgroup; raises ClusterError if the machine keeps the controllers that a kubelet needs to itself."""
    if is_unified():
        _delegate(_TOP)
    for root in _roots():
        root.mkdir(exist_ok=True)
        _inherit_cpus(root)


def down() -> None:
    """End every process in it, also of containers that nobody looks after any more, and remove it with all below."""
    _kill_all()
    for root in _roots():
        if root.exists():
            _remove(root)


def _kill_all() -> None:
    deadline = time.monotonic() + 30
    while pids := _pids():
        if time.monotonic() > deadline:
            raise ClusterError(f"these processes of containers don't end: {sorted(pids)}")
        for pid in pids:
            _kill(pid)
        time.sleep(0.05)


def _roots() -> list[Path]:
    if is_unified():
        return [_TOP / NAME]
    return [tree / NAME for tree in sorted(_TOP.iterdir()) if (tree / "cgroup.procs").exists()]


def _pids() -> set[int]:
    return {int(line) for root in _roots() for group in _groups(root) for line in _lines(group / "cgroup.procs")}


def _groups(root: Path) -> Iterator[Path]:
    """Walk a cgroup and those in it, the innermost first."""
    for folder, _, _ in os.walk(root, topdown=False):
        yield Path(folder)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []  # it was removed meanwhile


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _remove(root: Path) -> None:
    deadline = time.monotonic() + 10
    while root.exists():
        for group in _groups(root):
            try:
                group.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise  # the kernel still counts something in it
        time.sleep(0.02)


def _delegate(top: Path) -> None:
    """Let the cgroups below have their controllers, which a machine with systemd does anyway."""
    given = set(_lines(top / "cgroup.subtree_control"))
    wanted = (set(_lines(top / "cgroup.controllers")) & (_NEEDED | {"cpuset", "hugetlb", "io"})) - given
    try:
        if wanted:
            (top / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in sorted(wanted)))
    except OSError as error:
        raise ClusterError(
            f"{top}/cgroup.subtree_control can't be given {', '.join(sorted(wanted))} ({error.strerror}). "
            "In a container, start it with --privileged --cgroupns=host."
        ) from error
    missing = _NEEDED - set(_lines(top / "cgroup.subtree_control"))
    if missing:
        raise ClusterError(f"this machine's cgroups lack the controllers {', '.join(sorted(missing))}")


def _inherit_cpus(root: Path) -> None:
    """Version 1 makes a cpuset empty, and nothing can run in it."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = root / name
        if file.exists() and not is_unified() and not file.read_text().strip():
            file.write_text((root.parent / name).read_text())
