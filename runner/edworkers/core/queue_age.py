"""How long the oldest job of a queue has been waiting: as it says itself, or reckoned from counts."""

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from edworkers.core.job import Job, decode, read_entry

HEAD_BYTES = 64 * 1024
"""An entry larger than this isn't read to learn its age."""


class Head(NamedTuple):
    """What the job at the front of a list says of how long it has waited."""

    since: int | None
    """Unix ms; nothing where it doesn't say."""
    job_id: str = ""
    """Names the record that may know, where the job doesn't say; empty if it has no id."""


def read_head(raw: bytes) -> Head:
    """Read the entry of a job that waits: one that was put off has waited since it was due, not since it was made."""
    entry = read_entry(raw)
    job = decode(entry.payload, entry.origin, 0)
    if not isinstance(job, Job):
        return Head(entry.due or None)
    if job.time is not None:
        return Head(max(job.time, entry.due))
    return Head(entry.due or None, job.id)


class QueueAge:
    """One queue's arrivals over time, as seen at each count; times are seconds of a steady clock.

    What has arrived by now is what has left the list and what still waits in it. The list is first in, first out, so
    the oldest job that waits is the first that arrived after as many as have left.
    """

    def __init__(self) -> None:
        self._arrivals: deque[tuple[float, int]] = deque()

    def oldest_seconds(self, now: float, *, left: int, waiting: int) -> float:
        """Give the age of the oldest waiting job; 0 where none waits.

        `left` counts the jobs that were ever taken from the list, `waiting` those in it. The age is short by up to the
        time between two counts, and by what passed before the first.
        """
        arrived = left + waiting
        if self._arrivals and arrived < self._arrivals[-1][1]:  # somebody emptied the queue, or its counters
            self._arrivals.clear()
        if not self._arrivals or arrived > self._arrivals[-1][1]:
            self._arrivals.append((now, arrived))
        while self._arrivals[0][1] <= left and len(self._arrivals) > 1:
            self._arrivals.popleft()
        return now - self._arrivals[0][0] if waiting else 0.0


def left_the_list(inflight: int, totals: Mapping[str, int]) -> int:
    """Count the jobs that were ever taken from the list: those in flight, and each time that one was settled."""
    return inflight + sum(count for verb, count in totals.items() if verb != "recordBytes")
