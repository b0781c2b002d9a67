"""What the contract needs from each of the two worlds, memory and Redis, beside the ports themselves."""

import contextlib
import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import redis
import redis.asyncio

from edworkers.adapters.redis.address import RedisAddress
from edworkers.adapters.redis.calls import Client
from edworkers.adapters.redis.connection import connect
from edworkers.adapters.redis.control import RedisControl
from edworkers.adapters.redis.lifeline import RedisLifeline
from edworkers.adapters.redis.limiter import RedisLimiter
from edworkers.adapters.redis.queue import RedisQueue
from edworkers.adapters.redis.record_fields import read_group, read_history
from edworkers.core.job import read_entry
from edworkers.core.keys import QueueKeys
from edworkers.core.settings import Groups, Retention, Window
from edworkers.ports import Clock, JobQueue, Lifeline, Limiter, QueueControl
from edworkers.ports.browse import FailureGroup, JobHistory
from edworkers.testing import MemoryBroker, MemoryQueue
from edworkers.testing.history import history_fields

QUEUE = "work"
LEASE_MS = 600_000
"""Longer than any machine takes for a test: a lease ends when the test says so."""
RETENTION = Retention()
_FAR_MS = 10**9


@dataclass(frozen=True)
class Places:
    """The payloads that lie in each place of a queue: in the list from the front, elsewhere in no order."""

    pending: list[bytes] = field(default_factory=list)
    inflight: list[bytes] = field(default_factory=list)
    delayed: list[bytes] = field(default_factory=list)
    dead: list[bytes] = field(default_factory=list)

    @property
    def all(self) -> list[bytes]:
        return [*self.pending, *self.inflight, *self.delayed, *self.dead]


class World(ABC):
    """Makes ports that see the same jobs, and has its time moved by the test."""

    clock: Clock
    zone: str
    """A time zone where the day is neither about to end nor just begun."""

    @abstractmethod
    def queue(
        self,
        name: str = QUEUE,
        *,
        runner: str = "r",
        lease_ms: int = LEASE_MS,
        retention: Retention = RETENTION,
        groups: Groups | None = None,
        max_inflight: int | None = None,
        begins: bool = False,
    ) -> JobQueue: ...

    @abstractmethod
    def control(self, name: str = QUEUE, retention: Retention = RETENTION) -> QueueControl: ...

    @abstractmethod
    def limiter(self, *windows: Window, runner: str = "r", name: str = "limit") -> Limiter: ...

    @abstractmethod
    def lifeline(self, queue: JobQueue) -> Lifeline:
        """The lifeline of the runner that has this queue."""

    @abstractmethod
    async def push(self, *payloads: bytes, queue: str = QUEUE, urgent: bool = False) -> None:
        """Push as a producer does that knows nothing but the list."""

    @abstractmethod
    async def advance(self, seconds: float) -> None:
        """Let time pass."""

    @abstractmethod
    async def expire_leases(self, queue: str = QUEUE) -> None:
        """End all leases, as if their runners had been frozen for long."""

    @abstractmethod
    async def leases(self, queue: str = QUEUE) -> dict[str, float]:
        """Say of each receipt in how many seconds its lease ends; less than 0 where it has."""

    @abstractmethod
    async def history(self, job_id: str, queue: str = QUEUE) -> JobHistory:
        """What a job's record keeps of its past."""

    @abstractmethod
    async def failures(self, queue: str = QUEUE) -> dict[str, FailureGroup]:
        """Dead jobs by their fingerprint."""

    @abstractmethod
    async def text(self, job_id: str, queue: str = QUEUE) -> list[bytes]:
        """The pieces of a job's text."""

    @abstractmethod
    def lose_next_reply(self) -> None:
        """Break the connection after the next call has been done, before its reply."""

    @abstractmethod
    async def raw_places(self, queue: str) -> dict[str, list[bytes]]:
        """The entries in each place, and what belongs to them."""

    async def next_moment(self) -> None:
        """Make whatever comes now later than all that was before."""
        await self.advance(0.001)

    async def places(self, queue: str = QUEUE) -> Places:
        """Say where each job is, once it is sure that none is in two places or half in one."""
        raw = await self.raw_places(queue)
        assert sorted(raw["inflight receipts"]) == sorted(raw["lease"])
        assert sorted(raw["entries"]) == sorted(raw["delayed ids"])
        dead = [record.payload for record in await self.control(queue).dead(0, 1000) if record.payload is not None]
        names = ("pending", "inflight", "delayed")
        payloads = {name: [read_entry(entry).payload for entry in raw[name]] for name in names}
        return Places(payloads["pending"], sorted(payloads["inflight"]), sorted(payloads["delayed"]), sorted(dead))


