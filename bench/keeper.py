"""What one keeper costs with so many queues: while nothing is to be done, and to put delayed jobs back that are due.

A row for each number of queues: processor time of the keeper and of Redis as a part of a core, calls a second,
the keeper's memory, and how long after they were due the delayed jobs of all queues were back in their lists.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import redis
from processes import environment, started

from edworkers.core.keys import QueueKeys

QUEUES = (1, 10, 100)
_SECONDS = 20.0
_DELAYED = 100
_DUE_MS = 3000
_PATIENCE_SECONDS = 120.0
_LOOK_SECONDS = 0.005


def manifest(name: str) -> str:
    """Give a pool with the benchmarks' own handlers."""
    spec = f"{{queue: {name}, handlers: noop_pool}}"
    return f"apiVersion: edworkers.dev/v1alpha1\nkind: WorkerPool\nmetadata: {{name: {name}}}\nspec: {spec}\n"


def measure(port: int, count: int, seconds: float = _SECONDS, delayed: int = _DELAYED) -> dict[str, Any]:
    """Measure one keeper of so many queues."""
    client: Any = redis.Redis(port=port)
    client.flushall()
    queues = [QueueKeys(f"queue-{n}") for n in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        pools = Path(folder) / "pools.yaml"
        pools.write_text("---\n".join(manifest(queue.queue) for queue in queues), encoding="utf-8")
        command = [sys.executable, "-m", "edworkers", "keeper", "--pools", str(pools)]
        with started(command, environment(REDIS_URL=f"redis://127.0.0.1:{port}/0")) as measured:
            process = psutil.Process(measured.process.pid)
            _put_back(client, queues, 1, measured.check)  # and so it has begun with each of them
            before = _look(client, process)
            time.sleep(seconds)
            passed, cpu, redis_cpu, calls = (
                after - old for after, old in zip(_look(client, process), before, strict=True)
            )
            late = _put_back(client, queues, delayed, measured.check)
            memory = process.memory_info().rss / 2**20
    return {
        "queues": count,
        "cpu_percent": round(100 * cpu / passed, 2),
        "redis_cpu_percent": round(100 * redis_cpu / passed, 2),
        "calls/s": round(calls / passed, 1),
        "memory_mib": round(memory, 1),
        "jobs_due": delayed * count,
        "put_back_within_s": round(late, 2),
    }


def _look(client: Any, process: psutil.Process) -> tuple[float, float, float, float]:
    used, times = client.info("cpu"), process.cpu_times()
    commands = client.info("commandstats")
    calls = sum(commands.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "eval", "fcall"))
    return time.monotonic(), times.user + times.system, used["used_cpu_user"] + used["used_cpu_sys"], calls


def _put_back(client: Any, queues: list[QueueKeys], count: int, check: Any) -> float:
    """Delay so many jobs in each queue; gives how long after they were due all were back, in seconds."""
    due = time.time() * 1000 + _DUE_MS
    before = sum(client.llen(queue.pending) for queue in queues)
    for queue in queues:
        ids = [f"{time.time_ns()}-{n}" for n in range(count)]
        entries = {
            job_id: b"\x1e0 0 %d %s\n" % (due, job_id.encode()) + b'{"data":{"n":0,"text":""}}' for job_id in ids
        }
        client.hset(queue.entries, mapping=entries)
        client.zadd(queue.delayed, dict.fromkeys(ids, due))
    until = time.monotonic() + _PATIENCE_SECONDS
    while sum(client.llen(queue.pending) for queue in queues) < before + count * len(queues):
        check()
        if time.monotonic() > until:
            raise RuntimeError(f"not all delayed jobs were put back within {_PATIENCE_SECONDS:g} s")
        time.sleep(_LOOK_SECONDS)
    return time.time() - due / 1000
