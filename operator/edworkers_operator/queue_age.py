"""How long the oldest job of a queue has been waiting, from counts alone: payloads are never read.

Pure. What has arrived by now is what has left the list and what still waits in it. The list is first in, first out, so
the oldest job that waits is the first that arrived after as many as have left.
"""

from collections import deque


class QueueAge:
    """One queue's arrivals over time, as seen at each count; times are seconds of a steady clock."""

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
