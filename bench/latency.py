"""From push to start while idle: an edworkers runner, and a bare BLMOVE beside it, asked in turn."""

import sys
import time
from typing import Any

import redis
from processes import HERE, Measured, environment, runner, started

from edworkers.core.keys import QueueKeys

PENDING = QueueKeys("stamp").pending
_WARM_UP = 10
_REST_SECONDS = 0.005


def measure(client: "redis.Redis", port: int, samples: int) -> dict[str, list[float]]:
    """Give for each of the two how long each job took from push to start, in microseconds."""
    client.flushall()
    url = f"redis://127.0.0.1:{port}/0"
    bare_command = [sys.executable, str(HERE / "bare_blmove.py"), url, "{pipe}"]
    with (
        started(runner("stamp"), environment(REDIS_URL=url)) as working,
        started(bare_command, environment()) as bare,
    ):
        took: dict[str, list[float]] = {"edworkers": [], "bare BLMOVE": []}
        for n in range(_WARM_UP + samples):
            ours = _once(client, working, PENDING, f'{{"data":{{"n":{n}}}}}', n)
            theirs = _once(client, bare, "bare:pending", str(n), n)
            if n >= _WARM_UP:
                took["edworkers"].append(ours)
                took["bare BLMOVE"].append(theirs)
    return took


def _once(client: "redis.Redis", measured: Measured, pending: str, job: str, n: int) -> float:
    wait_until_idle(client, measured, 2)
    pushed = time.time_ns()
    client.lpush(pending, job)
    number, at, *_ = measured.line().split()
    if int(number) != n:
        raise RuntimeError(f"job {n} was pushed, and job {number} was started")
    return (int(at) - pushed) / 1000


def wait_until_idle(client: Any, measured: Measured, waiting: int, seconds: float = 30) -> None:
    """Wait until so many clients are blocked in Redis, waiting for work, and a little longer."""
    until = time.monotonic() + seconds
    while client.info("clients")["blocked_clients"] < waiting:
        measured.check()
        if time.monotonic() > until:
            raise RuntimeError(f"fewer than {waiting} consumers wait for jobs after {seconds:g} s")
        time.sleep(0.001)
    time.sleep(_REST_SECONDS)
