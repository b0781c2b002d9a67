"""How long one request may take of Redis in all, however many questions it asks one after the other.

The time begins with the first question. Once the answer has begun, as a stream's does, each question has its own.
"""

import asyncio
from contextvars import ContextVar


class RequestTime:
    """The time of one request."""

    def __init__(self) -> None:
        self._until: float | None = None
        self._has_answered = False

    def until(self, seconds: float) -> float:
        """Give until when a question that may take this long has to be answered (the event loop's time)."""
        own = asyncio.get_running_loop().time() + seconds
        if self._has_answered:
            return own
        if self._until is None:
            self._until = own
        return min(own, self._until)

    def answered(self) -> None:
        """Note that the answer has begun."""
        self._has_answered = True


REQUEST_TIME: ContextVar[RequestTime | None] = ContextVar("request_time", default=None)
"""That of the request which is being answered; None for what a server does of itself."""


def time_limit(seconds: float) -> asyncio.Timeout:
    """Bound a question that may take this long by itself, and with all others of its request no longer.

    The block raises TimeoutError.
    """
    whole = REQUEST_TIME.get()
    until = asyncio.get_running_loop().time() + seconds if whole is None else whole.until(seconds)
    return asyncio.timeout_at(until)
