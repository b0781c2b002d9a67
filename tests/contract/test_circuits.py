"""Jobs of a group whose service is down wait, at no cost of attempts, and one at a time tries whether it works now."""

from typing import Any

import pytest
from tests.contract.steps import claim, settle, settle_as, start
from tests.contract.test_fair import ids, job, jobs, sort_all
from tests.contract.world import World

from edworkers.core.settings import Circuit, Groups
from edworkers.ports import CircuitChange, Delivery, JobQueue

CIRCUIT = Circuit(failures=3, open_seconds=30, max_open_seconds=100)


def open_queue(world: World, runner: str = "r", *, circuit: Circuit | None = CIRCUIT, **more: Any) -> JobQueue:
    return world.queue(runner=runner, groups=Groups(circuit=circuit, **more))


async def end(queue: JobQueue, delivery: Delivery, *, down: bool | None, verb: str = "bury") -> list[CircuitChange]:
    """Let an attempt end that tells this of its group's service; returns what opened or closed."""
    (job_id,) = ids((delivery,))
    settlement = settle_as(verb, delivery, job_id, service_down=down, delay_ms=1000)
    return list((await queue.cycle((settlement,), (), 0)).circuits)


async def fail(queue: JobQueue, count: int) -> list[CircuitChange]:
    """Claim so many jobs, one after the other, and let the service fail for each."""
    changes: list[CircuitChange] = []
    for _ in range(count):
        (delivery,) = await claim(queue)
        changes += await end(queue, delivery, down=True)
    return changes


async def tripped(world: World, waiting: int = 9, **settings: Any) -> JobQueue:
    """Give a queue of which the circuit of the group `a` has just opened, and so many of its jobs wait."""
    queue = open_queue(world, **settings)
    await world.push(*jobs("a", 3 + waiting))
    await sort_all(queue)
    assert await fail(queue, 3) == [CircuitChange("a", 3, 30_000)]
    return queue


async def test_after_so_many_failures_in_a_row_a_groups_jobs_wait_and_the_others_go_on(world: World) -> None:
    queue = open_queue(world)
    await world.push(*jobs("a", 9))
    await sort_all(queue)
    assert await fail(queue, 2) == []
    assert await fail(queue, 1) == [CircuitChange("a", 3, 30_000)]
    await world.push(*jobs("b", 2))
    await sort_all(queue)
    assert ids(await claim(queue, 9)) == ["b0", "b1"]
    await world.advance(29)
    assert await claim(queue, 9) == ()


async def test_jobs_that_come_while_a_circuit_is_open_wait_as_well(world: World) -> None:
    queue = await tripped(world, waiting=0)
    await world.push(*jobs("a", 2))
    await sort_all(queue)
    assert await claim(queue, 9) == ()


async def test_a_circuit_holds_for_every_runner(world: World) -> None:
    await tripped(world)
    assert await claim(open_queue(world, "another"), 9) == ()


async def test_when_its_time_is_over_one_job_at_a_time_tries(world: World) -> None:
    queue = await tripped(world)
    await world.advance(31)
    assert ids(await claim(queue, 9)) == ["a3"]
    assert await claim(queue, 9) == ()
    assert await claim(open_queue(world, "another"), 9) == ()


async def test_a_success_closes_a_circuit_and_all_of_its_jobs_go_on(world: World) -> None:
    queue = await tripped(world)
    await world.advance(31)
    (probe,) = await claim(queue)
    assert await end(queue, probe, down=False, verb="ack") == [CircuitChange("a", 0, 0)]
    assert len(await claim(queue, 9)) == 8
    assert await fail_all_anew(world, queue) == [CircuitChange("a", 3, 30_000)]


async def fail_all_anew(world: World, queue: JobQueue) -> list[CircuitChange]:
    """Push as many jobs as open a circuit, and let the service fail for each."""
    await world.push(*(job(f"again{number}", "a") for number in range(3)))
    await sort_all(queue)
    return await fail(queue, 3)


