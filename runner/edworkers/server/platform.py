"""What a server works on, put together by the composition root."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from edworkers.core.errors import QueueUnavailableError
from edworkers.core.redact import Redactor
from edworkers.core.settings import PoolSpec
from edworkers.ports import HandlerModule, QueueControl, Usage
from edworkers.ports.books import ServerBooks
from edworkers.ports.browse import QueueBrowser
from edworkers.ports.clock import Clock
from edworkers.ports.cluster import ClusterView, PoolView
from edworkers.ports.watch import JobWatch

__all__ = ["ClusterView", "Platform", "PoolView", "Schedule", "ServedQueue"]


class Schedule(NamedTuple):
    """A job that the clock begins."""

    name: str
    cron: str
    """Five fields, as a CronJob has them."""
    time_zone: str
    job: Mapping[str, Any]
    """The job: `type`, where it has one, and `data`."""
    last_at: int | None = None
    """When (Unix ms) a cluster last began it; None where that isn't known."""


@dataclass(frozen=True, slots=True)
class ServedQueue:
    """One queue in the hands of a server."""

    spec: PoolSpec
    control: QueueControl
    browser: QueueBrowser
    usage: Callable[[], Awaitable[Sequence[Usage]]]
    """How much of its limits is used. Raises QueueUnavailableError."""
    module: HandlerModule | None = None
    """Its handlers, by whose schemas jobs are checked; None where they aren't installed here: then only the runner
    checks their data."""
    schedules: Sequence[Schedule] = ()
    watch: JobWatch | None = None
    """Looks at many jobs at once; None where each is looked up by itself."""


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything a server works on."""

    queues: Callable[[], Mapping[str, ServedQueue]]
    """By name, in the order in which they are shown; asked anew each time, for pools come and go."""
    books: ServerBooks
    clock: Clock
    new_id: Callable[[], str]
    """Makes ids that sort by time."""
    explain: Callable[[QueueUnavailableError], str] = field(default=str)
    """Says what to do where Redis can't be used."""
    cluster: ClusterView | None = None
    """None outside of a cluster."""
    answer_seconds: float = 2.0
    """No question to Redis takes longer, nor do all together that one request asks."""
    redactor: Redactor = field(default_factory=Redactor)
    """By which rules job data is masked for people."""