class MemoryWorld(World):
    """The twin that users' own tests have."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()
        self.clock = self.broker.clock
        self.zone = "Etc/UTC"

    def queue(self, name: str = QUEUE, *, runner: str = "r", **settings: Any) -> MemoryQueue:
        return self.broker.queue(name, runner=runner, **{"lease_ms": LEASE_MS, "retention": RETENTION, **settings})

    def control(self, name: str = QUEUE, retention: Retention = RETENTION) -> QueueControl:
        return self.broker.control(name, retention)

    def limiter(self, *windows: Window, runner: str = "r", name: str = "limit") -> Limiter:  # noqa: ARG002
        return self.broker.limiter(name, windows)

    def lifeline(self, queue: JobQueue) -> Lifeline:
        assert isinstance(queue, MemoryQueue)
        return self.broker.lifeline(queue)

    async def push(self, *payloads: bytes, queue: str = QUEUE, urgent: bool = False) -> None:
        self.broker.push(queue, *payloads, urgent=urgent)

    async def advance(self, seconds: float) -> None:
        self.broker.clock.advance(seconds)

    async def expire_leases(self, queue: str = QUEUE) -> None:
        lease = self.broker.store(queue).lease
        lease.update({receipt: deadline - _FAR_MS for receipt, deadline in lease.items()})

    async def leases(self, queue: str = QUEUE) -> dict[str, float]:
        now = self.clock.now()
        return {receipt: (deadline - now) / 1000 for receipt, deadline in self.broker.store(queue).lease.items()}

    async def history(self, job_id: str, queue: str = QUEUE) -> JobHistory:
        return read_history(history_fields(self.broker.store(queue).record(job_id)))

    async def failures(self, queue: str = QUEUE) -> dict[str, FailureGroup]:
        return dict(self.broker.store(queue).failures.groups)

    async def text(self, job_id: str, queue: str = QUEUE) -> list[bytes]:
        text = self.broker.store(queue).text(job_id)
        return [] if text is None else text.pieces

    def lose_next_reply(self) -> None:
        """Nothing lies between a test and its memory that could break."""

    async def raw_places(self, queue: str) -> dict[str, list[bytes]]:
        store = self.broker.store(queue)
        return {
            "pending": [*store.fair.in_order(), *reversed(store.arrived), *reversed(store.pending)],
            "inflight": list(store.inflight.values()),
            "inflight receipts": [receipt.encode() for receipt in store.inflight],
            "lease": [receipt.encode() for receipt in store.lease],
            "delayed": list(store.entries.values()),
            "entries": [job_id.encode() for job_id in store.entries],
            "delayed ids": [job_id.encode() for job_id in store.delayed],
        }


class MachineClock:
    """The `Clock` port on this machine's clocks."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


# Redis' own clock can't be moved. To make time pass, everything that it keeps is made so much older.
_MAKE_OLDER = """
local ms, day = tonumber(ARGV[1]), 86400000
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  local left = redis.call('PTTL', key)
  local is_time = not (string.match(key, ':fair$') or string.match(key, ':turns$') or string.match(key, ':shares$'))
  if kind == 'zset' and is_time then
    for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do redis.call('ZINCRBY', key, -ms, member) end
  elseif string.match(key, ':used$') then
    for _, field in ipairs(redis.call('HKEYS', key)) do
      local name, start = string.match(field, '^(.*)@(%d+)$')
      local period = name and (string.match(name, 'month') and 31 * day or day)
      if period and ms >= period then
        redis.call('HSET', key, string.format('%s@%.0f', name, start - ms), redis.call('HGET', key, field))
        redis.call('HDEL', key, field)
      end
    end
  elseif string.match(key, ':circuits$') then
    for _, group in ipairs(redis.call('HKEYS', key)) do
      local failures, at = string.match(redis.call('HGET', key, group), '^(%d+) (%d+)$')
      redis.call('HSET', key, group, string.format('%s %.0f', failures, at - ms))
    end
  end
  -- On the last of a month what was used in it would be forgotten with the day; and its last minute goes no earlier.
  local is_counted, used = false, string.gsub(key, ':rolling$', ':used')
  if string.match(used, ':used$') and ms < 31 * day then
    for _, field in ipairs(redis.call('HKEYS', used)) do is_counted = is_counted or string.match(field, '^month@') end
  end
  if left >= 0 and not is_counted then redis.call('PEXPIRE', key, string.format('%.0f', left - ms)) end
end
"""


class LossyClient:
    """Sends commands as runners do; on demand its connection breaks just before a reply."""

    def __init__(self, client: Client) -> None:
        self._client: Any = client
        self.loses_next = False

    async def execute_command(self, *words: Any) -> Any:
        reply = await self._client.execute_command(*words)
        if self.loses_next:
            self.loses_next = False
            raise redis.ConnectionError("the connection broke")
        return reply


