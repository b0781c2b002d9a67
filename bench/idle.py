"""How long a worker of each system takes from its process's start to its first job, and what memory it then holds idle.

One job waits when the process starts. The memory is what is resident two seconds after that job, of the process and of
those that it has started, so what these share counts for each.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import peer_runs
import psutil
import redis
from latency import PENDING
from peer_runs import PEERS, Peer
from processes import Measured, environment, runner, started
from throughput import BULLMQ, expect, push_bullmq

_SETTLE_SECONDS = 2.0
_SLOTS = 50


@dataclass(frozen=True, slots=True)
class Idle:
    """One start of a worker."""

    system: str
    seconds: float
    """From the start of its process to the end of its first job."""
    mib: float
    """Memory when it has nothing to do."""


def measure(client: "redis.Redis", port: int, names: Iterable[str], rounds: int) -> list[Idle]:
    """Start a worker of edworkers and of each of these, round by round."""
    found: list[Idle] = []
    for _ in range(rounds):
        for name in ("edworkers", *names):
            client.flushall()
            found.append(_measure(name, client, port))
    return found


def _measure(name: str, client: "redis.Redis", port: int) -> Idle:
    try:
        if name == "edworkers":
            return _edworkers(client, port)
        return _bullmq(port) if name == "bullmq" else _peer(PEERS[name], port)
    except RuntimeError as error:
        raise SystemExit(f"{name}: {error}; {peer_runs.without(name)}") from error


def _edworkers(client: "redis.Redis", port: int) -> Idle:
    client.lpush(PENDING, '{"data":{"n":0}}')
    with started(runner("stamp"), environment(REDIS_URL=f"redis://127.0.0.1:{port}/0")) as measured:
        measured.line()
        return _look("edworkers", measured)


def _bullmq(port: int) -> Idle:
    push_bullmq(port, 1, 1)
    with started(["node", str(BULLMQ / "worker.js"), *map(str, (port, _SLOTS, 1, 1))], environment()) as measured:
        return _after_warm_up("BullMQ", measured)


def _peer(peer: Peer, port: int) -> Idle:
    env = peer_runs.peer_environment(port, BENCH_SLOTS=_SLOTS, BENCH_JOBS=1, BENCH_WARM_UP=1)
    peer_runs.order(peer, env, "push", 1, 1)
    with started(peer.command("worker"), env) as measured:
        return _after_warm_up(peer.system, measured)


def _after_warm_up(system: str, measured: Measured) -> Idle:
    expect(measured, "ready")
    expect(measured, "warm")
    return _look(system, measured)


def _look(system: str, measured: Measured) -> Idle:
    took = (time.time_ns() - measured.spawned_ns) / 1e9
    time.sleep(_SETTLE_SECONDS)
    process = psutil.Process(measured.process.pid)
    return Idle(system, took, _resident([process, *process.children(recursive=True)]) / 2**20)


def _resident(processes: Sequence[psutil.Process]) -> int:
    return sum(process.memory_info().rss for process in processes)
