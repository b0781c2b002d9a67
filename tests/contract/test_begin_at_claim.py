"""Jobs that nobody can know by an id: where nothing has to be asked about them, they begin as they are claimed."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from tests.contract.staff import Desk, a_pool, handler, reaches
from tests.contract.steps import WAIT_SECONDS, claim, payload, settle, settle_as, start
from tests.contract.world import QUEUE, World

from edworkers.core.lifecycle import State
from edworkers.core.settings import Groups
from edworkers.pipeline.runner import Runner
from edworkers.ports import Cycle, JobQueue, QueueControl, Settlement, Start
from edworkers.testing import MemoryBroker, MemoryQueue

PLAIN = b'{"data": {"text": "hello"}}'

NAMED: dict[str, bytes] = {
    "an id": payload("a"),
    "a unique key": b'{"uniqueKey": "k", "data": {}}',
    "a type": b'{"type": "letter", "data": {}}',
    "an id by an escape": b'{"\\u0069d": "a", "data": {}}',
    "an id in its data, which nobody looks at closely": b'{"data": {"id": 7}}',
    "more than it takes a moment to look at": b'{"data": {"text": "' + b"x" * 16_384 + b'"}}',
}


@pytest.fixture
def eager(world: World) -> JobQueue:
    return world.queue(begins=True)


async def test_a_job_that_names_nothing_begins_as_it_is_claimed(
    world: World, eager: JobQueue, control: QueueControl
) -> None:
    await world.push(PLAIN)
    (delivery,) = await claim(eager)
    assert (delivery.raw, delivery.is_begun) == (PLAIN, True)
    record = await control.find(delivery.receipt)
    assert record is not None
    assert (record.state, record.attempts, record.type) == (State.INFLIGHT, 1, None)
    assert record.started_at is not None


@pytest.mark.parametrize("raw", NAMED.values(), ids=NAMED)
async def test_one_that_may_name_something_waits_for_its_start(
    world: World, eager: JobQueue, control: QueueControl, raw: bytes
) -> None:
    await world.push(raw)
    (delivery,) = await claim(eager)
    assert not delivery.is_begun
    assert await control.find(delivery.receipt) is None


async def test_each_delivery_of_a_claim_says_for_itself_whether_it_has_begun(world: World, eager: JobQueue) -> None:
    await world.push(PLAIN, payload("a"), PLAIN)
    assert [delivery.is_begun for delivery in await claim(eager, 3)] == [True, False, True]


async def test_nothing_begins_at_its_claim_where_it_is_not_asked_for(world: World, queue: JobQueue) -> None:
    await world.push(PLAIN)
    (delivery,) = await claim(queue)
    assert not delivery.is_begun


async def test_a_job_that_was_claimed_before_waits_for_its_start(world: World, eager: JobQueue) -> None:
    await world.push(PLAIN)
    (first,) = await claim(eager)
    await settle(eager, "release", first, first.receipt)
    (second,) = await claim(eager)
    assert not second.is_begun
    assert await start(eager, second, first.receipt) == "start"


async def test_a_start_that_is_made_all_the_same_is_granted_and_counts_for_nothing(
    world: World, eager: JobQueue, control: QueueControl
) -> None:
    await world.push(PLAIN)
    (delivery,) = await claim(eager)
    before = await control.find(delivery.receipt)
    assert before is not None
    assert await start(eager, delivery, delivery.receipt) == "start"
    after = await control.find(delivery.receipt)
    assert after is not None
    assert (after.state, after.attempts) == (before.state, before.attempts)
    history = await world.history(delivery.receipt)
    assert history.past == ()


async def test_a_start_after_the_lease_has_run_out_is_refused(world: World, eager: JobQueue) -> None:
    await world.push(PLAIN)
    (delivery,) = await claim(eager)
    await world.expire_leases()
    await eager.reap(10)
    assert await start(eager, delivery, delivery.receipt) == "lost"
    assert await settle(eager, "ack", delivery, delivery.receipt) == (delivery.receipt,)


async def test_an_attempt_whose_runner_was_lost_is_told_of(world: World, eager: JobQueue) -> None:
    await world.push(PLAIN)
    (first,) = await claim(eager)
    await world.expire_leases()
    await eager.reap(10)
    (second,) = await claim(eager)
    await start(eager, second, first.receipt)
    history = await world.history(first.receipt)
    assert [past.outcome for past in history.past] == ["lost"]


async def test_a_claim_whose_reply_is_lost_says_by_its_repeat_what_has_begun(world: World, eager: JobQueue) -> None:
    await world.push(PLAIN, payload("a"), PLAIN)
    world.lose_next_reply()
    assert [delivery.is_begun for delivery in await claim(eager, 3)] == [True, False, True]


async def test_it_is_done_and_known_by_its_receipt(world: World, eager: JobQueue, control: QueueControl) -> None:
    await world.push(PLAIN)
    (delivery,) = await claim(eager)
    ack = settle_as("ack", delivery, delivery.receipt, body=b'{"n":1}')
    assert (await eager.cycle((ack,), (), 0)).lost == ()
    record = await control.find(delivery.receipt)
    assert record is not None
    assert (record.state, record.result, record.attempts) == (State.DONE, {"n": 1}, 1)


async def test_in_the_lines_of_a_queue_that_was_fair_it_begins_as_well(world: World, eager: JobQueue) -> None:
    fair = world.queue(runner="fair", groups=Groups())
    await world.push(PLAIN)
    await fair.sort(10)
    (delivery,) = await claim(eager)
    assert delivery.is_begun
    await settle(eager, "ack", delivery, delivery.receipt)
    assert (await world.places()).inflight == []


class Late:
    """A queue whose answers come so many seconds late, by the clock of its event loop; it notes starts and claims."""

    def __init__(self, queue: MemoryQueue, seconds: float) -> None:
        self._queue, self._seconds = queue, seconds
        self.starts: list[Start] = []
        self.wants: list[int] = []
        self.idle = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    async def cycle(self, settlements: Sequence[Settlement], starts: Sequence[Start], want: int) -> Cycle:
        self.starts += starts
        self.wants += [want] if want else []
        answer = await self._queue.cycle(settlements, starts, want)
        if answer.deliveries:
            _skip(asyncio.get_running_loop(), self._seconds)
        return answer


def _skip(loop: Any, seconds: float) -> None:
    """Let the loop's clock be so much later from now on."""
    time = loop.time
    loop.time = lambda: time() + seconds