class RedisWorld(World):
    """The queue as it runs in production."""

    def __init__(self, url: str | RedisAddress, client: Client) -> None:
        self.url = url
        self.client: Any = client
        self.clock = MachineClock()
        self._lossy = LossyClient(client)
        self._calls = itertools.count(1)
        # Etc/GMT+5 lies 5 hours west of Greenwich.
        self.zone = f"Etc/GMT{int(time.time()) // 3600 % 24 - 12:+d}"

    def client_of(self, queue: str) -> Any:  # noqa: ARG002
        """A client of the server that has a queue."""
        return self.client

    def servers(self) -> list[Any]:
        """A client of each server."""
        return [self.client]

    def queue(self, name: str = QUEUE, *, runner: str = "r", **settings: Any) -> RedisQueue:
        usual = {"lease_ms": LEASE_MS, "retention": RETENTION}
        return RedisQueue(self._lossy, name, runner=runner, **{**usual, **settings})

    def control(self, name: str = QUEUE, retention: Retention = RETENTION) -> QueueControl:
        return RedisControl(self.client_of(name), name, retention)

    def limiter(self, *windows: Window, runner: str = "r", name: str = "limit") -> Limiter:
        return RedisLimiter(self._lossy, name, windows, runner=runner, now=self.clock.now, calls=self._calls)

    def lifeline(self, queue: JobQueue) -> Lifeline:
        assert isinstance(queue, RedisQueue)
        name, runner, lease_ms = queue._keys.queue, queue._runner, queue._lease_ms
        return RedisLifeline(self.url, name, runner=runner, lease_ms=lease_ms, cycle_call=queue.cycle_call)

    async def push(self, *payloads: bytes, queue: str = QUEUE, urgent: bool = False) -> None:
        await self.client.execute_command("RPUSH" if urgent else "LPUSH", QueueKeys(queue).pending, *payloads)

    async def advance(self, seconds: float) -> None:
        for server in self.servers():
            await server.execute_command("EVAL", _MAKE_OLDER, 0, round(seconds * 1000))

    async def expire_leases(self, queue: str = QUEUE) -> None:
        key = QueueKeys(queue).lease
        client = self.client_of(queue)
        for receipt in await client.zrange(key, 0, -1):
            await client.zincrby(key, -_FAR_MS, receipt)

    async def leases(self, queue: str = QUEUE) -> dict[str, float]:
        client = self.client_of(queue)
        deadlines = await client.zrange(QueueKeys(queue).lease, 0, -1, withscores=True)
        seconds, microseconds = await client.time()
        now = seconds + microseconds / 1e6
        return {receipt.decode(): deadline / 1000 - now for receipt, deadline in deadlines}

    async def history(self, job_id: str, queue: str = QUEUE) -> JobHistory:
        return read_history(await self.client_of(queue).hgetall(QueueKeys(queue).job(job_id)))

    async def failures(self, queue: str = QUEUE) -> dict[str, FailureGroup]:
        fields = await self.client_of(queue).hgetall(QueueKeys(queue).failures)
        groups = [read_group(name, value) for name, value in fields.items()]
        assert None not in groups, "a group can't be read"
        return {group.fingerprint: group for group in groups if group is not None}

    async def text(self, job_id: str, queue: str = QUEUE) -> list[bytes]:
        entries = await self.client_of(queue).xrange(QueueKeys(queue).text(job_id))
        assert [b"restart" in fields for _, fields in entries] == [number == 0 for number in range(len(entries))]
        return [fields[b"t"] for _, fields in entries]

    def lose_next_reply(self) -> None:
        self._lossy.loses_next = True

    async def raw_places(self, queue: str) -> dict[str, list[bytes]]:
        k = QueueKeys(queue)
        # In one step, as a runner may be at work meanwhile.
        async with self.client_of(queue).pipeline(transaction=True) as pipe:
            pipe.lrange(k.pending, 0, -1).lrange(k.arrived, 0, -1)
            pipe.hgetall(k.inflight).zrange(k.lease, 0, -1)
            pipe.hgetall(k.entries).zrange(k.delayed, 0, -1).zrange(k.fair, 0, -1)
            pending, arrived, inflight, lease, entries, delayed, fair = await pipe.execute()
        return {
            "pending": [*(member.split(b"\0", 2)[2] for member in fair), *reversed(arrived), *reversed(pending)],
            "inflight": list(inflight.values()),
            "inflight receipts": list(inflight),
            "lease": lease,
            "delayed": list(entries.values()),
            "entries": list(entries),
            "delayed ids": delayed,
        }


@contextlib.asynccontextmanager
async def on_redis(url: str) -> AsyncGenerator[RedisWorld]:
    """The world of one Redis, with a connection of its own."""
    client = connect(url)
    try:
        yield RedisWorld(url, client)
    finally:
        await client.aclose()
