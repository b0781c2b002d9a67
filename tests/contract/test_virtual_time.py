"""The clock in memory, which moves only when told."""

import asyncio

import pytest
from tests.contract.steps import begin, claim, payload, settle

from edworkers.core.settings import Window
from edworkers.testing import MemoryBroker

A = payload("a")


def deaf(_names: object) -> None:
    """Hear nothing."""


def test_time_stands_still_until_it_is_moved() -> None:
    clock = MemoryBroker().clock
    before = (clock.now(), clock.monotonic())
    assert (clock.now(), clock.monotonic()) == before
    clock.advance(90.5)
    assert (clock.now() - before[0], clock.monotonic() - before[1]) == (90_500, 90.5)


def test_time_does_not_go_back() -> None:
    clock = MemoryBroker().clock
    with pytest.raises(ValueError, match="time can't go back"):
        clock.advance(-1)


async def test_a_lease_runs_out_when_the_clock_says_so() -> None:
    broker = MemoryBroker()
    queue = broker.queue("work", lease_ms=15_000)
    broker.push("work", A)
    await claim(queue)
    broker.clock.advance(14.999)
    assert await queue.reap(10) == 0
    broker.clock.advance(0.001)
    assert await queue.reap(10) == 1


async def test_a_runner_that_is_up_keeps_its_leases_however_long_the_clock_jumps() -> None:
    broker = MemoryBroker()
    queue = broker.queue("work")
    lifeline = broker.lifeline(queue)
    lifeline.open(on_wake=lambda: None, on_lost=deaf, on_cancel=deaf)
    broker.push("work", A)
    (delivery,) = await claim(queue)
    lifeline.hold({delivery.receipt: "a"})
    broker.clock.advance(86_400)
    assert await queue.reap(10) == 0
    lifeline.close()
    broker.clock.advance(86_400)
    assert await queue.reap(10) == 1


async def test_a_retry_is_due_to_the_millisecond() -> None:
    broker = MemoryBroker()
    queue = broker.queue("work")
    broker.push("work", A)
    await settle(queue, "retry", await begin(queue, "a"), "a", delay_ms=2000)
    broker.clock.advance(1.999)
    assert await queue.promote(10) == 0
    broker.clock.advance(0.001)
    assert await queue.promote(10) == 1


async def test_a_day_ends_at_midnight_of_its_zone() -> None:
    broker = MemoryBroker()
    window = Window(name="day", limit=1, window="day", time_zone="America/Los_Angeles")
    limiter = broker.limiter("ai", [window])
    await limiter.reserve(1)
    # The clock starts at noon in Greenwich, which is 4 in the morning there.
    broker.clock.advance(20 * 3600 - 0.001)
    assert (await limiter.reserve(1)).retry_ms == 1
    broker.clock.advance(0.001)
    assert (await limiter.reserve(1)).granted == 1


async def test_a_day_of_23_hours_ends_an_hour_sooner() -> None:
    broker = MemoryBroker()
    window = Window(name="day", limit=1, window="day", time_zone="America/Los_Angeles")
    limiter = broker.limiter("ai", [window])
    # To 8 March 2026, half past midnight, when clocks there are put forward at 2.
    broker.clock.advance(61 * 86_400 + 20 * 3600 + 1800)
    await limiter.reserve(1)
    assert (await limiter.reserve(1)).retry_ms == (22 * 60 + 30) * 60_000


async def test_two_brokers_know_nothing_of_each_other() -> None:
    one, two = MemoryBroker(), MemoryBroker()
    one.push("work", A)
    assert await claim(two.queue("work")) == ()


async def test_runners_get_names_of_their_own() -> None:
    broker = MemoryBroker()
    broker.push("work", A, payload("b"))
    receipts = {(await claim(broker.queue("work")))[0].receipt for _ in range(2)}
    assert len(receipts) == 2


def test_a_job_may_be_pushed_where_no_event_loop_runs() -> None:
    broker = MemoryBroker()
    queue = broker.queue("work")
    broker.push("work", A)
    assert [delivery.raw for delivery in asyncio.run(claim(queue))] == [A]


async def test_a_job_may_be_pushed_from_another_thread() -> None:
    broker = MemoryBroker()
    woken = asyncio.Event()
    lifeline = broker.lifeline(broker.queue("work"))
    lifeline.open(on_wake=woken.set, on_lost=deaf, on_cancel=deaf)
    lifeline.wake_me()
    await asyncio.to_thread(broker.push, "work", A)
    await woken.wait()
    lifeline.close()


async def test_a_lifeline_that_was_never_opened_can_be_closed() -> None:
    broker = MemoryBroker()
    broker.lifeline(broker.queue("work")).close()


async def test_a_runner_that_a_resumption_woke_waits_for_no_job_any_more() -> None:
    broker = MemoryBroker()
    wakes: list[str] = []
    resumed = asyncio.Event()
    one, two = (broker.lifeline(broker.queue("work")) for _ in range(2))

    def wake_one() -> None:
        wakes.append("one")
        resumed.set()

    both = asyncio.Event()
    one.open(on_wake=wake_one, on_lost=deaf, on_cancel=deaf)
    two.open(on_wake=both.set, on_lost=deaf, on_cancel=deaf)
    one.wake_me()
    await broker.control("work").pause(paused=False)
    await resumed.wait()
    await both.wait()
    both.clear()
    two.wake_me()
    broker.push("work", A)
    await both.wait()
    assert wakes == ["one"]
