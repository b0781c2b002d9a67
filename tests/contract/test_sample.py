"""Sampling: how many jobs are where, and for how long the oldest has waited."""

import dataclasses
from datetime import UTC, datetime

from tests.contract.steps import begin, payload, settle
from tests.contract.world import World

from edworkers.core.queue_age import HEAD_BYTES
from edworkers.core.settings import Groups
from edworkers.ports import Enqueue, JobQueue, QueueControl

SLACK_SECONDS = 300
"""For how long a machine may stand still in a test."""


async def oldest(control: QueueControl) -> float:
    seconds = (await control.depths()).oldest_seconds
    assert seconds is not None
    return seconds


def moment(world: World, seconds_ago: float) -> str:
    return datetime.fromtimestamp(world.clock.now() / 1000 - seconds_ago, UTC).isoformat()


async def test_an_empty_queue_has_waited_for_no_time(control: QueueControl) -> None:
    assert (await control.depths()).oldest_seconds == 0


async def test_a_sample_counts_as_a_look_does(world: World, queue: JobQueue, control: QueueControl) -> None:
    await world.push(payload("a"), payload("b"), payload("c"), payload("d"))
    await settle(queue, "bury", await begin(queue, "a"), "a")
    await settle(queue, "retry", await begin(queue, "b"), "b", delay_ms=10_000)
    await begin(queue, "c")
    await control.pause(paused=True)
    await queue.throttle(90_000, "day")
    sample = await queue.sample()
    assert (sample.pending, sample.inflight, sample.delayed, sample.dead) == (1, 1, 1, 1)
    assert (sample.paused, sample.throttled, sample.totals["bury"]) == (True, True, 1)
    assert dataclasses.replace(sample, oldest_seconds=0) == dataclasses.replace(
        await control.depths(), oldest_seconds=0
    )


async def test_groups_that_a_limit_keeps_waiting_are_counted(world: World, control: QueueControl) -> None:
    queue = world.queue(groups=Groups())
    await world.push(*(payload(name, group=name) for name in ("a", "b", "c")))
    await queue.sort(10)
    assert (await control.depths()).shut == 0
    for name in ("a", "b"):
        [delivery] = (await queue.cycle((), (), 1)).deliveries
        await settle(queue, "release", delivery, name, started=False, shut_ms=60_000)
    assert ((await control.depths()).shut, (await queue.sample()).shut) == (2, 2)
    await world.advance(61)
    assert len((await queue.cycle((), (), 9)).deliveries) == 3
    assert (await control.depths()).shut == 0


async def test_a_job_has_waited_since_its_producer_made_it(world: World, control: QueueControl) -> None:
    await world.push(payload("old", time=moment(world, 5000)), payload("new", time=moment(world, 1000)))
    assert 4990 < await oldest(control) < 5000 + SLACK_SECONDS


async def test_the_oldest_is_the_one_to_be_claimed_first(world: World, queue: JobQueue, control: QueueControl) -> None:
    await world.push(payload("old", time=moment(world, 5000)), payload("new", time=moment(world, 1000)))
    await begin(queue, "old")
    assert 990 < await oldest(control) < 1000 + SLACK_SECONDS


async def test_a_job_that_was_enqueued_by_its_id_has_waited_since_then(control: QueueControl) -> None:
    await control.enqueue([Enqueue("a", payload("a"))])
    assert 0 <= await oldest(control) < SLACK_SECONDS


async def test_a_job_that_was_put_off_has_waited_since_it_was_due(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(payload("a", time=moment(world, 50_000)))
    await settle(queue, "retry", await begin(queue, "a"), "a", due=world.clock.now() - 20_000, delay_ms=1)
    await queue.promote(10)
    assert 19 < await oldest(control) < 20 + SLACK_SECONDS


async def test_a_job_that_doesnt_say_is_not_guessed_at(world: World, control: QueueControl) -> None:
    await world.push(b'{"prompt": "hello"}')
    assert (await control.depths()).oldest_seconds is None


async def test_bytes_that_are_no_job_dont_say(world: World, control: QueueControl) -> None:
    await world.push(b"{not json")
    assert (await control.depths()).oldest_seconds is None


async def test_a_large_job_isnt_read_to_learn_its_age(world: World, control: QueueControl) -> None:
    await world.push(payload("a", time=moment(world, 9), source="x" * HEAD_BYTES))
    assert (await control.depths()).oldest_seconds is None


async def test_a_clock_that_is_ahead_makes_no_age_below_zero(world: World, control: QueueControl) -> None:
    await world.push(payload("a", time=moment(world, -90_000)))
    assert await oldest(control) == 0