@pytest.mark.parametrize(("late", "asks"), [(0, False), (0.5, False), (1.6, True), (20, True)])
async def test_a_runner_asks_again_about_a_claim_that_took_a_tenth_of_a_lease(late: float, *, asks: bool) -> None:
    desk = Desk()
    async with _at_work(desk, late) as (queue, broker):
        broker.push(QUEUE, PLAIN)
        context = await desk.next()
        assert bool(queue.starts) is asks
        desk.go_on()
        await reaches(broker.control(QUEUE), context.id, State.DONE)


async def test_a_runner_that_is_woken_makes_one_call_until_it_knows_of_more() -> None:
    desk = Desk()
    async with _at_work(desk, 0) as (queue, broker):
        await asyncio.wait_for(queue.idle.wait(), WAIT_SECONDS)
        queue.wants.clear()
        broker.push(QUEUE, PLAIN)
        await desk.next()
        assert len(queue.wants) == 1
        desk.go_on()


@asynccontextmanager
async def _at_work(desk: Desk, late: float) -> AsyncGenerator[tuple[Late, MemoryBroker]]:
    spec, broker = a_pool(), MemoryBroker()
    memory = broker.queue(spec.queue, begins=True)
    queue, lifeline = Late(memory, late), broker.lifeline(memory)
    wake_me = lifeline.wake_me

    def note_idle() -> None:
        queue.idle.set()
        wake_me()

    lifeline.wake_me = note_idle  # type: ignore[method-assign]
    runner = Runner(
        pool=spec,
        queue=cast("JobQueue", queue),
        lifeline=lifeline,
        handlers={None: handler(desk)},
        env={},
        clock=broker.clock,
    )
    running = asyncio.create_task(runner.run())
    try:
        yield queue, broker
    finally:
        runner.stop()
        await running
