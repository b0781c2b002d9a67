"""Operations on many jobs: their undo window, their steps, servers that are lost, and what is kept of them."""

from collections import Counter
from dataclasses import replace

import pytest
from tests.unit.server_in_memory import KilledError, World

from edworkers.core.lifecycle import State
from edworkers.ports.books import BulkOperation
from edworkers.ports.browse import Wanted
from edworkers.server.bulk import BulkDesk, BulkRunner
from edworkers.server.choice import BulkRefusedError, Choice

MANY = [f"job-{number:04d}" for number in range(2500)]


class Case:
    """A world with a desk and a server's runner."""

    def __init__(self) -> None:
        self.world = World()
        self.desk = BulkDesk(self.world.platform)
        self.runner = BulkRunner(self.world.platform, "server-1")

    async def begin(self, action: str, choice: Choice) -> BulkOperation:
        return await self.desk.create("work", action, choice, "ann")

    async def finish(self, operation: BulkOperation) -> BulkOperation:
        self.world.clock.advance(10)
        while await self.runner.take_turns():
            pass
        return await self.desk.find(operation.id)


@pytest.fixture
def case() -> Case:
    return Case()


async def test_an_operation_starts_only_when_its_undo_window_is_over(case: Case) -> None:
    case.world.bury("a")
    operation = await case.begin("replay", Choice(State.DEAD))
    case.world.clock.advance(9.999)
    assert not await case.runner.take_turns()
    assert case.world.pending() == []
    case.world.clock.advance(0.001)
    assert await case.runner.take_turns()
    assert case.world.pending() == ["a"]
    ended = await case.desk.find(operation.id)
    assert (ended.status, ended.total, ended.looked_at, ended.changed, ended.refused) == ("done", 1, 1, 1, 0)


async def test_an_operation_that_is_undone_in_time_changes_nothing(case: Case) -> None:
    case.world.bury("a")
    operation = await case.begin("drop", Choice(State.DEAD))
    assert (await case.desk.undo(operation.id, "bob")).status == "undone"
    assert (await case.finish(operation)).status == "undone"
    assert list(case.world.store.dead) == ["a"]


async def test_one_that_is_over_can_not_be_undone(case: Case) -> None:
    case.world.bury("a")
    operation = await case.begin("replay", Choice(State.DEAD))
    await case.finish(operation)
    with pytest.raises(BulkRefusedError, match="too late: the operation is done"):
        await case.desk.undo(operation.id, "ann")


async def test_one_that_runs_can_be_stopped_and_tells_how_far_it_came(case: Case) -> None:
    case.world.bury(*MANY)
    operation = await case.begin("drop", Choice(State.DEAD))
    case.world.clock.advance(10)
    await case.runner.take_turns()
    stopped = await case.desk.undo(operation.id, "ann")
    assert (stopped.status, stopped.looked_at, stopped.changed) == ("stopped", 1000, 1000)
    assert not await case.runner.take_turns()
    assert len(case.world.store.dead) == 1500


async def test_one_that_is_stopped_within_a_step_stays_stopped(case: Case) -> None:
    case.world.bury(*MANY)
    operation = await case.begin("drop", Choice(State.DEAD))
    case.world.clock.advance(10)
    search = case.world.browser.search

    async def stop_then_search(*args: object) -> object:
        await case.desk.undo(operation.id, "ann")
        return await search(*args)  # type: ignore[arg-type]

    case.world.browser.search = stop_then_search  # type: ignore[method-assign,assignment]
    await case.runner.take_turns()
    assert (await case.desk.find(operation.id)).status == "stopped"


async def test_every_job_is_gone_through_in_steps_and_changed_once(case: Case) -> None:
    case.world.bury(*MANY)
    ended = await case.finish(await case.begin("replay", Choice(State.DEAD)))
    assert (ended.looked_at, ended.changed, ended.refused) == (2500, 2500, 0)
    assert Counter(case.world.pending()) == Counter(MANY)
    assert case.world.browser.steps >= 3


