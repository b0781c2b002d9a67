"""Counts what a peer's worker runs, and tells the benchmark: `ready`, `warm`, and at the end a line of JSON.

Runs in the peer's own virtual environment, with nothing but the standard library. The jobs to count are numbered from
0, those to warm up with from there on. The line at the end holds when the first and the last job ran (Unix ms), how
many different ones did, and how often the one that ran most; and where the jobs say when they were pushed, below which
time from then to their start half of them stayed, and 99 of 100 (microseconds).
"""

import json
import os
import statistics
import threading
import time
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counts jobs by their numbers, for any number of threads."""

    jobs: int
    warm_up: int
    pipe: int
    _seen: bytearray = field(init=False, repr=False)
    _left: list[int] = field(init=False, repr=False)
    _waits: list[float] = field(default_factory=list, init=False, repr=False)
    _first: float = field(default=0.0, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        self._seen = bytearray(self.jobs)
        self._left = [self.jobs, self.warm_up]

    def ready(self) -> None:
        """Tell that the worker is there."""
        self._tell("ready")

    def began(self, n: int, text: str) -> None:
        """Note how long ago a job was pushed, if its text begins with that time (Unix ns): the first thing it does."""
        if n < self.jobs and text[0].isdigit():
            self._waits.append((time.time_ns() - int(text.partition(" ")[0])) / 1000)

    def ran(self, n: int) -> None:
        """Count a job: the last thing that it does."""
        with self._lock:
            is_warm_up = n >= self.jobs
            if not is_warm_up:
                self._first = self._first or time.time() * 1000
                self._seen[n] += 1
            self._left[is_warm_up] -= 1
            if not self._left[is_warm_up]:
                self._tell("warm" if is_warm_up else self._sum())

    def _sum(self) -> str:
        tally = {"distinct": self.jobs - self._seen.count(0), "most": max(self._seen)}
        return json.dumps({**tally, **quantiles(self._waits), "first": self._first, "last": time.time() * 1000})

    def _tell(self, line: str) -> None:
        os.write(self.pipe, f"{line}\n".encode())


def quantiles(waits: "list[float]") -> "dict[str, float]":
    """Give the median and the 99th of 100 parts, if there is anything to part."""
    if len(waits) < 2:
        return {}
    cuts = statistics.quantiles(waits, n=100, method="inclusive")
    return {"p50_us": cuts[49], "p99_us": cuts[98]}