async def test_a_circuit_whose_tries_fail_is_open_twice_as_long_each_time_up_to_a_bound(world: World) -> None:
    queue = await tripped(world)
    opened: list[CircuitChange] = []
    for seconds in (30, 60, 100):
        assert await claim(queue) == ()
        await world.advance(seconds - 1)
        assert await claim(queue) == ()
        await world.advance(2)
        opened += await fail(queue, 1)
    assert opened == [CircuitChange("a", 4, 60_000), CircuitChange("a", 5, 100_000), CircuitChange("a", 6, 100_000)]


@pytest.mark.parametrize("verb", ["ack", "bury", "retry"])
async def test_whatever_shows_that_a_service_works_begins_the_count_anew(world: World, verb: str) -> None:
    queue = open_queue(world)
    await world.push(*jobs("a", 9))
    await sort_all(queue)
    await fail(queue, 2)
    (delivery,) = await claim(queue)
    assert await end(queue, delivery, down=False, verb=verb) == []
    assert await fail(queue, 2) == []
    assert await fail(queue, 1) == [CircuitChange("a", 3, 30_000)]


@pytest.mark.parametrize("verb", ["ack", "retry", "bury", "cancel", "defer", "duplicate", "release"])
async def test_an_end_that_tells_nothing_of_the_service_changes_nothing(world: World, verb: str) -> None:
    queue = open_queue(world)
    await world.push(*jobs("a", 9))
    await sort_all(queue)
    await fail(queue, 2)
    (delivery,) = await claim(queue)
    assert await end(queue, delivery, down=None, verb=verb) == []
    assert await fail(queue, 1) == [CircuitChange("a", 3, 30_000)]


@pytest.mark.parametrize("verb", ["ack", "retry", "bury", "cancel", "defer", "duplicate", "release"])
async def test_a_try_that_tells_nothing_is_followed_by_another(world: World, verb: str) -> None:
    queue = await tripped(world)
    await world.advance(31)
    (probe,) = await claim(queue, 9)
    assert await end(queue, probe, down=None, verb=verb) == []
    assert ids(await claim(queue, 9)) == (["a3"] if verb == "release" else ["a4"])


async def test_a_try_whose_runner_is_lost_is_followed_by_another(world: World) -> None:
    queue = await tripped(world)
    await world.advance(31)
    await claim(queue, 9)
    await world.expire_leases()
    assert await queue.reap(9) == 1
    assert ids(await claim(queue, 9)) == ["a3"]


async def test_jobs_that_were_in_flight_when_a_circuit_opened_keep_it_open_no_longer(world: World) -> None:
    queue = open_queue(world)
    await world.push(*jobs("a", 9))
    await sort_all(queue)
    claimed = await claim(queue, 6)
    changes = [await end(queue, delivery, down=True) for delivery in claimed]
    assert changes == [[], [], [CircuitChange("a", 3, 30_000)], [], [], []]
    await world.advance(31)
    assert await fail(queue, 1) == [CircuitChange("a", 4, 60_000)]


async def test_while_older_jobs_run_none_tries(world: World) -> None:
    queue = open_queue(world)
    await world.push(*jobs("a", 9))
    await sort_all(queue)
    *failing, slow = await claim(queue, 4)
    for delivery in failing:
        await end(queue, delivery, down=True)
    await world.advance(31)
    assert await claim(queue, 9) == ()
    assert await end(queue, slow, down=None) == []
    assert len(await claim(queue, 9)) == 1


async def test_a_success_of_a_job_that_was_in_flight_lets_its_group_in_at_once(world: World) -> None:
    queue = open_queue(world)
    await world.push(*jobs("a", 9))
    await sort_all(queue)
    *failing, slow = await claim(queue, 4)
    for delivery in failing:
        await end(queue, delivery, down=True)
    assert await claim(queue, 9) == ()
    assert await end(queue, slow, down=False, verb="ack") == [CircuitChange("a", 0, 0)]
    assert len(await claim(queue, 9)) == 5


async def test_each_group_has_a_circuit_of_its_own(world: World) -> None:
    queue = open_queue(world)
    await world.push(*jobs("a", 2), *jobs("b", 2))
    await sort_all(queue)
    assert await fail(queue, 4) == []


async def test_jobs_without_a_group_have_no_circuit(world: World) -> None:
    queue = open_queue(world)
    await world.push(*(job(f"n{number}") for number in range(9)))
    await sort_all(queue)
    assert await fail(queue, 8) == []
    assert len(await claim(queue, 9)) == 1


