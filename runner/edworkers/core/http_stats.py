"""What a server counted and timed of its requests; cheap to add to, read when someone looks."""

from collections.abc import Generator
from contextlib import contextmanager

from edworkers.core.metric_names import HTTP_DURATION
from edworkers.core.stats import Histogram

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_MOST_SERIES = 1000
UNKNOWN_ROUTE = "unknown"
"""What stands for every path that leads nowhere."""


class HttpStats:
    """One server process' figures since it began; to be used from its event loop."""

    def __init__(self) -> None:
        self.active = 0
        self.durations: dict[tuple[str, str, str], Histogram] = {}
        """By method, route and class of the status."""

    def observe(  # noqa: PLR0917 - what a request is told by
        self,
        method: str,
        route: str | None,
        status: int,
        seconds: float,
        traceparent: str | None = None,
        at: float = 0,
    ) -> None:
        """Count a request that was answered, or whose stream began; `route` is its template, None where there is none.

        `traceparent` is that of the request, if it has one, and `at` when it was answered (Unix seconds).
        """
        method = method if method in _METHODS else "other"
        series = (method, route or UNKNOWN_ROUTE, f"{status // 100}xx")
        found = self.durations.get(series)
        if found is None:
            if len(self.durations) >= _MOST_SERIES:
                series = ("other", UNKNOWN_ROUTE, series[2])
            found = self.durations.setdefault(series, Histogram(HTTP_DURATION.bounds))
        found.add(seconds, traceparent, at)

    @contextmanager
    def answering(self) -> Generator[None]:
        """Count a request as active in the block, and with it the stream that its answer may be."""
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1
