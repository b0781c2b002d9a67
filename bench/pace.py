"""From push to start of each system's jobs, as they come at a steady pace: nearly idle, and at half of what it can do.

One process pushes with the system's own producer, and each job carries the time just before it is pushed; the worker,
with 50 slots, holds that against the time at which the job's function begins. edworkers' and BullMQ's producers push
together what is due by then, as they have a bulk; the others push one by one. All share the machine's processors.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import peer_runs
import redis
from peer_runs import PEERS
from processes import Measured, environment, runner, started
from throughput import BULLMQ, JOB_BYTES, check, edworkers_environment, expect, wait_for

SLOTS = 50
IDLE_RATE = 20
IDLE_JOBS = 200
LOAD_SECONDS = 5
MOST_JOBS = 40_000
WARM_UP = 100
_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Paced:
    """How long jobs of one system took from push to start, in microseconds."""

    system: str
    asked: float
    """Jobs a second that were to be pushed."""
    pushed: float
    """How many were."""
    p50: float
    p99: float


def measure(client: "redis.Redis", port: int, rates: Mapping[str, float]) -> list[tuple[Paced, Paced]]:
    """Measure each system nearly idle, and at half of the rate (jobs a second) that is given for its name."""
    found: list[tuple[Paced, Paced]] = []
    for name, rate in rates.items():
        half = max(round(rate / 2), 1)
        idle = _measure(name, client, port, IDLE_RATE, IDLE_JOBS)
        found.append((idle, _measure(name, client, port, half, min(max(half * LOAD_SECONDS, IDLE_JOBS), MOST_JOBS))))
        print(f"  {found[-1][1].system}: {found[-1][0].p99:,.0f} and {found[-1][1].p99:,.0f} us", flush=True)
    return found


def _measure(name: str, client: "redis.Redis", port: int, rate: int, jobs: int) -> Paced:
    client.flushall()
    system, command, env = _worker(name, port, jobs)
    try:
        with started(command, env) as measured:
            _ready(name, measured)
            _run(name, port, jobs, WARM_UP, IDLE_RATE * 10)
            _warm(name, client, measured)
            pushed = _run(name, port, 0, jobs, rate)
            if name == "edworkers":
                wait_for(client, measured, WARM_UP + jobs)
                measured.stop()
            tally = json.loads(measured.line(_PATIENCE_SECONDS))
            check(system, tally, jobs)
    except (RuntimeError, subprocess.SubprocessError) as error:
        raise SystemExit(f"{system}: {error}; {peer_runs.without(name)}") from error
    return Paced(system, rate, pushed, tally["p50_us"], tally["p99_us"])


def _worker(name: str, port: int, jobs: int) -> tuple[str, Sequence[str], dict[str, str]]:
    if name == "edworkers":
        return name, runner("noop"), edworkers_environment(port, SLOTS, jobs)
    if name == "bullmq":
        command = ["node", str(BULLMQ / "worker.js"), *map(str, (port, SLOTS, jobs, WARM_UP))]
        return "BullMQ", command, environment()
    env = peer_runs.peer_environment(port, BENCH_SLOTS=SLOTS, BENCH_JOBS=jobs, BENCH_WARM_UP=WARM_UP)
    return PEERS[name].system, PEERS[name].command("worker"), env


def _ready(name: str, measured: Measured) -> None:
    if name != "edworkers":
        expect(measured, "ready")


def _warm(name: str, client: "redis.Redis", measured: Measured) -> None:
    if name == "edworkers":
        wait_for(client, measured, WARM_UP)
    else:
        expect(measured, "warm")


def _run(name: str, port: int, first: int, count: int, rate: int) -> float:
    """Push at a pace; returns how many a second it came to."""
    words = tuple(map(str, (first, count, rate)))
    command: Iterable[str] = (sys.executable, str(peer_runs.FOLDER / "lpush.py"), "pace", *words)
    if name == "bullmq":
        command = ("node", str(BULLMQ / "pace.js"), str(port), *words, str(JOB_BYTES))
    elif name in PEERS:
        command = PEERS[name].command("pace", *words)
    env = peer_runs.peer_environment(port, BENCH_SLOTS=1)
    pushing = subprocess.run(
        [*command], env=env, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=_PATIENCE_SECONDS
    )
    return float(json.loads(pushing.stdout)["rate"])
