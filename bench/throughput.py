"""No-op jobs through one process: edworkers, and BullMQ beside it; bench/peer_runs.py has other systems.

Both are started and warmed up first, then paused while all jobs are pushed; the time runs from the first completion to
the last. Every run checks that each job ran exactly once and that none is left over.
"""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis
from processes import HERE, Measured, environment, runner, started
from redis_usage import Meter, Usage

from edworkers.core.keys import QueueKeys
from edworkers.standins.free_port import free_port

BULLMQ = HERE / "bullmq"
JOB_BYTES = 300
WARM_UP = 2000
_CHUNK = 1000
_LOOK_SECONDS = 0.01
_PATIENCE_SECONDS = 120.0
KEYS = QueueKeys("noop")


@dataclass(frozen=True, slots=True)
class Run:
    """One measured run."""

    system: str
    slots: int
    jobs: int
    rate: float
    """Jobs a second."""
    usage: Usage
    knows_calls: bool = True
    """Whether its calls of Redis are all among those that `Meter` counts."""


def edworkers(client: "redis.Redis", port: int, slots: int, jobs: int, work_ms: int = 0) -> Run:
    """Measure `edworkers run`, with leases, validation, records and metrics as in a cluster."""
    with started(runner("noop"), edworkers_environment(port, slots, jobs, work_ms)) as measured:
        push(client, jobs, WARM_UP)
        wait_for(client, measured, WARM_UP)
        client.sadd(KEYS.paused, "bench")
        push(client, 0, jobs)
        meter = Meter(client, measured.process.pid)
        client.delete(KEYS.paused)
        client.publish(KEYS.events, "resume")
        begin, base = first_after(client, measured, WARM_UP)
        if base == WARM_UP + jobs:
            raise RuntimeError(f"edworkers: {jobs} jobs are too few to measure: all were done at the first look")
        end = wait_for(client, measured, WARM_UP + jobs)
        usage = meter.per_job(jobs)
        measured.stop()
        check("edworkers", json.loads(measured.line()), jobs)
    left = [client.llen(KEYS.pending), client.hlen(KEYS.inflight), client.zcard(KEYS.delayed), client.zcard(KEYS.dead)]
    if any(left) or done(client) != WARM_UP + jobs:
        raise RuntimeError(f"edworkers: not every job was done once: {left} left, {done(client)} done")
    return Run("edworkers", slots, jobs, (WARM_UP + jobs - base) / (end - begin), usage)


def edworkers_environment(port: int, slots: int, jobs: int, work_ms: int = 0) -> dict[str, str]:
    """Give the environment of a runner of the pool `noop`."""
    return environment(
        REDIS_URL=f"redis://127.0.0.1:{port}/0",
        NOOP_WORKER_CONCURRENCY=str(slots),
        EDWORKERS_HEALTH_PORT=str(free_port()),
        BENCH_JOBS=str(jobs),
        BENCH_WORK_MS=str(work_ms),
    )


def push(client: "redis.Redis", first: int, count: int) -> None:
    for at in range(first, first + count, _CHUNK):
        client.lpush(KEYS.pending, *(job(n) for n in range(at, min(at + _CHUNK, first + count))))


def job(n: int) -> str:
    bare = json.dumps({"data": {"n": n, "text": ""}}, separators=(",", ":"))
    return f'{bare[:-3]}{"x" * (JOB_BYTES - len(bare))}"}}}}'


def done(client: Any) -> int:
    return int(client.hget(KEYS.totals, "ack") or 0)


def wait_for(client: "redis.Redis", measured: Measured, count: int) -> float:
    """Wait until so many jobs are done; returns when that was seen (monotonic seconds)."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while done(client) < count:
        measured.check()
        if time.monotonic() > until:
            raise RuntimeError(f"edworkers: only {done(client)} of {count} jobs done in {_PATIENCE_SECONDS:g} s")
        time.sleep(_LOOK_SECONDS)
    return time.monotonic()


def first_after(client: "redis.Redis", measured: Measured, count: int) -> tuple[float, int]:
    """Wait until more than so many are done; returns when that was seen, and how many were done by then."""
    wait_for(client, measured, count + 1)
    return time.monotonic(), done(client)


def bullmq(client: "redis.Redis", port: int, slots: int, jobs: int, work_ms: int = 0) -> Run:
    """Measure BullMQ's worker."""
    command = ["node", str(BULLMQ / "worker.js"), *map(str, (port, slots, jobs, WARM_UP, work_ms))]
    with started(command, environment()) as measured:
        expect(measured, "ready")
        push_bullmq(port, jobs, WARM_UP)
        expect(measured, "warm")
        push_bullmq(port, 0, jobs)
        waiting = client.llen("bull:noop:wait") + client.llen("bull:noop:paused")
        if waiting != jobs:
            raise RuntimeError(f"BullMQ: {waiting} of {jobs} jobs wait before the start")
        meter = Meter(client, measured.process.pid)
        push_bullmq(port, 0, 0)
        tally = json.loads(measured.line())
        usage = meter.per_job(jobs)
        check("BullMQ", tally, jobs)
    names = ("wait", "paused", "active")
    left = [*(client.llen(f"bull:noop:{name}") for name in names), client.zcard("bull:noop:failed")]
    if any(left):
        raise RuntimeError(f"BullMQ: not every job was done once: {left} left")
    return Run("BullMQ", slots, jobs, (jobs - 1) / (tally["last"] - tally["first"]) * 1000, usage)


def push_bullmq(port: int, first: int, count: int) -> None:
    command = ["node", str(BULLMQ / "push.js"), str(port), str(first), str(count), str(JOB_BYTES)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=_PATIENCE_SECONDS)


def expect(measured: Measured, word: str) -> None:
    line = measured.line()
    if line != word:
        raise RuntimeError(f"{measured.process.args!r} said {line!r} instead of {word!r}")


def check(system: str, tally: dict[str, float], jobs: int) -> None:
    if tally["distinct"] != jobs or tally["most"] != 1:
        raise RuntimeError(f"{system}: of {jobs} jobs {tally['distinct']} ran, one of them {tally['most']} times")


Contestant = Callable[["redis.Redis", int, int, int, int], Run]
"""Measures one run on the Redis of that client and port, with so many slots and jobs, each of which waits for so many
milliseconds as for something that is far away; it may take fewer jobs."""


def measure(
    client: "redis.Redis",
    port: int,
    *,
    slots: int,
    jobs: int,
    rounds: int,
    contestants: tuple[Contestant, ...],
    work_ms: int = 0,
) -> list[Run]:
    """Measure in rounds, each beginning with another contestant than the last."""
    runs: list[Run] = []
    for number in range(rounds):
        turn = number % len(contestants)
        for contestant in (*contestants[turn:], *contestants[:turn]):
            client.flushall()
            run = contestant(client, port, slots, jobs, work_ms)
            print(f"  round {number + 1}, {slots} slots: {run.system} {run.rate:,.0f} jobs/s", flush=True)
            runs.append(run)
    return runs
