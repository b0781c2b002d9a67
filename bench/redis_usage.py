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
    """Processor time of the working process and those that it started, in microseconds."""


class Meter:
    """Begins to measure Redis and a process, with those that it started, when it is made."""

    def __init__(self, client: "redis.Redis", pid: int) -> None:
        self._client: Any = client
        # A program may do its work in processes that it starts; those are there by now.
        process = psutil.Process(pid)
        self._processes = [process, *process.children(recursive=True)]
        self._before = self._look()

    def _look(self) -> tuple[float, float, float, float]:
        commands = self._client.info("commandstats")
        cpu = self._client.info("cpu")
        counted = [commands.get(f"cmdstat_{name}", {"calls": 0, "usec": 0}) for name in CALLS]
        times = [process.cpu_times() for process in self._processes]
        return (
            sum(command["calls"] for command in counted),
            sum(command["usec"] for command in counted),
            (cpu["used_cpu_user"] + cpu["used_cpu_sys"]) * 1e6,
            sum(time.user + time.system for time in times) * 1e6,
        )

    def per_job(self, jobs: int) -> Usage:
        """Tell what each of the jobs took that were done since."""
        return Usage(*((after - before) / jobs for before, after in zip(self._before, self._look(), strict=True)))
