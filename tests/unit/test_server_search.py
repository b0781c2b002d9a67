"""Searches through many queues: in steps, with a token between them, and nothing found twice or left out."""

from dataclasses import replace

import pytest
from tests.unit.server_in_memory import World

from edworkers.core.lifecycle import State
from edworkers.ports.browse import Wanted
from edworkers.server.platform import ServedQueue
from edworkers.server.search import JobSearch, Step, find_by_id


def queues(**worlds: World) -> dict[str, ServedQueue]:
    return {name: replace(world.platform.queues()["work"]) for name, world in worlds.items()}


async def go_through(search: JobSearch) -> list[Step]:
    steps = [await search.step()]
    while (token := steps[-1].next) is not None:
        steps.append(await search.step(token))
    return steps


async def test_every_queue_and_state_is_looked_through() -> None:
    one, two = World(), World()
    one.bury("a-1", "b-1")
    await one.enqueue("a-2")
    await two.enqueue("a-3", due=two.clock.now() + 1000)
    steps = await go_through(JobSearch(queues(one=one, two=two), Wanted(text="A-")))
    assert [(hit.queue, hit.job.id) for step in steps for hit in step.hits] == [
        ("one", "a-1"),
        ("one", "a-2"),
        ("two", "a-3"),
    ]
    assert (steps[-1].looked_at, steps[-1].total) == (4, 4)


async def test_a_long_search_comes_in_steps_that_say_how_far_it_is() -> None:
    world = World()
    world.bury(*(f"job-{number:05d}" for number in range(5000)))
    await world.enqueue("job-last")
    steps = await go_through(JobSearch(queues(work=world), Wanted(text="77"), [State.DEAD, State.PENDING]))
    assert [step.looked_at for step in steps] == [1000, 2000, 3000, 4000, 5000, 5001]
    assert {step.total for step in steps} == {5001}
    found = [hit.job.id for step in steps for hit in step.hits]
    assert len(found) == len(set(found))
    assert set(found) == {f"job-{number:05d}" for number in range(5000) if "77" in f"{number:05d}"}


async def test_a_step_that_finds_much_ends_before() -> None:
    world = World()
    world.bury(*(f"job-{number:04d}" for number in range(1000)))
    steps = await go_through(JobSearch(queues(work=world), Wanted(), [State.DEAD]))
    assert [step.looked_at for step in steps] == [250, 500, 750, 1000, 1000][: len(steps)]
    assert len(steps) >= 4
    assert sorted(hit.job.id for step in steps for hit in step.hits) == [f"job-{number:04d}" for number in range(1000)]


async def test_whoever_asks_for_a_short_step_gets_one() -> None:
    world = World()
    world.bury(*(f"job-{number:04d}" for number in range(300)))
    step = await JobSearch(queues(work=world), Wanted(text="nobody"), [State.DEAD]).step(at_most=30)
    assert (step.hits, step.looked_at) == ([], 30)


async def test_only_the_states_that_are_asked_for_are_looked_through() -> None:
    world = World()
    world.bury("dead")
    await world.enqueue("waits")
    [step] = await go_through(JobSearch(queues(work=world), Wanted(), [State.PENDING]))
    assert [hit.job.id for hit in step.hits] == ["waits"]


async def test_where_there_is_nothing_to_look_through_the_search_is_over() -> None:
    assert await JobSearch({}, Wanted(text="a")).step() == Step((), 0, 0, None)


@pytest.mark.parametrize("token", ["", "x", "eyJhIjoxfQ", "é", "A" * 10_000, "bnVsbA"])
async def test_a_token_that_is_none_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="begin it anew"):
        await JobSearch(queues(work=World()), Wanted()).step(token)


async def test_a_token_of_a_queue_that_has_gone_is_refused() -> None:
    world = World()
    world.bury(*(f"job-{number}" for number in range(2001)))
    step = await JobSearch(queues(gone=world), Wanted()).step()
    with pytest.raises(ValueError, match="not looked through any more"):
        await JobSearch(queues(work=World()), Wanted()).step(step.next)


async def test_an_id_is_found_in_whatever_queue_it_is() -> None:
    one, two = World(), World()
    two.bury("x")
    [(queue, detail)] = await find_by_id(queues(one=one, two=two), "x")
    assert (queue, detail.record.state) == ("two", State.DEAD)


@pytest.mark.parametrize("text", ["", "two words", "é", "x" * 129])
async def test_what_can_not_be_an_id_is_not_looked_up(text: str) -> None:
    assert await find_by_id(queues(work=World()), text) == []
