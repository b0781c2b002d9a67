"""Lifelines: leases that are kept, and runners that are told."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest
from tests.contract.steps import WAIT_SECONDS, begin, claim, payload, settle_as, until
from tests.contract.world import Places, World

from edworkers.ports import Enqueue, JobQueue, Lifeline, QueueControl

A, B = payload("a"), payload("b")
LEASE_MS = 600


class Runner:
    """A runner that does nothing but hear what its lifeline says."""

    def __init__(self, queue: JobQueue, lifeline: Lifeline) -> None:
        self.queue = queue
        self.lifeline = lifeline
        self.wakes = 0
        self._heard: asyncio.Queue[tuple[str, list[str]]] = asyncio.Queue()

    def open(self) -> None:
        self.lifeline.open(
            on_wake=self._wake,
            on_lost=lambda receipts: self._heard.put_nowait(("lost", list(receipts))),
            on_cancel=lambda job_ids: self._heard.put_nowait(("cancel", list(job_ids))),
        )

    def _wake(self) -> None:
        self.wakes += 1
        self._heard.put_nowait(("wake", []))

    async def hears(self) -> tuple[str, list[str]]:
        async with asyncio.timeout(WAIT_SECONDS):
            return await self._heard.get()


Hire = Callable[[str], Runner]


@asynccontextmanager
async def hiring(world: World) -> AsyncGenerator[Hire]:
    runners: list[Runner] = []

    def hire(name: str) -> Runner:
        queue = world.queue(runner=name, lease_ms=LEASE_MS)
        runners.append(Runner(queue, world.lifeline(queue)))
        runners[-1].open()
        return runners[-1]

    try:
        yield hire
    finally:
        for runner in runners:
            runner.lifeline.close()


@pytest.fixture
async def hire(world: World) -> AsyncGenerator[Hire]:
    async with hiring(world) as hire:
        yield hire


async def test_a_runner_that_waits_is_woken_by_the_next_job(world: World, hire: Hire) -> None:
    runner = hire("one")
    runner.lifeline.wake_me()
    await world.push(A)
    assert await runner.hears() == ("wake", [])
    assert [delivery.raw for delivery in await claim(runner.queue)] == [A]


async def test_a_runner_is_woken_at_once_where_a_job_waits_already(world: World, hire: Hire) -> None:
    await world.push(A)
    runner = hire("one")
    runner.lifeline.wake_me()
    assert await runner.hears() == ("wake", [])
    assert await world.places() == Places(pending=[A])


async def test_a_job_wakes_one_runner_not_all(world: World, hire: Hire) -> None:
    runners = [hire(name) for name in ("one", "two", "three")]
    for runner in runners:
        runner.lifeline.wake_me()
    await world.push(A)
    await _until_woken(runners, 1)
    await world.push(B)
    await _until_woken(runners, 2)
    assert sorted(runner.wakes for runner in runners) == [0, 1, 1]
    assert sorted((await world.places()).pending) == [A, B]


async def _until_woken(runners: list[Runner], times: int) -> None:
    async def woken() -> bool:
        return sum(runner.wakes for runner in runners) >= times

    await until(woken)
    assert sum(runner.wakes for runner in runners) == times


async def test_a_job_that_woke_a_runner_can_be_claimed_by_any(world: World, hire: Hire) -> None:
    runner = hire("one")
    runner.lifeline.wake_me()
    await world.push(A)
    await runner.hears()
    assert [delivery.raw for delivery in await claim(world.queue(runner="quick"))] == [A]
    assert await claim(runner.queue) == ()


async def test_a_job_that_is_handed_back_wakes_another(world: World, hire: Hire) -> None:
    one = hire("one")
    one.lifeline.wake_me()
    await world.push(A)
    await one.hears()
    two = hire("two")
    two.lifeline.wake_me()
    await one.queue.hand_back()
    assert await two.hears() == ("wake", [])
    assert one.wakes == 1
    assert await world.places() == Places(pending=[A])


async def test_a_job_that_woke_a_runner_while_paused_waits_in_the_list(
    world: World, control: QueueControl, hire: Hire
) -> None:
    runner = hire("one")
    await control.pause(paused=True)
    runner.lifeline.wake_me()
    await world.push(A)
    await runner.hears()
    cycle = await runner.queue.cycle((), (), 1)
    assert (cycle.deliveries, cycle.closed_ms, cycle.waiting) == ((), -1, 1)


async def test_a_job_that_woke_a_runner_which_then_died_is_not_lost(world: World, hire: Hire) -> None:
    runner = hire("one")
    runner.lifeline.wake_me()
    await world.push(A)
    await runner.hears()
    runner.lifeline.close()
    await world.queue(runner="keeper").reap(10)
    other = hire("two")
    other.lifeline.wake_me()
    assert await other.hears() == ("wake", [])
    assert [delivery.raw for delivery in await claim(other.queue)] == [A]


@pytest.mark.parametrize("way", ["release", "reap", "promote", "forward", "replay", "enqueue"])
async def test_a_job_that_comes_back_wakes_a_runner(
    world: World, queue: JobQueue, control: QueueControl, hire: Hire, way: str
) -> None:
    await world.push(A)
    delivery = await begin(queue, "a")
    runner = hire("one")
    runner.lifeline.wake_me()
    verb = {"release": "release", "promote": "retry", "forward": "ack", "replay": "bury"}.get(way)
    if verb is not None:
        more = {"follow_ups": (b"work next\n{}",)} if verb == "ack" else {}
        await queue.cycle((settle_as(verb, delivery, "a", **more),), (), 0)
    await world.expire_leases()
    await world.next_moment()
    await _bring(way, queue, control)
    assert await runner.hears() == ("wake", [])


async def _bring(way: str, queue: JobQueue, control: QueueControl) -> None:
    match way:
        case "reap":
            await queue.reap(1)
        case "promote":
            await queue.promote(1)
        case "forward":
            await queue.forward(1)
        case "replay":
            await control.replay("a")
        case "enqueue":
            await control.enqueue([Enqueue("b", B)])


async def test_everyone_is_woken_when_the_queue_is_resumed(world: World, control: QueueControl, hire: Hire) -> None:
    one, two = hire("one"), hire("two")
    await _until_counted(control, 2)
    await control.pause(paused=True)
    await control.pause(paused=False)
    assert [await one.hears(), await two.hears()] == [("wake", [])] * 2


async def _until_counted(control: QueueControl, count: int) -> None:
    async def counted() -> bool:
        return (await control.depths()).runners == count

    await until(counted)


async def test_a_runner_is_told_at_once_of_a_job_to_cancel(control: QueueControl, hire: Hire) -> None:
    # It holds no job, so that its renewals can't tell it.
    runner = hire("one")
    await _until_counted(control, 1)
    await control.cancel("a")
    assert await runner.hears() == ("cancel", ["a"])


async def test_a_runner_that_missed_a_cancellation_is_told_when_it_renews(
    world: World, control: QueueControl, hire: Hire
) -> None:
    await world.push(A)
    delivery = await begin(world.queue(runner="one", lease_ms=LEASE_MS), "a")
    await control.cancel("a")
    runner = hire("one")
    runner.lifeline.hold({delivery.receipt: "a", "unknown": ""})
    await world.next_moment()
    heard = dict([await runner.hears(), await runner.hears()])
    assert heard == {"cancel": ["a"], "lost": ["unknown"]}


async def test_leases_that_are_held_are_renewed_and_others_are_not(world: World, hire: Hire) -> None:
    runner = hire("one")
    await world.push(A, B, payload("c"))
    one, two, three = await claim(runner.queue, 3)
    runner.lifeline.hold({one.receipt: "a", two.receipt: "", three.receipt: "c"})
    runner.lifeline.let_go([three.receipt, "unknown"])
    await world.expire_leases()
    await world.next_moment()

    async def renewed() -> bool:
        return {receipt for receipt, left in (await world.leases()).items() if left > 0} == {one.receipt, two.receipt}

    await until(renewed)


async def test_a_runner_is_told_once_of_a_lease_that_was_taken_from_it(world: World, hire: Hire) -> None:
    await world.push(A)
    (delivery,) = await claim(world.queue(runner="one", lease_ms=LEASE_MS))
    await world.expire_leases()
    await world.queue(runner="keeper").reap(10)
    runner = hire("one")
    runner.lifeline.hold({delivery.receipt: "a"})
    await world.next_moment()
    assert await runner.hears() == ("lost", [delivery.receipt])
    runner.lifeline.hold({"unknown": "b"})
    await world.next_moment()
    assert await runner.hears() == ("lost", ["unknown"])


async def test_a_lifeline_can_settle_by_itself(world: World, control: QueueControl) -> None:
    queue = world.queue()
    lifeline = world.lifeline(queue)
    await world.push(A)
    lifeline.settle([settle_as("bury", await begin(queue, "a"), "a", body=b'{"kind":"stuck"}')])
    assert [record.id for record in await control.dead(0, 1)] == ["a"]
    lifeline.close()


async def test_runners_are_counted_while_they_show_signs_of_life(
    world: World, control: QueueControl, hire: Hire
) -> None:
    one, two = hire("one"), hire("two")
    await _until_counted(control, 2)
    one.lifeline.close()
    two.lifeline.close()
    await world.advance(61)
    assert (await control.depths()).runners == 0


async def test_a_runner_that_is_closed_is_told_nothing_more(world: World, control: QueueControl, hire: Hire) -> None:
    gone, runner = hire("one"), hire("two")
    for one in (gone, runner):
        one.lifeline.wake_me()
    gone.lifeline.close()
    await world.push(A)
    await runner.hears()
    assert (gone.wakes, runner.wakes) == (0, 1)
