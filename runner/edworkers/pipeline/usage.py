"""Tells again and again how much of the queues' limits is used, for those who watch them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from edworkers.core.errors import QueueUnavailableError
from edworkers.ports import Usage

INTERVAL_SECONDS = 5.0

OnUsage = Callable[[str, Sequence[Usage]], None]
LimitedQueues = Callable[[], Sequence[tuple[str, Callable[[], Awaitable[Sequence[Usage]]]]]]
"""Names queues that have limits, and gives what reads each's."""


async def tell_usage_forever(queues: LimitedQueues, tell: OnUsage, interval_seconds: float = INTERVAL_SECONDS) -> None:
    """Read the limits of every queue each `interval_seconds` until cancelled; which they are is asked anew each time.

    A queue whose limits can't be read is left out: a keeper's own round tells that Redis is away.
    """
    while True:
        for queue, read in queues():
            with suppress(QueueUnavailableError):
                tell(queue, await read())
        await asyncio.sleep(interval_seconds)
