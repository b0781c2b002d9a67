"""Tells when records of finished jobs go before their time."""

from edworkers.telemetry import log


class Retained:
    """What is told of one queue's records."""

    def __init__(self, queue: str, max_bytes: int) -> None:
        self._queue = queue
        self._max_bytes = max_bytes
        self._bound = max_bytes

    def tell(self, *, squeezed: int, early: int, max_bytes: int) -> None:
        """Tell what one call of trim.lua forgot: dead letters for want of bytes, results for want of memory."""
        if max_bytes < self._bound:
            log.warning(
                "retention.bounded",
                queue=self._queue,
                bytes=max_bytes,
                reason=f"retention.maxBytes is {self._max_bytes}, above half of Redis' maxmemory: half counts",
            )
        self._bound = max_bytes
        if squeezed:
            log.error(
                "dead.squeezed",
                queue=self._queue,
                count=squeezed,
                reason="dead letters were deleted for want of room; raise retention.maxBytes or replay and drop them",
            )
        if early:
            log.warning(
                "results.squeezed",
                queue=self._queue,
                count=early,
                reason="Redis has less than a twentieth of its memory left: the oldest results went before their time",
                then="raise maxmemory, lower retention.resultSeconds, or add runners if it is jobs that wait",
            )
