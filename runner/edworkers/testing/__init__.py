"""The queue in memory, for tests: the same meaning as on Redis, and a clock that moves only when told.

A `MemoryBroker` is what Redis is in production: `broker.push("ai", b'{"data": {"prompt": "hello"}}')` adds a job,
`broker.queue("ai")`, `control`, `limiter` and `lifeline` give the ports, `broker.clock.advance(60)` lets a minute pass.
"""

from edworkers.testing.broker import MemoryBroker
from edworkers.testing.clock import MemoryClock
from edworkers.testing.control import MemoryControl
from edworkers.testing.lifeline import MemoryLifeline
from edworkers.testing.limiter import MemoryLimiter
from edworkers.testing.queue import MemoryQueue

__all__ = ["MemoryBroker", "MemoryClock", "MemoryControl", "MemoryLifeline", "MemoryLimiter", "MemoryQueue"]
