"""What work made of Redis: calls and time, as the difference of two looks."""

from dataclasses import dataclass
from typing import Any

import psutil
import redis

CALLS = ("evalsha", "eval", "fcall", "blmove", "bzpopmin", "blpop", "brpoplpush")
"""Commands that come from clients only: what scripts call within is counted in their time."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one job took."""

    calls: float
    """Scripts and waits that clients asked of Redis."""
    redis_us: float
    """Time of those calls, in microseconds."""
    redis_cpu_us: float
    """Processor time of the Redis process, in microseconds."""
    process_cpu_us: float
    """Processor time of the working process, in microseconds."""


class Meter:
    """Begins to measure Redis and a process when it is made."""

    def __init__(self, client: "redis.Redis", pid: int) -> None:
        self._client: Any = client
        self._process = psutil.Process(pid)
        self._before = self._look()

    def _look(self) -> tuple[float, float, float, float]:
        commands = self._client.info("commandstats")
        cpu = self._client.info("cpu")
        counted = [commands.get(f"cmdstat_{name}", {"calls": 0, "usec": 0}) for name in CALLS]
        times = self._process.cpu_times()
        return (
            sum(command["calls"] for command in counted),
            sum(command["usec"] for command in counted),
            (cpu["used_cpu_user"] + cpu["used_cpu_sys"]) * 1e6,
            (times.user + times.system) * 1e6,
        )

    def per_job(self, jobs: int) -> Usage:
        """Tell what each of the jobs took that were done since."""
        return Usage(*((after - before) / jobs for before, after in zip(self._before, self._look(), strict=True)))
