"""What a job costs in a runner and in Redis, as a ratio to the barest loop that does the same work.

    .venv/bin/python bench/guard.py [--jobs 10000] [--rounds 3]

Both are measured in turn, in processes of their own, at 50 slots: processor time and not time, so that neither the
machine's speed nor what else runs on it decides. Prints one JSON document: `calls` of Redis a job, and the medians of
the ratios `process` and `redis`.
"""

import argparse
import asyncio
import json
import statistics
import sys
from typing import Any

import redis
import throughput
from processes import HERE, environment, started
from redis_usage import Meter, Usage

from edworkers.standins import redis as redis_standin

SLOTS = 50
_CHUNK = 1000


def bare(client: Any, port: int, jobs: int) -> Usage:
    """Measure the bare loop."""
    client.flushall()
    for first in range(0, jobs, _CHUNK):
        client.lpush("bare:jobs", *(throughput.job(n) for n in range(first, min(first + _CHUNK, jobs))))
    command = [sys.executable, str(HERE / "bare_loop.py"), str(port), str(jobs)]
    with started(command, environment()) as measured:
        throughput.expect(measured, "ready")
        meter = Meter(client, measured.process.pid)
        client.lpush("bare:go", "1")
        throughput.expect(measured, "done")
        return meter.per_job(jobs)


def measure(port: int, jobs: int, rounds: int) -> dict[str, float]:
    """Measure both in turn, and give the medians."""
    client: Any = redis.Redis(port=port)
    calls: list[float] = []
    process: list[float] = []
    in_redis: list[float] = []
    for _ in range(rounds):
        least = bare(client, port, jobs)
        client.flushall()
        ours = throughput.edworkers(client, port, SLOTS, jobs).usage
        calls.append(ours.calls)
        process.append(ours.process_cpu_us / least.process_cpu_us)
        in_redis.append(ours.redis_cpu_us / least.redis_cpu_us)
    found = {"calls": calls, "process": process, "redis": in_redis}
    return {name: round(statistics.median(ratios), 3) for name, ratios in found.items()}


async def main() -> None:
    reading = argparse.ArgumentParser(description=__doc__)
    reading.add_argument("--jobs", type=int, default=10_000)
    reading.add_argument("--rounds", type=int, default=3)
    given = reading.parse_args()
    async with redis_standin.serve() as server:
        print(json.dumps(await asyncio.to_thread(measure, server.port, given.jobs, given.rounds)))


if __name__ == "__main__":
    asyncio.run(main())
