"""Counts what a peer's worker runs, and tells the benchmark: `ready`, `warm`, and at the end a line of JSON.

Runs in the peer's own virtual environment, with nothing but the standard library. The jobs to count are numbered from
0, those to warm up with from there on. The line at the end holds when the first and the last job ran (Unix ms), how
many different ones did, and how often the one that ran most.
"""

import json
import os
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
    _first: float = field(default=0.0, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        self._seen = bytearray(self.jobs)
        self._left = [self.jobs, self.warm_up]

    def ready(self) -> None:
        """Tell that the worker is there."""
        self._tell("ready")

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
        return json.dumps({**tally, "first": self._first, "last": time.time() * 1000})

    def _tell(self, line: str) -> None:
        os.write(self.pipe, f"{line}\n".encode())
