"""How long a runner takes from its process's start to its first job's, and what memory an idle one holds."""

import sys
import time
from dataclasses import dataclass

import psutil
import redis
from latency import PENDING, wait_until_idle
from processes import environment, runner, started

_SETTLE_SECONDS = 2.0
_BARE = "import os, time; os.write({pipe}, b'%d\\n' % time.time_ns())"


@dataclass(frozen=True, slots=True)
class Start:
    """One start, in milliseconds."""

    to_first_job: float
    """From the start of the process to that of the first job."""
    python_alone: float
    """From the start of a Python to its first line."""
    cpu: float
    """Processor time of the process until its first job."""


def measure(client: "redis.Redis", port: int, rounds: int) -> list[Start]:
    """Start a runner again and again, each time with one job waiting."""
    return [_start(client, port) for _ in range(rounds)]


def _start(client: "redis.Redis", port: int) -> Start:
    with started([sys.executable, "-c", _BARE], environment()) as bare:
        alone = int(bare.line()) - bare.spawned_ns
    client.flushall()
    client.lpush(PENDING, '{"data":{"n":0}}')
    with started(runner("stamp"), environment(REDIS_URL=f"redis://127.0.0.1:{port}/0")) as measured:
        _, at, cpu = measured.line().split()
    return Start((int(at) - measured.spawned_ns) / 1e6, alone / 1e6, int(cpu) / 1e6)


def measure_memory(client: "redis.Redis", port: int) -> dict[str, float]:
    """Give the memory (MiB) of an idle runner of the queue `webhook`: resident, and what is its alone."""
    client.flushall()
    env = environment(REDIS_URL=f"redis://127.0.0.1:{port}/0", WEBHOOK_SECRET="none")
    with started(runner("webhook", pool=False), env) as measured:
        wait_until_idle(client, measured, 1)
        time.sleep(_SETTLE_SECONDS)
        memory = psutil.Process(measured.process.pid).memory_full_info()
    return {"rss": memory.rss / 2**20, "uss": memory.uss / 2**20}
