"""Makes sure that system programs are there: `python scripts/system.py redis-server npm`.

What is on the PATH already is left as it is. What is missing is installed where that can be done without asking, on
Debian and its like as root; elsewhere the program ends with what to install. Needs nothing but Python itself.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

PACKAGES = {
    "etcd": ("etcd-server",),
    "ip": ("iproute2",),
    "node": ("nodejs",),
    "npm": ("nodejs", "npm"),
    "pango": ("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0"),
    "pg_dump": ("postgresql-client",),
    "postgres": ("postgresql",),
    "promtool": ("prometheus",),
    "redis-cli": ("redis-tools",),
    "redis-server": ("redis-server",),
    "soffice": (
        "libreoffice-writer-nogui",
        "libreoffice-calc-nogui",
        "libreoffice-impress-nogui",
        "libreoffice-draw-nogui",
        "fonts-dejavu-core",
        "fonts-liberation2",
        "fonts-crosextra-carlito",
        "fonts-crosextra-caladea",
    ),
    "valkey-server": ("valkey-server",),
}
"""Debian's packages for a program; one that isn't here has a package of its own name."""

ELSEWHERE = {
    "containernetworking-plugins": ("/usr/lib/cni/bridge",),
    "pango": ("/usr/lib/*/libpangoft2-1.0.so.0", "/usr/lib/*/libharfbuzz-subset.so.0"),
    "postgres": ("/usr/lib/postgresql/*/bin/postgres",),
}
"""The files, as patterns, that show that something is there which puts nothing on the PATH: one of each is needed."""

SUBSTITUTES = {"redis-server": ("valkey-server",)}
"""What does as well as a program."""

POLICY = Path("/usr/sbin/policy-rc.d")
"""What Debian's packages ask before they start a service."""

_NO_SERVICES = """#!/bin/sh
# Written while packages are installed that edworkers needs: their services stay stopped.
exit 101
"""
_QUIET = ("--quiet", "--quiet", "--option", "DPkg::Lock::Timeout=120")


def is_there(program: str) -> bool:
    """Say whether a program, or what does as well, is on the PATH, or its file where it belongs."""
    if program in ELSEWHERE:
        return all(any(Path("/").glob(pattern.removeprefix("/"))) for pattern in ELSEWHERE[program])
    return any(shutil.which(name) for name in (program, *SUBSTITUTES.get(program, ())))


def packages_for(programs: Sequence[str]) -> list[str]:
    """Name the Debian packages of these programs, each once."""
    return list(dict.fromkeys(package for name in programs for package in PACKAGES.get(name, (name,))))


@contextmanager
def no_services(policy: Path) -> Generator[None]:
    """Keep packages from starting their services; a policy that the machine has already is left alone."""
    try:
        with policy.open("x", encoding="utf-8") as file:
            file.write(_NO_SERVICES)
            os.fchmod(file.fileno(), 0o755)
    except FileExistsError:
        yield
        return
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)


def install(packages: Sequence[str], policy: Path) -> str | None:
    """Install packages; returns what apt-get said if it failed, else None."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
    commands = (
        ("apt-get", *_QUIET, "update"),
        ("apt-get", *_QUIET, "install", "--yes", "--no-install-recommends", *packages),
    )
    with no_services(policy):
        for command in commands:
            done = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
            if done.returncode != 0:
                return done.stdout.decode(errors="replace").strip() or f"it ended with {done.returncode}"
    return None


def main(programs: Sequence[str], *, is_root: bool, policy: Path = POLICY) -> int:
    """Make sure that the programs are there; returns the exit code, and says on stderr what is wrong."""
    missing = [program for program in programs if not is_there(program)]
    if not missing:
        return 0
    packages = packages_for(missing)
    if not (is_root and shutil.which("apt-get")):
        return _refuse(f"not on the PATH: {', '.join(missing)}", packages)
    print(f"installing {' '.join(packages)} with apt-get, for {', '.join(missing)}", flush=True)
    said = install(packages, policy)
    if said is not None:
        return _refuse(f"apt-get could not install {', '.join(packages)}:\n{said}", packages)
    still = [program for program in missing if not is_there(program)]
    if still:
        return _refuse(f"installed, but still not on the PATH: {', '.join(still)}", packages_for(still))
    return 0


def _refuse(what: str, packages: Sequence[str]) -> int:
    command = f"apt-get install {' '.join(packages)}"
    print(f"{what}\nPlease install what is missing; on Debian or Ubuntu: {command}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], is_root=os.geteuid() == 0))