async def test_only_what_is_wanted_is_changed(case: Case) -> None:
    case.world.bury("a", "b", kind="timeout")
    case.world.bury("c", kind="connection")
    ended = await case.finish(await case.begin("replay", Choice(State.DEAD, wanted=Wanted(error_kind="timeout"))))
    assert (ended.looked_at, ended.changed) == (3, 2)
    assert sorted(case.world.pending()) == ["a", "b"]


async def test_only_the_jobs_that_are_named_are_changed(case: Case) -> None:
    case.world.bury("a", "b", "c")
    ended = await case.finish(await case.begin("drop", Choice(State.DEAD, ids=("a", "c", "gone"))))
    assert (ended.total, ended.changed, ended.refused) == (3, 2, 1)
    assert list(case.world.store.dead) == ["b"]


async def test_many_that_are_named_take_several_turns(case: Case) -> None:
    case.world.bury(*MANY[:50])
    ended = await case.finish(await case.begin("drop", Choice(State.DEAD, ids=tuple(MANY[:45]))))
    assert (ended.status, ended.changed) == ("done", 45)
    assert len(case.world.store.dead) == 5


async def test_what_dies_after_it_was_asked_for_is_not_meant(case: Case) -> None:
    case.world.bury("old")
    by_filter = await case.begin("replay", Choice(State.DEAD))
    by_name = await case.begin("drop", Choice(State.DEAD, ids=("new",)))
    case.world.bury("new")
    assert (await case.finish(by_filter)).changed == 1
    assert (await case.finish(by_name)).refused == 1
    assert list(case.world.store.dead) == ["new"]


async def test_what_comes_to_wait_after_it_was_asked_for_is_not_meant(case: Case) -> None:
    later = case.world.clock.now() + 10**9
    await case.world.enqueue("waits")
    await case.world.enqueue("delayed", due=later)
    case.world.clock.advance(1)
    waiting = await case.begin("cancel", Choice(State.PENDING))
    delayed = await case.begin("cancel", Choice(State.DELAYED))
    case.world.clock.advance(1)
    await case.world.enqueue("waits-too")
    await case.world.enqueue("delayed-too", due=later)
    assert (await case.finish(waiting)).changed == 1
    assert (await case.desk.find(delayed.id)).changed == 1
    assert list(case.world.store.cancel) == ["waits"]
    assert case.world.store.records["delayed-too"].state is State.DELAYED


async def test_jobs_that_wait_are_cancelled_at_once_or_when_a_runner_meets_them(case: Case) -> None:
    await case.world.enqueue("waits")
    await case.world.enqueue("delayed", due=case.world.clock.now() + 10**6)
    waiting = await case.begin("cancel", Choice(State.PENDING))
    delayed = await case.begin("cancel", Choice(State.DELAYED))
    assert (await case.finish(waiting)).changed == 1
    assert (await case.desk.find(delayed.id)).changed == 1
    assert list(case.world.store.cancel) == ["waits"]
    assert case.world.store.records["delayed"].state is State.CANCELLED


async def test_a_job_without_an_id_is_counted_as_refused(case: Case) -> None:
    case.world.store.push([b'{"data":{}}'])
    ended = await case.finish(await case.begin("cancel", Choice(State.PENDING)))
    assert (ended.status, ended.changed, ended.refused) == ("done", 0, 1)


async def test_when_a_server_is_killed_another_carries_on_and_no_job_is_changed_twice(case: Case) -> None:
    case.world.bury(*MANY)
    operation = await case.begin("replay", Choice(State.DEAD))
    case.world.clock.advance(10)
    assert await case.runner.take_turns()
    case.world.books.saves_until_lost = 0
    with pytest.raises(KilledError):
        await case.runner.take_turns()
    case.world.books.saves_until_lost = None
    case.runner = BulkRunner(case.world.platform, "server-2")
    assert not await case.runner.take_turns()
    ended = await case.finish(operation)
    assert ended.status == "done"
    assert Counter(case.world.pending()) == Counter(MANY)


