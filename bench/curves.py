"""Whether what a job costs grows with the length of a list: with much that waits, much that runs, many runners.

Each row is the median of a few runs of no-op jobs by real runners, 50 slots each: jobs a second, and Redis' calls and
time a job. The runs of a curve take turns, so that what else the machine does comes to each of its rows.
The latency is that of an urgent job, from push to start, while a runner with 10 slots is kept busy by so many others.
"""

import statistics
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import redis
import throughput
from processes import Measured, environment, runner, started
from redis_usage import Meter
from throughput import KEYS, WARM_UP

from edworkers.core.keys import QueueKeys
from edworkers.standins.free_port import free_port

PENDING = (1_000, 100_000, 1_000_000)
IN_FLIGHT = (100, 10_000)
PROCESSES = (1, 2, 4, 8, 16)
SLOTS = 50
_CHUNK = 1000
_STAMP = QueueKeys("stamp")
_LEASE_MS = 600_000
_REST_SECONDS = 0.005
ROUNDS = 3
_UNCOUNTED = 10
"""Samples at first, while the runner starts."""


class Bench:
    """Measures on one Redis, which must be nobody else's."""

    def __init__(self, port: int, jobs: int, samples: int) -> None:
        self._client: Any = redis.Redis(port=port)
        self._url = f"redis://127.0.0.1:{port}/0"
        self._jobs = jobs
        self._samples = samples

    def throughput(self, *, pending: int = 0, in_flight: int = 0, processes: int = 1) -> dict[str, Any]:
        """Time jobs while so many more wait, so many are in the hands of others, and that many runners work."""
        self._client.flushall()
        self._hold(in_flight)
        with ExitStack() as stack:
            running = [stack.enter_context(self._runner()) for _ in range(processes)]
            throughput.push(self._client, self._jobs, WARM_UP)
            throughput.wait_for(self._client, running[0], WARM_UP)
            self._client.sadd(KEYS.paused, "bench")
            throughput.push(self._client, 0, self._jobs + pending)
            meter = Meter(self._client, running[0].process.pid)
            self._client.delete(KEYS.paused)
            self._client.publish(KEYS.events, "resume")
            begin, base = throughput.first_after(self._client, running[0], WARM_UP)
            end = throughput.wait_for(self._client, running[0], WARM_UP + self._jobs)
            done = throughput.done(self._client) - WARM_UP
            usage = meter.per_job(done)
        return {
            "jobs/s": round((WARM_UP + self._jobs - base) / (end - begin)),
            "calls": round(usage.calls, 3),
            "redis_us": round(usage.redis_us, 1),
        }

    def _runner(self) -> Any:
        env = environment(
            REDIS_URL=self._url,
            NOOP_WORKER_CONCURRENCY=str(SLOTS),
            EDWORKERS_HEALTH_PORT=str(free_port()),
            BENCH_JOBS=str(self._jobs),
        )
        return started(runner("noop"), env)

    def _hold(self, count: int) -> None:
        """Put so many jobs into the hands of a runner that is elsewhere."""
        for first in range(0, count, _CHUNK):
            receipts = {f"elsewhere.0.{n}": throughput.job(n) for n in range(first, min(first + _CHUNK, count))}
            self._client.hset(KEYS.inflight, mapping=receipts)
            self._client.zadd(KEYS.lease, dict.fromkeys(receipts, time.time() * 1000 + _LEASE_MS))

    def latency(self, pending: int) -> dict[str, Any]:
        """Time urgent jobs while at least so many wait."""
        self._client.flushall()
        with started(runner("stamp"), environment(REDIS_URL=self._url)) as working, self._kept_busy(pending):
            took = [self._once(working, n) for n in range(_UNCOUNTED + self._samples)]
        cuts = statistics.quantiles(took[_UNCOUNTED:], n=100, method="inclusive")
        return {"p50_us": round(cuts[49]), "p99_us": round(cuts[98])}

    def _once(self, working: Measured, n: int) -> float:
        time.sleep(_REST_SECONDS)
        pushed = time.time_ns()
        self._client.rpush(_STAMP.pending, f'{{"data":{{"n":{n}}}}}')
        number, at, _ = working.line().split()
        if int(number) != n:
            raise RuntimeError(f"job {n} was pushed, and job {number} was started")
        return (int(at) - pushed) / 1000

    @contextmanager
    def _kept_busy(self, pending: int) -> Generator[None]:
        """Push more whenever fewer than that wait."""
        over = threading.Event()
        batch = ['{"data":{"n":-1}}'] * _CHUNK
        for _ in range(0, pending, _CHUNK):
            self._client.lpush(_STAMP.pending, *batch)

        def feed() -> None:
            while not over.wait(0.001):
                if self._client.llen(_STAMP.pending) < pending:
                    self._client.lpush(_STAMP.pending, *batch)

        feeding = threading.Thread(target=feed)
        feeding.start()
        try:
            yield
        finally:
            over.set()
            feeding.join()

    def _curve(self, name: str, counts: Sequence[int]) -> list[dict[str, Any]]:
        """Measure each in turn, and again."""
        found: dict[int, list[dict[str, Any]]] = {count: [] for count in counts}
        for number in range(ROUNDS):
            # Forwards and backwards, or what comes second would always pay for the first.
            for count in counts if number % 2 == 0 else reversed(counts):
                found[count].append(self.throughput(**{name: count}))
        return [{name: count, **_medians(rows)} for count, rows in found.items()]

    def all(self) -> dict[str, list[dict[str, Any]]]:
        """Measure everything: a table for each curve."""
        return {
            "beside waiting jobs": self._curve("pending", PENDING),
            "beside running jobs": self._curve("in_flight", IN_FLIGHT),
            "runners": self._curve("processes", PROCESSES),
            "urgent jobs": [{"pending": count, **self.latency(count)} for count in PENDING],
        }


def _medians(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}
