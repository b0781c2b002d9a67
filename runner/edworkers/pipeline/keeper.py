"""What has to go on whether or not runners are up: delayed jobs, lost runners, follow-up jobs, old records."""

import asyncio
from collections.abc import Callable, Sequence

from edworkers.core.errors import QueueUnavailableError
from edworkers.ports import JobQueue
from edworkers.telemetry import log

BATCH = 500
INTERVAL_SECONDS = 1.0


async def keep(name: str, queue: JobQueue) -> int:
    """Do one round for a queue; returns how many things it moved.

    Any number of runners and keepers may do this at once: each step is one script, and whoever comes second finds
    nothing left to do.
    """
    moved = 0
    steps = (("promote", queue.promote), ("reap", queue.reap), ("forward", queue.forward), ("trim", queue.trim))
    for verb, step in steps:
        while count := await step(BATCH):
            moved += count
            if verb == "reap":
                log.warning("lease.reaped", queue=name, jobs=count, reason="their runners stopped renewing")
            if count < BATCH:
                break
    return moved


async def keep_forever(
    queues: Callable[[], Sequence[tuple[str, JobQueue]]], interval_seconds: float = INTERVAL_SECONDS
) -> None:
    """Go round all queues every `interval_seconds` until cancelled; which they are is asked anew each time.

    A queue that can't be kept is told once, and doesn't keep the others waiting.
    """
    failing: dict[str, str] = {}
    while True:
        for name, queue in queues():
            try:
                await keep(name, queue)
            except QueueUnavailableError as error:
                if failing.get(name) != str(error):
                    log.error("keeper.failed", queue=name, reason=str(error), then="trying again")
                failing[name] = str(error)
            else:
                failing.pop(name, None)
        await asyncio.sleep(interval_seconds)
