"""Whatever is asked of them, memory and Redis give the same answers."""

from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.steps import payload, settle_as, start_of
from tests.contract.world import MemoryWorld, RedisWorld, World, on_redis

from edworkers.core.settings import Retention, Window
from edworkers.ports import Delivery, Enqueue, JobRecord

IDS = ("a", "b", "c")
KEYS = ("", "", "k")
RETENTION = Retention(result_seconds=2 * 3600, dead_seconds=5 * 3600, max_bytes=2500)
HOUR = 3600
Answer = Any
Step = Callable[["Player"], Coroutine[Any, Any, Answer]]

ids = st.sampled_from(IDS)
keys = st.sampled_from(KEYS)
few = st.integers(1, 3)
runners = st.integers(0, 1)


class Player:
    """Does one world's part of a play: two runners, a keeper and a producer."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.queues = [world.queue(runner=name, retention=RETENTION) for name in ("one", "two")]
        self.control = world.control(retention=RETENTION)
        zone = world.zone
        self.limiter = world.limiter(
            Window(name="burst", limit=4, window="minute"),
            Window(name="month", limit=9, window="month", time_zone=zone),
        )
        self.claimed: list[tuple[int, Delivery]] = []
        self.grants: list[str] = []

    async def claim(self, runner: int, want: int) -> Answer:
        cycle = await self.queues[runner].cycle((), (), want)
        self.claimed += [(runner, delivery) for delivery in cycle.deliveries]
        raws = [delivery.raw.rpartition(b"\n")[2] for delivery in cycle.deliveries]
        receipts = [delivery.receipt for delivery in cycle.deliveries]
        return raws, receipts, (cycle.closed_ms > 0) - (cycle.closed_ms < 0), cycle.waiting

    async def start(self, which: int, job_id: str, key: str) -> Answer:
        return await self._of(which, starts=lambda delivery: [start_of(delivery, job_id, unique_key=key)])

    async def settle(self, which: int, verb: str, job_id: str, key: str, more: dict[str, Any]) -> Answer:
        return await self._of(
            which, settlements=lambda delivery: [settle_as(verb, delivery, job_id, unique_key=key, **more)]
        )

    async def _of(self, which: int, **wanted: Callable[[Delivery], list[Any]]) -> Answer:
        """Make a call about one of the latest claims, be it settled long since."""
        if not self.claimed:
            return None
        runner, delivery = self.claimed[-1 - which % len(self.claimed)]
        given = {name: make(delivery) for name, make in wanted.items()}
        cycle = await self.queues[runner].cycle(given.get("settlements", []), given.get("starts", []), 0)
        return cycle.lost, cycle.admissions, cycle.waiting

    async def reserve(self, count: int) -> Answer:
        grant = await self.limiter.reserve(count)
        if grant.granted:
            self.grants.append(grant.reservation)
        return grant.granted, grant.window, grant.retry_ms > 0

    async def refund(self, which: int, count: int) -> Answer:
        if self.grants:
            await self.limiter.refund(self.grants[-1 - which % len(self.grants)], count)

    async def look(self) -> Answer:
        """Look at everything that can be seen of the queue."""
        depths = asdict(await self.control.depths())
        depths["totals"] = {name: count for name, count in depths["totals"].items() if count}
        depths["gate_ms"] = depths["gate_ms"] > 0
        depths["oldest_seconds"] = depths["oldest_seconds"] is None
        records = [_timeless(await self.control.find(job_id)) for job_id in IDS]
        dead = [record.id for record in await self.control.dead(0, 10)]
        usage = [(usage.window, usage.used, usage.limit) for usage in await self.limiter.usage()]
        return await self.world.places(), depths, records, dead, usage


def _timeless(record: JobRecord | None) -> Answer:
    """Tell of a record's times only whether they are known: each world has a clock of its own."""
    if record is None:
        return None
    return {name: value is not None if name.endswith("_at") else value for name, value in asdict(record).items()}


def _follow_ups(verb: str, job_id: str) -> dict[str, Any]:
    return {"follow_ups": (f"work {job_id}\n".encode() + payload(job_id),)} if verb == "ack" else {}


def _settling(which: int, verb: str, job_id: str, key: str, delay_ms: int) -> Step:
    gate_ms = delay_ms if verb == "defer" and job_id == "c" else 0
    more = {"body": b'{"x":[]}', "delay_ms": delay_ms, "gate_ms": gate_ms, "seconds": 0.25, "started": which % 2 == 0}
    return lambda player: player.settle(which, verb, job_id, key, {**more, **_follow_ups(verb, job_id)})


def _enqueueing(job_id: str, key: str, later: bool, urgent: bool) -> Step:  # noqa: FBT001
    def step(player: Player) -> Coroutine[Any, Any, Answer]:
        due = player.world.clock.now() + 30 * 60_000 if later else 0
        return player.control.enqueue([Enqueue(job_id, payload(job_id), key, urgent=urgent, due=due)])

    return step


async def _pushing(player: Player, job_id: str, urgent: bool) -> Answer:  # noqa: FBT001
    await player.world.push(payload(job_id), urgent=urgent)


VERBS = st.sampled_from(["ack", "ack", "retry", "retry", "defer", "bury", "bury", "cancel", "release", "duplicate"])
delays = st.sampled_from([0, 0, 30 * 60_000])
recent = st.integers(0, 3)

STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(lambda i, urgent: lambda p: _pushing(p, i, urgent), ids, st.booleans()),
    st.builds(_enqueueing, ids, keys, st.booleans(), st.booleans()),
    st.builds(lambda r, n: lambda p: p.claim(r, n), runners, few),
    st.builds(lambda w, i, k: lambda p: p.start(w, i, k), recent, ids, keys),
    st.builds(lambda w, i, k: lambda p: p.start(w, i, k), st.just(0), ids, keys),
    st.builds(_settling, recent, VERBS, ids, keys, delays),
    st.builds(_settling, st.just(0), VERBS, ids, keys, delays),
    st.builds(lambda n: lambda p: p.queues[0].reap(n), few),
    st.builds(lambda n: lambda p: p.queues[0].promote(n), few),
    st.builds(lambda n: lambda p: p.queues[1].trim(n), st.just(10)),
    st.builds(lambda n: lambda p: p.queues[1].forward(n), few),
    st.builds(lambda n: lambda p: p.queues[1].repair(n), st.just(100)),
    st.builds(lambda i: lambda p: p.control.cancel(i), ids),
    st.builds(lambda paused: lambda p: p.control.pause(paused=paused), st.booleans()),
    st.builds(lambda i: lambda p: p.control.replay(i), ids),
    st.builds(lambda i: lambda p: p.control.drop(i), ids),
    st.builds(lambda n: lambda p: p.reserve(n), few),
    st.builds(lambda w, n: lambda p: p.refund(w, n), recent, few),
    st.builds(lambda hours: lambda p: p.world.advance(hours * HOUR), st.sampled_from([0.25, 1, 3])),
)


async def _flush(world: RedisWorld) -> None:
    await world.client.execute_command("FLUSHALL")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(STEPS, min_size=5, max_size=40))
async def test_memory_and_redis_give_the_same_answers(redis_url: str, steps: list[Step]) -> None:
    async with on_redis(redis_url) as on_real_redis:
        await _flush(on_real_redis)
        memory, real = Player(MemoryWorld()), Player(on_real_redis)
        for step in steps:
            for player in (memory, real):
                await player.world.next_moment()
            assert await step(memory) == await step(real)
            assert await memory.look() == await real.look()