async def test_groups_have_no_circuits_where_none_are_set(world: World) -> None:
    queue = open_queue(world, circuit=None)
    await world.push(*jobs("a", 9))
    await sort_all(queue)
    assert await fail(queue, 8) == []
    assert len(await claim(queue, 9)) == 1


async def test_more_of_a_group_run_at_once_again_when_its_circuit_has_closed(world: World) -> None:
    queue = await tripped(world, max_inflight=2)
    await world.advance(31)
    (probe,) = await claim(queue, 9)
    await end(queue, probe, down=False, verb="ack")
    assert len(await claim(queue, 9)) == 2


async def test_a_retry_that_comes_back_while_its_circuit_is_open_waits(world: World) -> None:
    queue = open_queue(world)
    await world.push(*jobs("a", 3))
    await sort_all(queue)
    for delivery in await claim(queue, 3):
        await start(queue, delivery, ids((delivery,))[0])
        await end(queue, delivery, down=True, verb="retry")
    await world.advance(2)
    assert await queue.promote(9) == 3
    await sort_all(queue)
    assert await claim(queue, 9) == ()
    record = await world.control().find("a0")
    assert (record and record.attempts) == 1


async def test_a_failure_whose_reply_is_lost_counts_once(world: World) -> None:
    queue = open_queue(world)
    await world.push(*jobs("a", 9))
    await sort_all(queue)
    await fail(queue, 1)
    (delivery,) = await claim(queue)
    world.lose_next_reply()
    await end(queue, delivery, down=True)
    assert await fail(queue, 1) == [CircuitChange("a", 3, 30_000)]


async def test_what_a_runner_says_after_its_lease_counts_for_no_circuit(world: World) -> None:
    queue = open_queue(world)
    await world.push(*jobs("a", 9))
    await sort_all(queue)
    await fail(queue, 2)
    (delivery,) = await claim(queue)
    await world.expire_leases()
    await queue.reap(9)
    assert await end(queue, delivery, down=True) == []
    assert len(await claim(queue, 9)) == 7


async def test_a_limit_that_shuts_a_group_for_less_leaves_its_circuit_open(world: World) -> None:
    queue = open_queue(world)
    await world.push(*jobs("a", 9))
    await sort_all(queue)
    *failing, refused = await claim(queue, 4)
    for delivery in failing:
        await end(queue, delivery, down=True)
    await settle(queue, "release", refused, ids((refused,))[0], started=False, shut_ms=5000)
    await world.advance(29)
    assert await claim(queue, 9) == ()
    await world.advance(2)
    assert ids(await claim(queue, 9)) == ["a3"]


async def test_a_group_that_waits_for_a_limit_for_longer_than_its_circuit_is_open_does_so(world: World) -> None:
    queue = open_queue(world)
    await world.push(*jobs("a", 9))
    await sort_all(queue)
    refused, *failing = await claim(queue, 4)
    await settle(queue, "release", refused, "a0", started=False, shut_ms=60_000)
    for delivery in failing:
        await end(queue, delivery, down=True)
    await world.advance(31)
    assert await claim(queue, 9) == ()
    await world.advance(30)
    assert ids(await claim(queue, 9)) == ["a0"]


async def test_a_circuit_that_is_set_no_more_ends_with_its_time(world: World) -> None:
    await tripped(world)
    queue = open_queue(world, "later", circuit=None)
    assert await claim(queue, 9) == ()
    await world.advance(31)
    assert len(await claim(queue, 9)) == 9


async def test_groups_that_wait_for_their_service_are_counted(world: World) -> None:
    await tripped(world)
    depths = await world.control().depths()
    assert (depths.shut, depths.pending) == (1, 9)


async def test_a_service_that_nobody_asks_for_a_day_is_forgotten(world: World) -> None:
    queue = open_queue(world)
    await world.push(*jobs("a", 9))
    await sort_all(queue)
    await fail(queue, 2)
    await world.advance(23 * 3600)
    assert await queue.repair(100) == 0
    assert await fail(queue, 1) == [CircuitChange("a", 3, 30_000)]
    await world.advance(25 * 3600)
    assert len(await claim(queue, 9)) == 1
    assert await queue.repair(100) == 0
    assert len(await claim(queue, 9)) == 5