async def test_while_one_server_has_its_turn_another_leaves_the_operation_alone(case: Case) -> None:
    case.world.bury(*MANY)
    await case.begin("replay", Choice(State.DEAD))
    case.world.clock.advance(10)
    assert await case.runner.take_turns()
    assert not await BulkRunner(case.world.platform, "server-2").take_turns()
    assert len(case.world.pending()) == 1000


async def test_a_cursor_that_is_none_ends_the_operation_and_says_so(case: Case) -> None:
    case.world.bury("a")
    operation = await case.begin("replay", Choice(State.DEAD))
    case.world.books.kept[operation.id] = replace(operation, cursor="nonsense")
    ended = await case.finish(operation)
    assert (ended.status, ended.fault) == ("failed", "can't go on: not a cursor")


async def test_an_operation_of_a_newer_server_that_asks_for_more_is_not_carried_out(case: Case) -> None:
    case.world.bury("a")
    operation = await case.begin("drop", Choice(State.DEAD))
    case.world.books.kept[operation.id] = replace(operation, wanted={"colour": "red"})
    ended = await case.finish(operation)
    assert ended.status == "failed"
    assert "asks for colour" in str(ended.fault)
    assert list(case.world.store.dead) == ["a"]


async def test_a_queue_that_is_not_served_here_is_left_to_other_servers(case: Case) -> None:
    case.world.bury("a")
    operation = await case.begin("drop", Choice(State.DEAD))
    case.world.books.kept[operation.id] = replace(operation, queue="elsewhere")
    assert (await case.finish(operation)).status == "waiting"


@pytest.mark.parametrize(
    ("action", "choice", "fault"),
    [
        ("explode", Choice(State.DEAD), "'explode' can't be done to many jobs; replay, drop, cancel can"),
        ("replay", Choice(State.PENDING), "replay is for jobs that are dead, not pending"),
        ("cancel", Choice(State.DEAD), "cancel is for jobs that are delayed or inflight or pending, not dead"),
        ("drop", Choice(State.DEAD, ids=tuple(MANY[:1001])), "1001 jobs are named, and 1000 can be"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_the_reason(
    case: Case, action: str, choice: Choice, fault: str
) -> None:
    with pytest.raises(BulkRefusedError, match=fault):
        await case.begin(action, choice)
    assert case.world.books.kept == {}


async def test_what_there_is_not_is_a_key_error(case: Case) -> None:
    with pytest.raises(KeyError):
        await case.desk.create("nowhere", "drop", Choice(State.DEAD), "ann")
    with pytest.raises(KeyError):
        await case.desk.undo("op9", "ann")


async def test_who_began_undid_and_what_came_of_it_is_in_the_audit_log(case: Case) -> None:
    case.world.bury("a", "b")
    first = await case.begin("replay", Choice(State.DEAD, wanted=Wanted(error_kind="timeout")))
    await case.desk.undo(first.id, "bob")
    second = await case.begin("drop", Choice(State.DEAD, ids=("a",)))
    await case.finish(second)
    seen = [(deed.who, deed.what, deed.subject, deed.detail) for deed in reversed(case.world.books.notes)]
    assert seen == [
        ("ann", "replay", "dead jobs failed by timeout", "begun as op1, which looks through 2 dead jobs"),
        ("bob", "undo", "dead jobs failed by timeout", "replay op1 before it started"),
        ("ann", "drop", "dead job a", "begun as op2"),
        ("ann", "drop-end", "dead job a", "op2 done: 1 changed, 0 refused"),
    ]


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice(State.DEAD), "all dead jobs"),
        (Choice(State.PENDING, ids=("a", "b")), "2 pending jobs"),
        (Choice(State.DEAD, wanted=Wanted(text="u-7", group="g")), "dead jobs with “u-7” of group g"),
    ],
)
def test_a_choice_is_told_in_words(choice: Choice, words: str) -> None:
    assert choice.in_words() == words
