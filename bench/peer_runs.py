"""No-op jobs through one process of other job systems in Python, each in a virtual environment of its own.

Not all of them can be paused, so here all jobs are pushed before the worker starts: at the head of the queue those that
it warms up with, behind them those that are measured. The time runs from the first completion to the last, that is
from when a job's function has run, before the system notes that in Redis. Every run checks that each job ran exactly
once and that none is left over. Each takes so many jobs as a short trial run says will last some six seconds, and at
most those asked for.

What is set in each, and what becomes of a job whose worker is killed, is told in bench/peers/<name>_peer.py.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import redis
from processes import HERE, Measured, environment, started
from redis_usage import Meter
from throughput import JOB_BYTES, WARM_UP, Contestant, Run, check, expect

FOLDER = HERE / "peers"
INSTALLED = HERE / ".peers"
TRIAL_JOBS = 500
TRIAL_WARM_UP = 100
RUN_SECONDS = 6.0
WARM_UP_SECONDS = 2.0
_SETTLE_SECONDS = 10.0
_PATIENCE_SECONDS = 300.0
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Peer:
    """A job system that edworkers is measured beside."""

    system: str
    """Its name as people write it; in lower case that of its files."""
    package: str
    """Whose version is told."""
    unfinished: tuple[str, ...]
    """Patterns of the Redis keys in which a job is until it is done; the first is where it waits."""

    @property
    def name(self) -> str:
        return self.system.lower()

    @property
    def python(self) -> Path:
        return INSTALLED / self.name / "bin" / "python"

    def command(self, *words: object) -> list[str]:
        """Give the command of its program in bench/peers, which knows the words of bench/peers/orders.py."""
        return [str(self.python), str(FOLDER / f"{self.name}_peer.py"), *map(str, words)]


_ALL = (
    Peer("arq", "arq", ("arq:queue", "arq:job:*", "arq:in-progress:*", "arq:retry:*")),
    Peer("SAQ", "saq", ("saq:*:queued", "saq:*:active", "saq:*:incomplete", "saq:job:*")),
    Peer("Celery", "celery", ("celery", "unacked", "unacked_index")),
    Peer("RQ", "rq", ("rq:queue:*", "rq:job:*", "rq:wip:*", "rq:failed:*", "rq:executions:*", "rq:execution:*")),
    Peer("Dramatiq", "dramatiq", ("dramatiq:default*", "dramatiq:__acks__.*")),
    Peer("Taskiq", "taskiq-redis", ("taskiq",)),
    Peer("streaq", "streaq", ("streaq:*:queues:*", "streaq:*:task:data:*", "streaq:*:index:running*")),
    Peer("huey", "huey", ("huey.redis.*", "huey.schedule.*")),
)
PEERS = {peer.name: peer for peer in _ALL}


def install(peer: Peer) -> str:
    """Make its virtual environment, and give its version; ends the program where that fails."""
    INSTALLED.mkdir(exist_ok=True)
    script = HERE.parent / "scripts" / "side_environment.py"
    packages = FOLDER / "requirements" / f"{peer.name}.txt"
    if subprocess.run((sys.executable, str(script), str(packages), str(INSTALLED / peer.name)), check=False).returncode:
        sys.exit(f"{peer.system} can't be installed; {without(peer.name)}")
    words = (str(peer.python), "-c", f"import importlib.metadata as m; print(m.version({peer.package!r}))")
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def without(name: str) -> str:
    """Tell how to leave out a peer."""
    return (
        f"to leave it out, name the others: --peers {' '.join(other for other in ('bullmq', *PEERS) if other != name)}"
    )


def contestant(peer: Peer) -> Contestant:
    """Give what measures this peer in the rounds of bench/throughput.py."""

    def run(client: "redis.Redis", port: int, slots: int, jobs: int, work_ms: int = 0) -> Run:
        try:
            fits, warm_up = _size(peer, client, port, slots, work_ms)
            return measure(peer, client, port, slots=slots, jobs=min(fits, jobs), warm_up=warm_up, work_ms=work_ms)
        except (RuntimeError, subprocess.SubprocessError) as error:
            words = str(error).removeprefix(f"{peer.system}: ")
            raise SystemExit(f"{peer.system}: {words}; {without(peer.name)}") from error

    return run


@cache
def _size(peer: Peer, client: "redis.Redis", port: int, slots: int, work_ms: int) -> tuple[int, int]:
    """Find by a short run how many jobs, and how many to warm up with, last as long as a run should."""
    rate = measure(peer, client, port, slots=slots, jobs=TRIAL_JOBS, warm_up=TRIAL_WARM_UP, work_ms=work_ms).rate
    client.flushall()
    return max(int(rate * RUN_SECONDS), TRIAL_JOBS), min(max(int(rate * WARM_UP_SECONDS), TRIAL_WARM_UP), WARM_UP)


def measure(
    peer: Peer, client: "redis.Redis", port: int, *, slots: int, jobs: int, warm_up: int, work_ms: int = 0
) -> Run:
    """Measure one run, on an empty Redis."""
    env = peer_environment(port, BENCH_SLOTS=slots, BENCH_JOBS=jobs, BENCH_WARM_UP=warm_up, BENCH_WORK_MS=work_ms)
    for first, count in ((jobs, warm_up), (0, jobs)):
        order(peer, env, "push", first, count)
    waiting = unfinished(client, peer.unfinished[:1])
    if sum(waiting.values()) < jobs + warm_up:
        raise RuntimeError(f"of {jobs + warm_up} jobs these wait before the start: {waiting}")
    with started(peer.command("worker"), env) as measured:
        expect(measured, "ready")
        expect(measured, "warm")
        meter = Meter(client, measured.process.pid)
        tally = json.loads(measured.line(_PATIENCE_SECONDS))
        usage = meter.per_job(jobs)
        check(peer.system, tally, jobs)
        _settle(peer, client, measured)
    left = unfinished(client, peer.unfinished)
    if left:
        raise RuntimeError(f"jobs are left over after the worker's end: {left}")
    rate = (jobs - 1) / (tally["last"] - tally["first"]) * 1000
    return Run(peer.system, slots, jobs, rate, usage, knows_calls=False)


def peer_environment(port: int, **more: int) -> dict[str, str]:
    """Give the environment of its program."""
    words = {name: str(value) for name, value in more.items()}
    url = f"redis://127.0.0.1:{port}/0"
    return environment(PYTHONPATH=str(FOLDER), BENCH_REDIS_URL=url, BENCH_BYTES=str(JOB_BYTES), **words)


def order(peer: Peer, env: dict[str, str], *words: object) -> str:
    """Run its program to the end; returns what that printed."""
    done = subprocess.run(
        peer.command(*words), env=env, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        timeout=_PATIENCE_SECONDS,
    )  # fmt: skip
    return done.stdout


def _settle(peer: Peer, client: "redis.Redis", measured: Measured) -> None:
    """Wait until Redis knows that all is done. Raises RuntimeError when something is left for long."""
    until = time.monotonic() + _SETTLE_SECONDS
    while left := unfinished(client, peer.unfinished):
        measured.check()
        if time.monotonic() > until:
            raise RuntimeError(f"jobs are left over in Redis: {left}")
        time.sleep(_LOOK_SECONDS)


def unfinished(client: Any, patterns: Iterable[str]) -> dict[str, int]:
    """Count what is in Redis of jobs that aren't done, by key."""
    keys = {key for pattern in patterns for key in client.scan_iter(pattern, count=1000)}
    sizes = {key.decode(): _size_of(client, key) for key in sorted(keys)}
    return {key: size for key, size in sizes.items() if size}


def _size_of(client: Any, key: bytes) -> int:
    kind = client.type(key).decode()
    if kind == "stream":
        groups = client.xinfo_groups(key)
        # Where a stream isn't shortened, what was acknowledged stays in it; where it is, Redis may know no lag.
        if groups and all(group["lag"] is not None for group in groups):
            return sum(group["pending"] + group["lag"] for group in groups)
        return int(client.xlen(key))
    counts = {"list": client.llen, "set": client.scard, "zset": client.zcard, "hash": client.hlen}
    return int(counts[kind](key)) if kind in counts else int(client.exists(key))
