"""How many requests a key may send: a bucket of tokens each, in this process."""

from collections.abc import Callable
from dataclasses import dataclass

from edworkers.server.problems import Problem


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Rates:
    """Buckets by name. Each server counts by itself: several let as many times as much through."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._buckets: dict[str, _Bucket] = {}

    def take(self, name: str, per_second: float, burst: int) -> None:
        """Take one request out of a bucket. Raises Problem 429, which says when there is room again."""
        now = self._monotonic()
        bucket = self._buckets.setdefault(name, _Bucket(burst, now))
        bucket.tokens = min(burst, bucket.tokens + (now - bucket.at) * per_second)
        bucket.at = now
        if bucket.tokens < 1:
            wait = int((1 - bucket.tokens) / per_second) + 1
            detail = f"{name} may send {per_second:g} requests a second, {burst} at once; try again in {wait} s"
            raise Problem(429, "too-many", detail, headers={"Retry-After": str(wait)})
        bucket.tokens -= 1
