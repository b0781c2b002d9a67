"""How many jobs a second one process pushes to each system, one after another and by bulk, with its own producer.

Jobs of 300 bytes, to a queue that nobody works on; a bulk is of a thousand. To edworkers anything that speaks to Redis
may push: here it is redis-py, with one LPUSH a job, or one for a thousand.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass

import peer_runs
import redis
from peer_runs import PEERS
from throughput import BULLMQ, JOB_BYTES

JOBS = 5000
_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Pushed:
    """One measured run of a producer, in jobs a second."""

    system: str
    single: float
    bulk: float | None
    """None where it has no bulk."""


def measure(client: "redis.Redis", port: int, names: Iterable[str], rounds: int) -> list[Pushed]:
    """Measure edworkers and each of these, round by round."""
    pushed: list[Pushed] = []
    for _ in range(rounds):
        for name in ("edworkers", *names):
            client.flushall()
            pushed.append(_measure(name, port))
            client.flushall()
    return pushed


def _measure(name: str, port: int) -> Pushed:
    system, command = _program(name, port)
    env = peer_runs.peer_environment(port, BENCH_SLOTS=1)
    done = subprocess.run(
        command, env=env, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=_PATIENCE_SECONDS
    )
    if done.returncode:
        raise SystemExit(f"{system}: its producer ended with {done.returncode}; {peer_runs.without(name)}")
    rates = json.loads(done.stdout)
    return Pushed(system, rates["single"], rates.get("bulk"))


def _program(name: str, port: int) -> tuple[str, list[str]]:
    if name == "bullmq":
        return "BullMQ", ["node", str(BULLMQ / "enqueue.js"), str(port), str(JOBS), str(JOB_BYTES)]
    if name == "edworkers":
        return name, [sys.executable, str(peer_runs.FOLDER / "lpush.py"), "enqueue", str(JOBS)]
    return PEERS[name].system, PEERS[name].command("enqueue", JOBS)
