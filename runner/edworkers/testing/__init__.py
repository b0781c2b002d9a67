"""For users' own tests: one handler by itself, or queues in memory with real runners on them, in virtual time.

`outcome = await run_job(MODULE, {"name": "Ada"})` makes one attempt at a job. `Workers` runs whole queues: `serve` a
module of handlers, `push` jobs, `await drain()`, and look at what became of them. Pytest has both as fixtures.

Below them lies the queue in memory, which means the same as the one on Redis. A `MemoryBroker` is what Redis is in
production: `broker.push("ai", b'{"data": {"prompt": "hello"}}')` adds a job, `broker.queue("ai")`, `control`, `limiter`
and `lifeline` give the ports, `broker.clock.advance(60)` lets a minute pass.
"""

from edworkers.testing.broker import MemoryBroker
from edworkers.testing.clock import MemoryClock
from edworkers.testing.control import MemoryControl
from edworkers.testing.driver import NotDrainedError
from edworkers.testing.lifeline import MemoryLifeline
from edworkers.testing.limiter import MemoryLimiter
from edworkers.testing.queue import MemoryQueue
from edworkers.testing.run import Run
from edworkers.testing.trial import run_job
from edworkers.testing.workers import Workers

__all__ = [
    "MemoryBroker",
    "MemoryClock",
    "MemoryControl",
    "MemoryLifeline",
    "MemoryLimiter",
    "MemoryQueue",
    "NotDrainedError",
    "Run",
    "Workers",
    "run_job",
]
