"""Groups get fair shares of a queue: none waits because another has pushed very many jobs."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import to_json
from tests.contract.steps import claim, settle, start
from tests.contract.world import MemoryWorld, World

from edworkers.core.job import group_of, read_entry
from edworkers.core.settings import MAX_PAYLOAD_BYTES, Groups
from edworkers.ports import Delivery, JobQueue

FAIR = Groups()


def job(job_id: str, group: str | None = None) -> bytes:
    return to_json({"id": job_id, "data": {}, **({} if group is None else {"group": group})})


def jobs(group: str, count: int) -> list[bytes]:
    return [job(f"{group}{number}", group) for number in range(count)]


def ids(deliveries: tuple[Delivery, ...]) -> list[str]:
    return [str(read_entry(delivery.raw).payload.split(b'"')[3].decode()) for delivery in deliveries]


async def sort_all(queue: JobQueue) -> None:
    while await queue.sort(100):
        pass


async def test_a_group_that_pushes_very_many_jobs_delays_another_by_one_of_them(world: World) -> None:
    queue = world.queue(groups=FAIR)
    await world.push(*jobs("a", 1000))
    await sort_all(queue)
    await claim(queue, 2)
    await world.push(*jobs("b", 2))
    await sort_all(queue)
    assert ids(await claim(queue, 5)) == ["b0", "a2", "b1", "a3", "a4"]


async def test_groups_take_turns_and_each_in_the_order_in_which_it_pushed(world: World) -> None:
    queue = world.queue(groups=FAIR)
    await world.push(*jobs("a", 4), *jobs("b", 3), *jobs("c", 1))
    await sort_all(queue)
    assert ids(await claim(queue, 8)) == ["a0", "b0", "c0", "a1", "b1", "a2", "b2", "a3"]


async def test_a_group_saves_nothing_up_while_it_has_no_jobs(world: World) -> None:
    queue = world.queue(groups=FAIR)
    await world.push(*jobs("a", 20))
    await sort_all(queue)
    await claim(queue, 10)
    await world.push(*jobs("b", 10))
    await sort_all(queue)
    claimed = ids(await claim(queue, 8))
    assert sum(name.startswith("b") for name in claimed) == 4


async def test_jobs_without_a_group_share_as_one_group_does(world: World) -> None:
    queue = world.queue(groups=FAIR)
    await world.push(*(job(f"n{number}") for number in range(50)), *jobs("a", 2))
    await sort_all(queue)
    assert ids(await claim(queue, 4)) == ["n0", "a0", "n1", "a1"]


async def test_jobs_that_are_not_sorted_yet_are_not_claimed_past_those_that_are(world: World) -> None:
    queue = world.queue(groups=FAIR)
    await world.push(*jobs("a", 2))
    assert await claim(queue, 2) == ()
    await sort_all(queue)
    assert ids(await claim(queue, 2)) == ["a0", "a1"]


async def test_sorting_takes_no_more_than_asked_and_says_how_many(world: World) -> None:
    queue = world.queue(groups=FAIR)
    await world.push(*jobs("a", 5))
    assert [await queue.sort(3), await queue.sort(3), await queue.sort(3)] == [3, 2, 0]


async def test_a_queue_that_is_not_fair_is_not_sorted(world: World, queue: JobQueue) -> None:
    await world.push(*jobs("a", 2), *jobs("b", 1))
    assert await queue.sort(10) == 0
    assert ids(await claim(queue, 3)) == ["a0", "a1", "b0"]


async def test_a_queue_that_is_fair_no_more_empties_its_lines_first(world: World, queue: JobQueue) -> None:
    await world.push(*jobs("a", 2), *jobs("b", 1))
    await sort_all(world.queue(groups=FAIR))
    await world.push(job("later"))
    assert ids(await claim(queue, 9)) == ["a0", "b0", "a1", "later"]


async def test_whoever_sorts_second_moves_nothing_twice(world: World) -> None:
    one, two = world.queue(runner="one", groups=FAIR), world.queue(runner="two", groups=FAIR)
    await world.push(*[job("same", "a")] * 3, *jobs("b", 2))
    await sort_all(one)
    await sort_all(two)
    assert len((await world.places()).pending) == 5
    assert len(await claim(one, 9)) == 5


async def test_a_sort_whose_reply_was_lost_loses_and_doubles_nothing(world: World) -> None:
    queue = world.queue(groups=FAIR)
    await world.push(*[b'{"data":{},"group":"a"}'] * 5)
    world.lose_next_reply()
    await sort_all(queue)
    assert len((await world.places()).pending) == 5
    assert len(await claim(queue, 9)) == 5


async def test_a_field_of_the_data_may_name_the_group_of_jobs_that_have_none(world: World) -> None:
    queue = world.queue(groups=Groups(by="userId"))
    plain = [to_json({"userId": "a", "n": number}) for number in range(3)]
    envelope = [to_json({"data": {"userId": 7}}), to_json({"data": {"userId": "a"}, "group": "c"})]
    await world.push(*plain, *envelope, b'{"data":{"userId":[1]}}', b'{"data":{"userId":true}}')
    await sort_all(queue)
    claimed = {delivery.raw for delivery in await claim(queue, 5)}
    assert claimed == {plain[0], *envelope, b'{"data":{"userId":[1]}}', b'{"data":{"userId":true}}'}


@pytest.mark.parametrize(
    "raw",
    [
        b"no JSON",
        b"[1]",
        b'{"group": "a"}',
        b'{"data": {}, "group": 7}',
        b'{"data": {}, "group": "a\\u0000b"}',
        b"\xff\xfe",
        b"",
    ],
)
async def test_what_is_no_job_or_names_no_group_is_sorted_without_one(world: World, raw: bytes) -> None:
    queue = world.queue(groups=FAIR)
    await world.push(raw, *jobs("a", 1))
    await sort_all(queue)
    assert [delivery.raw for delivery in await claim(queue, 2)] == [raw, *jobs("a", 1)]


async def test_a_payload_that_is_too_large_is_sorted_unread_and_told_by_its_size(world: World) -> None:
    queue = world.queue(groups=FAIR)
    await world.push(b'{"data":{},"group":"a","pad":"' + b"x" * MAX_PAYLOAD_BYTES + b'"}', *jobs("b", 1))
    await sort_all(queue)
    large, small = await claim(queue, 2)
    assert (large.raw, large.oversize > MAX_PAYLOAD_BYTES) == (b"", True)
    assert ids((small,)) == ["b0"]


async def test_no_more_of_a_group_is_in_flight_than_may_be_and_the_rest_goes_on(world: World) -> None:
    queue = world.queue(groups=Groups(max_inflight=2))
    await world.push(*jobs("a", 5), *jobs("b", 1))
    await sort_all(queue)
    claimed = await claim(queue, 9)
    assert ids(claimed) == ["a0", "b0", "a1"]
    assert await claim(queue, 9) == ()
    await start(queue, claimed[0], "a0")
    await settle(queue, "ack", claimed[0], "a0")
    assert ids(await claim(queue, 9)) == ["a2"]


async def test_jobs_without_a_group_are_bounded_by_no_group(world: World) -> None:
    queue = world.queue(groups=Groups(max_inflight=1))
    await world.push(*(job(f"n{number}") for number in range(4)))
    await sort_all(queue)
    assert len(await claim(queue, 9)) == 4


@pytest.mark.parametrize("verb", ["ack", "retry", "defer", "bury", "cancel", "duplicate", "release"])
async def test_whatever_becomes_of_a_job_it_counts_for_its_group_no_more(world: World, verb: str) -> None:
    queue = world.queue(groups=Groups(max_inflight=1))
    await world.push(*jobs("a", 2))
    await sort_all(queue)
    (delivery,) = await claim(queue, 9)
    await start(queue, delivery, "a0")
    assert await settle(queue, verb, delivery, "a0", delay_ms=1000) == ()
    assert ids(await claim(queue, 9)) == (["a0"] if verb == "release" else ["a1"])


async def test_a_job_that_is_given_back_is_the_next_of_its_group(world: World) -> None:
    queue = world.queue(groups=FAIR)
    await world.push(*jobs("a", 3), *jobs("b", 3))
    await sort_all(queue)
    a0, _ = await claim(queue, 2)
    await settle(queue, "release", a0, "a0", started=False)
    claimed = ids(await claim(queue, 4))
    assert next(name for name in claimed if name.startswith("a")) == "a0"


async def test_the_job_of_a_lost_runner_is_the_next_of_its_group(world: World) -> None:
    queue = world.queue(groups=Groups(max_inflight=1))
    await world.push(*jobs("a", 3))
    await sort_all(queue)
    await claim(queue)
    await world.expire_leases()
    assert await queue.reap(10) == 1
    (delivery,) = await claim(queue, 9)
    assert ids((delivery,)) == ["a0"]
    assert read_entry(delivery.raw).deliveries == 1


async def test_a_group_that_is_shut_waits_and_the_others_go_on(world: World) -> None:
    queue = world.queue(groups=FAIR)
    await world.push(*jobs("a", 2), *jobs("b", 2))
    await sort_all(queue)
    a0, _ = await claim(queue, 2)
    await settle(queue, "release", a0, "a0", started=False, shut_ms=60_000)
    assert ids(await claim(queue, 9)) == ["b1"]
    await world.advance(59)
    assert await claim(queue, 9) == ()
    await world.advance(2)
    assert ids(await claim(queue, 9)) == ["a0", "a1"]


async def test_no_more_of_a_queue_is_in_flight_than_may_be_in_all_runners_together(world: World) -> None:
    one, two = (world.queue(runner=name, max_inflight=3) for name in ("one", "two"))
    await world.push(*jobs("a", 5))
    claimed = await claim(one, 2)
    assert len(await claim(two, 9)) == 1
    assert await claim(one, 9) == ()
    await settle(one, "ack", claimed[0], "a0")
    assert ids(await claim(two, 9)) == ["a3"]
    assert len((await world.places()).pending) == 1


async def test_a_job_that_wakes_a_runner_of_a_full_queue_is_left_in_the_list(world: World) -> None:
    queue = world.queue(max_inflight=1)
    await world.push(*jobs("a", 1))
    await claim(queue)
    await world.push(*jobs("b", 1))
    cycle = await queue.cycle((), (), 4)
    assert (cycle.deliveries, cycle.waiting) == ((), 1)


async def test_jobs_in_lines_are_counted_among_those_that_wait(world: World) -> None:
    queue, control = world.queue(groups=FAIR), world.control()
    await world.push(*jobs("a", 3))
    await sort_all(queue)
    await world.push(*jobs("b", 2))
    assert (await control.depths()).pending == 5
    assert (await queue.cycle((), (), 1)).waiting == 4


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    backlog=st.dictionaries(st.sampled_from("abcde"), st.integers(1, 12), min_size=1),
    wants=st.lists(st.integers(1, 4), min_size=1, max_size=12),
)
async def test_while_two_groups_wait_neither_is_ahead_by_more_than_one_job(
    backlog: dict[str, int], wants: list[int]
) -> None:
    queue = MemoryWorld().queue(groups=FAIR)
    for group, count in backlog.items():
        queue.store.push(jobs(group, count))
    await sort_all(queue)
    had: Counter[str] = Counter()
    for want in wants:
        for delivery in await claim(queue, want):
            had[group_of(delivery.raw, None)] += 1
            waiting = [group for group, count in backlog.items() if had[group] < count]
            assert (
                max((had[group] for group in waiting), default=0) - min((had[group] for group in waiting), default=0)
                <= 1
            )
