"""Removes what LibreOffice leaves in the folder for temporary files when it is killed."""

import os
import socket
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

FOLDERS = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - LibreOffice's own choice
"""Where it makes its socket: in the first that can be written to."""
LEFT_SECONDS = 600
"""One that was made just now may belong to a program that doesn't listen yet."""


def remove_left_sockets(folders: Iterable[Path] = FOLDERS, *, now: float | None = None) -> None:
    """Remove the sockets of this user's LibreOffice on which nobody listens. `now` is in seconds since 1970."""
    moment = time.time() if now is None else now
    for folder in folders:
        for path in folder.glob(f"OSL_PIPE_{os.getuid()}_SingleOfficeIPC_*"):
            with suppress(OSError):
                found = path.lstat()
                if stat.S_ISSOCK(found.st_mode) and moment - found.st_mtime > LEFT_SECONDS and not _is_served(path):
                    path.unlink()


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            return False
        return True
