"""The real runner in both worlds: when jobs begin, and how they and the runner are stopped."""

from datetime import UTC, datetime

from tests.contract.staff import Desk, at_work, reaches
from tests.contract.steps import payload, until
from tests.contract.world import Places, World

from edworkers.core.job import read_entry
from edworkers.core.lifecycle import State
from edworkers.ports import Enqueue, JobQueue, QueueControl


def moment(world: World, seconds_from_now: float) -> str:
    return datetime.fromtimestamp(world.clock.now() / 1000 + seconds_from_now, UTC).isoformat()


async def test_a_job_with_a_run_at_begins_no_sooner(world: World, queue: JobQueue, control: QueueControl) -> None:
    desk = Desk()
    desk.go_on()
    async with at_work(world, desk):
        await world.push(payload("a", runAt=moment(world, 600)), payload("b"))
        await reaches(control, "a", State.DELAYED)
        await reaches(control, "b", State.DONE)
        await world.advance(300)
        assert await queue.promote(10) == 0
        await world.advance(301)
        assert await queue.promote(10) == 1
        assert (await reaches(control, "a", State.DONE)).attempts == 1
    assert desk.ended == ["b", "a"]


async def test_a_delay_counts_from_the_time_at_which_the_job_was_made(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    desk = Desk()
    desk.go_on()
    async with at_work(world, desk):
        await world.push(payload("late", time=moment(world, -600), delay=300), payload("a", delay=300))
        await reaches(control, "late", State.DONE)
        await reaches(control, "a", State.DELAYED)
        await world.advance(301)
        await queue.promote(10)
        await reaches(control, "a", State.DONE)


class FastClock:
    """The `Clock` port of a machine that is an hour ahead of Redis."""

    def __init__(self, world: World) -> None:
        self._right = world.clock

    def now(self) -> int:
        return self._right.now() + 3_600_000

    def monotonic(self) -> float:
        return self._right.monotonic()


async def test_a_runner_whose_clock_is_wrong_begins_no_job_sooner_and_buries_none(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    desk = Desk()
    desk.go_on()
    async with at_work(world, desk, clock=FastClock(world)):
        await world.push(payload("later", runAt=moment(world, 600)), payload("fresh", expiresAt=moment(world, 600)))
        await reaches(control, "later", State.DELAYED)
        await reaches(control, "fresh", State.DONE)
        await world.advance(601)
        await queue.promote(10)
        await reaches(control, "later", State.DONE)


async def test_an_expired_job_is_buried_instead_of_begun(world: World, control: QueueControl) -> None:
    desk = Desk()
    desk.go_on()
    async with at_work(world, desk):
        await world.push(payload("old", expiresAt=moment(world, -1)), payload("fresh", expiresAt=moment(world, 600)))
        record = await reaches(control, "old", State.DEAD)
        assert record.error is not None
        assert record.error["kind"] == "expired"
        await reaches(control, "fresh", State.DONE)
    assert desk.ended == ["fresh"]


async def test_a_unique_key_lets_one_job_run_at_a_time(world: World, control: QueueControl) -> None:
    desk = Desk()
    async with at_work(world, desk):
        await world.push(payload("a", uniqueKey="k"), payload("b", uniqueKey="k"), payload("c", uniqueKey="other"))
        assert {(await desk.next()).id, (await desk.next()).id} == {"a", "c"}
        await _until_dropped(control, 1)
        desk.go_on()
        await reaches(control, "a", State.DONE)
        assert await control.find("b") is None
        await world.push(payload("d", uniqueKey="k"))
        await reaches(control, "d", State.DONE)
    assert [context.id for context in desk.begun] == ["a", "c", "d"]


async def _until_dropped(control: QueueControl, count: int) -> None:
    async def dropped() -> bool:
        return (await control.depths()).totals.get("duplicate", 0) == count

    await until(dropped)


async def test_a_job_that_was_pushed_twice_is_done_once(world: World, control: QueueControl) -> None:
    desk = Desk()
    desk.go_on()
    async with at_work(world, desk):
        await control.enqueue([Enqueue("a", payload("a"))])
        await world.push(payload("a"), payload("a"))
        await _until_dropped(control, 2)
        await reaches(control, "a", State.DONE)
    assert desk.ended == ["a"]


async def test_urgent_jobs_begin_first(world: World, control: QueueControl) -> None:
    desk = Desk()
    async with at_work(world, desk, concurrency=1):
        await world.push(payload("first"))
        await desk.next()
        await world.push(payload("a"), payload("b"))
        await world.push(payload("urgent"), urgent=True)
        desk.go_on()
        await reaches(control, "b", State.DONE)
    assert desk.ended == ["first", "urgent", "a", "b"]


async def test_a_runner_works_on_as_many_jobs_as_it_has_slots(world: World, control: QueueControl) -> None:
    desk = Desk()
    jobs = [payload(f"j{i}") for i in range(5)]
    async with at_work(world, desk, concurrency=3) as runner:
        await world.push(*jobs)
        for _ in range(3):
            await desk.next()
        assert len(runner.running) == 3
        places = await world.places()
        assert (places.inflight, places.pending) == (jobs[:3], jobs[3:])
        desk.go_on()
        await reaches(control, "j4", State.DONE)


async def test_a_running_job_is_cancelled(world: World, control: QueueControl) -> None:
    desk = Desk()
    async with at_work(world, desk):
        await world.push(payload("a"))
        await desk.next()
        assert await control.cancel("a") == "requested"
        await reaches(control, "a", State.CANCELLED)
    assert desk.ended == []
    assert await world.places() == Places()


async def test_a_job_is_cancelled_before_it_begins(world: World, control: QueueControl) -> None:
    desk = Desk()
    await control.enqueue([Enqueue("a", payload("a"))])
    await control.cancel("a")
    async with at_work(world, desk):
        await reaches(control, "a", State.CANCELLED)
    assert desk.begun == []


async def test_a_job_that_takes_too_long_fails(world: World, control: QueueControl) -> None:
    desk = Desk()
    async with at_work(world, desk):
        await world.push(payload("a", timeoutSeconds=0.05, maxAttempts=1))
        record = await reaches(control, "a", State.DEAD)
        assert record.error is not None
        assert (record.error["kind"], record.error["message"]) == ("timeout", "not done within 0.05 s")


async def test_a_runner_that_lost_its_job_stops_working_on_it(world: World, control: QueueControl) -> None:
    desk = Desk()
    async with at_work(world, desk) as runner:
        await world.push(payload("a"))
        first = await desk.next()
        # Another runner takes it, so that this one doesn't meet it again.
        other = world.queue(runner="other")
        await world.expire_leases()
        assert await other.reap(10) == 1
        second = await desk.next()
        assert second.receipt != first.receipt
        await world.next_moment()

        async def has_stopped() -> bool:
            return list(runner.running) == [second.receipt]

        await until(has_stopped)
        desk.go_on()
        assert (await reaches(control, "a", State.DONE)).attempts == 1
    assert desk.ended == ["a"]
    assert runner.stats.lease_losses == 1


async def test_a_runner_that_is_told_to_stop_finishes_what_it_has(world: World, control: QueueControl) -> None:
    desk = Desk()
    async with at_work(world, desk, concurrency=1) as runner:
        await world.push(payload("a"), payload("b"))
        await desk.next()
        runner.stop()
        assert not runner.is_ready
        desk.go_on()
        await reaches(control, "a", State.DONE)
    assert desk.ended == ["a"]
    assert await world.places() == Places(pending=[payload("b")])


async def test_a_runner_that_is_told_twice_gives_back_what_it_has_at_no_cost(
    world: World, control: QueueControl
) -> None:
    desk = Desk()
    async with at_work(world, desk) as runner:
        await world.push(payload("a"))
        await desk.next()
        runner.stop()
        runner.stop()
        await reaches(control, "a", State.PENDING)
    assert await world.places() == Places(pending=[payload("a")])
    assert desk.ended == []
    desk.go_on()
    async with at_work(world, desk, name="another"):
        assert (await reaches(control, "a", State.DONE)).attempts == 1


async def test_a_runner_gives_back_what_is_not_done_when_its_time_to_drain_is_over(world: World) -> None:
    desk = Desk()
    async with at_work(world, desk, drain=0.01):
        await world.push(payload("a"))
        await desk.next()
    raw = (await world.raw_places("work"))["pending"]
    assert [(read_entry(entry).payload, read_entry(entry).attempts) for entry in raw] == [(payload("a"), 0)]


async def test_a_paused_queue_is_worked_on_when_it_is_resumed(world: World, control: QueueControl) -> None:
    desk = Desk()
    desk.go_on()
    await control.pause(paused=True)
    async with at_work(world, desk) as runner:
        await world.push(payload("a"))

        async def has_asked() -> bool:
            return runner.stats.cycles > 0

        await until(has_asked)
        assert await world.places() == Places(pending=[payload("a")])
        await control.pause(paused=False)
        await reaches(control, "a", State.DONE)


async def test_a_limit_is_kept_and_told_to_the_autoscaler(world: World, control: QueueControl) -> None:
    desk = Desk()
    desk.go_on()
    limits = [{"name": "day", "limit": 2, "window": "day", "timeZone": world.zone}]
    await world.push(*(payload(f"j{i}") for i in range(5)))

    async def is_throttled() -> bool:
        return (await control.depths()).throttled

    async with at_work(world, desk, limits=limits):
        await until(is_throttled)
        await reaches(control, "j1", State.DONE)
    assert desk.ended == ["j0", "j1"]
    assert (await world.places()).pending == [payload(f"j{i}") for i in (2, 3, 4)]
    await world.advance(86_400)
    async with at_work(world, desk, name="tomorrow", limits=limits):
        await reaches(control, "j3", State.DONE)
    assert desk.ended == ["j0", "j1", "j2", "j3"]


async def test_jobs_that_are_not_run_use_up_no_limit(world: World, control: QueueControl) -> None:
    desk = Desk()
    desk.go_on()
    limits = [{"name": "day", "limit": 2, "window": "day", "timeZone": world.zone}]
    await world.push(b"not json", b"[]", payload("a"), payload("b"))
    async with at_work(world, desk, limits=limits):
        await reaches(control, "b", State.DONE)
    assert sorted(desk.ended) == ["a", "b"]


async def test_two_runners_share_the_work(world: World, control: QueueControl) -> None:
    one, two = Desk(), Desk()
    async with at_work(world, one, concurrency=1), at_work(world, two, name="other", concurrency=1):
        await world.push(payload("a"), payload("b"))
        assert {(await one.next()).id, (await two.next()).id} == {"a", "b"}
        one.go_on()
        two.go_on()
        await reaches(control, "a", State.DONE)
        await reaches(control, "b", State.DONE)
