"""The systems that edworkers is measured beside, by name: BullMQ, and those of bench/peer_runs.py."""

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence

import peer_runs
import throughput
from peer_runs import PEERS
from processes import HERE

NAMES = ("bullmq", *PEERS)


def install(names: Iterable[str]) -> dict[str, str]:
    """Make sure that they are there, and give their versions; ends the program with what is missing."""
    return {name: peer_runs.install(PEERS[name]) if name in PEERS else _install_bullmq() for name in names}


def choose(names: Iterable[str]) -> tuple[throughput.Contestant, ...]:
    """Give what measures edworkers, and then each of these."""
    others = (peer_runs.contestant(PEERS[name]) if name in PEERS else throughput.bullmq for name in names)
    return (throughput.edworkers, *others)


def _install_bullmq() -> str:
    quiet = ("--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    _run((sys.executable, str(HERE.parent / "scripts" / "system.py"), "node", "npm"))
    _run(("npm", "install", *quiet))
    package = throughput.BULLMQ / "node_modules" / "bullmq" / "package.json"
    return str(json.loads(package.read_text(encoding="utf-8"))["version"])


def _run(command: Sequence[str]) -> None:
    if subprocess.run(command, cwd=throughput.BULLMQ, check=False, stdin=subprocess.DEVNULL).returncode:
        sys.exit(f"BullMQ can't be installed; {peer_runs.without('bullmq')}")
