"""A folder for each job, for as long as it runs, and nothing left of those that were killed."""

import fcntl
import os
import shutil
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

_NAME = "edworkers-documents"


@contextmanager
def workspace(folder: Path) -> Generator[Path]:
    """Give a new folder below `folder`, which is removed at the end.

    A job that is killed can't remove its own: the next one does. Each holds a lock on its folder, which ends with its
    process, so that those whose job still runs are known. Raises OSError.
    """
    common = _common(folder)
    with _locked(common):
        _sweep(common)
        made = Path(mkdtemp(prefix="", dir=common))
        lock = _lock(made, fcntl.LOCK_EX)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(lock)


def sweep(folder: Path) -> None:
    """Remove what is left of jobs that were killed. Raises OSError."""
    common = _common(folder)
    with _locked(common):
        _sweep(common)


def _common(folder: Path) -> Path:
    """Make the folder of all jobs of this user; in a shared place nobody else may have put one there."""
    common = folder / f"{_NAME}-{os.getuid()}"
    common.mkdir(mode=0o700, exist_ok=True)
    found = common.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(f"{common} belongs to somebody else: remove it, or set EDWORKERS_WORK_FOLDER")
    return common


def _sweep(common: Path) -> None:
    for left in common.iterdir():
        with suppress(OSError):
            lock = _lock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
            os.close(lock)


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    lock = _lock(folder, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(lock)


def _lock(folder: Path, how: int) -> int:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(opened, how)
    except BaseException:
        os.close(opened)
        raise
    return opened
