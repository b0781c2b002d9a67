"""The two worlds as the machine plays them: one call is made in each, its reply may be lost, the answers compared."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tests.contract.model.jobs import Setting
from tests.contract.model.view import View, of_redis, of_store
from tests.contract.world import LEASE_MS, QUEUE, MemoryWorld, RedisWorld, World

from edworkers.adapters.redis.calls import run_script
from edworkers.core.keys import QueueKeys
from edworkers.core.settings import Groups, Retention, Window
from edworkers.ports import JobQueue, JobRecord
from edworkers.testing import MemoryQueue
from edworkers.testing.lifeline import MemoryLifeline

RETENTION = Retention(result_seconds=2 * 3600, dead_seconds=5 * 3600, max_bytes=2500)
RUNNERS = ("one", "two")
UNUSED = {"burst": 0, "month": 0}
Answer = Any


class Side(ABC):
    """One world, with two runners, an operator and a limiter."""

    def __init__(self, world: World, setting: Setting) -> None:
        self.world = world
        self.queues: list[JobQueue] = [
            world.queue(
                runner=name,
                retention=RETENTION,
                groups=Groups(max_inflight=setting.group_max or None, circuit=setting.circuit) if fair else None,
                max_inflight=setting.max_inflight or None,
                begins=setting.begins,
            )
            for name, fair in zip(RUNNERS, setting.fair, strict=True)
        ]
        self.control = world.control(retention=RETENTION)
        self.limiter = world.limiter(
            Window(name="burst", limit=4, window="minute"),
            Window(name="month", limit=9, window="month", time_zone=world.zone),
        )
        self.grants: list[str] = []

    @abstractmethod
    async def view(self) -> View: ...

    @abstractmethod
    async def wake(self) -> bool:
        """Take the next job out of the list as the lifeline of a waiting runner does; False where there is none."""

    @abstractmethod
    async def renew(self, runner: int, receipts: Mapping[str, str]) -> tuple[list[str], list[str]]:
        """Renew leases (receipts to job ids); returns which are lost, and which jobs are to be cancelled."""

    @abstractmethod
    async def twice(self, call: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        """Make a call again whose first reply was lost."""

    async def reserve(self, count: int) -> Answer:
        grant = await self.limiter.reserve(count)
        if grant.granted:
            self.grants.append(grant.reservation)
        return grant.granted, grant.window, grant.retry_ms > 0

    async def refund(self, which: int, count: int) -> None:
        await self.limiter.refund(self.grants[which], count)

    async def look(self, job_ids: Sequence[str]) -> dict[str, Answer]:
        """Ask what can be asked of the queue by its ports."""
        depths = asdict(await self.control.depths())
        return {
            **depths,
            "totals": {name: count for name, count in depths["totals"].items() if count},
            "gate_ms": depths["gate_ms"] > 0,
            "oldest_seconds": depths["oldest_seconds"] is not None,
            "records": {job_id: _timeless(await self.control.find(job_id)) for job_id in job_ids},
            "dead_ids": [record.id for record in await self.control.dead(0, 100)] if depths["dead"] else [],
            "usage": {usage.window: usage.used for usage in await self.limiter.usage()} if self.grants else UNUSED,
        }


def _timeless(record: JobRecord | None) -> Answer:
    """Tell of a record's times only whether they are known."""
    if record is None:
        return None
    return {name: value is not None if name.endswith("_at") else value for name, value in asdict(record).items()}


class _Told(MemoryLifeline):
    """A lifeline that is asked, and tells at once."""

    def _tell(self, callback: Callable[[], None]) -> None:
        callback()


class MemorySide(Side):
    def __init__(self, world: MemoryWorld, setting: Setting) -> None:
        super().__init__(world, setting)
        self._store = world.broker.store(QUEUE)

    async def view(self) -> View:
        return of_store(self._store)

    async def wake(self) -> bool:
        if not self._store.pending:
            return False
        self._store.arrived.append(self._store.pending.pop())
        return True

    async def renew(self, runner: int, receipts: Mapping[str, str]) -> tuple[list[str], list[str]]:
        queue = self.queues[runner]
        assert isinstance(queue, MemoryQueue)
        lifeline = _Told(queue)
        lost: list[str] = []
        cancelled: list[str] = []
        lifeline._on_lost, lifeline._on_cancel = lost.extend, cancelled.extend
        lifeline.hold(receipts)
        lifeline.renew()
        return lost, cancelled

    async def twice(self, call: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        await call()
        return await call()


class RedisSide(Side):
    def __init__(self, world: RedisWorld, setting: Setting, shift: Callable[[], int]) -> None:
        super().__init__(world, setting)
        self._client = world.client
        self._lose_next_reply = world.lose_next_reply
        self._shift = shift

    async def view(self) -> View:
        return await of_redis(self._client, self._shift())

    async def wake(self) -> bool:
        k = QueueKeys(QUEUE)
        return await self._client.execute_command("LMOVE", k.pending, k.arrived, "RIGHT", "RIGHT") is not None

    async def renew(self, runner: int, receipts: Mapping[str, str]) -> tuple[list[str], list[str]]:
        k = QueueKeys(QUEUE)
        args: list[str | int] = [LEASE_MS, RUNNERS[runner], len(receipts), *receipts, *receipts.values()]
        lost, cancelled = await run_script(self._client, "renew", (k.lease, k.cancel, k.runners), args)
        return [receipt.decode() for receipt in lost], [job_id.decode() for job_id in cancelled]

    async def twice(self, call: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        self._lose_next_reply()
        return await call()
