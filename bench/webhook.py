"""Signed deliveries a second through one process, to a receiver on loopback that does as little as one can.

The pool is the queue `webhook` as it comes, but for its slots. The receiver has 100 addresses, each a group of its own.
As for no-op jobs, all are pushed while the queue is paused, and the time runs from the first completion to the last. At
the end the receiver has to have seen every job once, signed.
"""

import json
import sys
import time
from dataclasses import dataclass
from typing import Any

import redis
from processes import HERE, Measured, environment, runner, started
from redis_usage import Meter, Usage

from edworkers.core.keys import QueueKeys
from edworkers.standins.free_port import free_port

ADDRESSES = 100
SLOTS = 50
WARM_UP = 300
_KEYS = QueueKeys("webhook")
_CHUNK = 500
_LOOK_SECONDS = 0.01
_PATIENCE_SECONDS = 120.0
_SECRET = "whsec_YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2g="
_PAYLOAD = {"conversationId": "c-1", "userId": "u-1", "text": "x" * 200, "model": "gemini-2.5-flash", "tokens": 64}


@dataclass(frozen=True, slots=True)
class Deliveries:
    """One measured run."""

    slots: int
    jobs: int
    rate: float
    """Deliveries a second."""
    connections: int
    """How many connections the receiver saw."""
    usage: Usage


def measure(client: "redis.Redis", port: int, jobs: int, slots: int = SLOTS) -> Deliveries:
    """Measure `edworkers run webhook`."""
    client.flushall()
    env = environment(
        REDIS_URL=f"redis://127.0.0.1:{port}/0",
        WEBHOOK_SECRET=_SECRET,
        WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8",
        WEBHOOK_WORKER_CONCURRENCY=str(slots),
        EDWORKERS_HEALTH_PORT=str(free_port()),
    )
    command = [sys.executable, str(HERE / "webhook_receiver.py"), "{pipe}"]
    with started(command, environment()) as receiver, started(runner("webhook", pool=False), env) as measured:
        rate, usage = _run(client, measured, f"http://127.0.0.1:{int(receiver.line())}/hooks", jobs)
        measured.stop()
        receiver.stop()
        tally = json.loads(receiver.line())
    if (tally["requests"], tally["unsigned"]) != (WARM_UP + jobs, 0):
        raise RuntimeError(f"of {WARM_UP + jobs} signed deliveries the receiver saw {tally}")
    return Deliveries(slots, jobs, rate, tally["connections"], usage)


def _run(client: "redis.Redis", measured: Measured, url: str, jobs: int) -> tuple[float, Usage]:
    """Have so many jobs delivered; returns how many a second, and what each took."""
    _push(client, url, WARM_UP)
    _wait_for(client, measured, WARM_UP)
    client.sadd(_KEYS.paused, "bench")
    _push(client, url, jobs)
    meter = Meter(client, measured.process.pid)
    client.delete(_KEYS.paused)
    client.publish(_KEYS.events, "resume")
    begin, base = _wait_for(client, measured, WARM_UP + 1)
    end, done = _wait_for(client, measured, WARM_UP + jobs)
    return (done - base) / (end - begin), meter.per_job(jobs)


def _push(client: "redis.Redis", url: str, count: int) -> None:
    for first in range(0, count, _CHUNK):
        jobs = [_job(f"{url}/{n % ADDRESSES}", n) for n in range(first, min(first + _CHUNK, count))]
        client.lpush(_KEYS.pending, *jobs)


def _job(url: str, n: int) -> str:
    return json.dumps({"data": {"url": url, "event": "ai.completed", "payload": {**_PAYLOAD, "n": n}}})


def _wait_for(client: Any, measured: Measured, count: int) -> tuple[float, int]:
    """Wait until so many are done; returns when that was seen (monotonic seconds), and how many were."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while (done := int(client.hget(_KEYS.totals, "ack") or 0)) < count:
        measured.check()
        if time.monotonic() > until:
            raise RuntimeError(f"only {done} of {count} webhooks delivered in {_PATIENCE_SECONDS:g} s")
        time.sleep(_LOOK_SECONDS)
    return time.monotonic(), done
