"""Makes a small Debian from its packages, as a tar: the base of images where none can be pulled."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from steps import ClusterError

_SUITE = "bookworm"
_SUITES = (_SUITE, f"{_SUITE}-updates", f"{_SUITE}-security")
_FORMAT = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
_SOURCE = re.compile(rf"deb \S+ ({'|'.join(_SUITES)}) main")
_OPTION = re.compile(r'Acquire::https?::.*"[^"]+";')
"""A setting of apt that says how to reach the mirror, such as a proxy."""

_UNUSED = ("doc", "info", "locale", "man")


def recipe(packages: Sequence[str]) -> list[str]:
    """Give the command that makes it, but for the mirror, which has no say in what comes out."""
    unused = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in _UNUSED]
    return ["mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}", *unused, _SUITE]


def make(packages: Sequence[str], tar: Path) -> None:
    """Make it, from the mirror and through the proxy that this machine's apt uses; raises ClusterError."""
    options = [f"--aptopt={option}" for option in _said("apt-config", "dump") if _OPTION.fullmatch(option)]
    sources = [line for line in _said("apt-get", "indextargets", "--format", _FORMAT) if _SOURCE.fullmatch(line)]
    command, unfinished = recipe(packages), tar.with_suffix(".unfinished.tar")
    mirror = sorted(set(sources))  # from none, mmdebstrap takes Debian's own
    made = subprocess.run([*command, *options, unfinished, *mirror], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        unfinished.unlink(missing_ok=True)
        raise ClusterError(f"{' '.join(command)} failed:\n{made.stderr[-2000:]}")
    unfinished.rename(tar)


def _said(*command: str) -> list[str]:
    """Give the lines that a command prints; none where there is no such command, as on another system."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    except FileNotFoundError:
        return []
