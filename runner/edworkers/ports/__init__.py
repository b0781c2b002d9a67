"""What the pipeline needs from the world, in the words of the domain."""

from edworkers.ports.clock import Clock
from edworkers.ports.control import Depths, Enqueue, JobRecord, QueueControl
from edworkers.ports.handler import D, Handle, Handler, HandlerModule, JobContext
from edworkers.ports.ledger import DeadLetter, DeadLetters, Finished, LedgerBook, Unrecorded
from edworkers.ports.lifeline import Lifeline
from edworkers.ports.limiter import Grant, Limiter, Usage
from edworkers.ports.plain import PlainJob
from edworkers.ports.queue import CircuitChange, Cycle, Delivery, JobQueue, KeptQueue, Settlement, Start

__all__ = [
    "CircuitChange",
    "Clock",
    "Cycle",
    "D",
    "DeadLetter",
    "DeadLetters",
    "Delivery",
    "Depths",
    "Enqueue",
    "Finished",
    "Grant",
    "Handle",
    "Handler",
    "HandlerModule",
    "JobContext",
    "JobQueue",
    "JobRecord",
    "KeptQueue",
    "LedgerBook",
    "Lifeline",
    "Limiter",
    "PlainJob",
    "QueueControl",
    "Settlement",
    "Start",
    "Unrecorded",
    "Usage",
]
