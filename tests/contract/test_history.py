"""What the record of a job keeps of how it came to where it is."""

from typing import Any

import pytest
from pydantic_core import to_json
from tests.contract.steps import begin, claim, payload, settle, start
from tests.contract.world import World

from edworkers.core.lifecycle import State
from edworkers.core.settings import Retention
from edworkers.ports import JobQueue, QueueControl
from edworkers.ports.browse import LogLine, PastAttempt, Related

A = payload("a")
KEEPING = Retention(keep_data=True)
RETENTION_SECONDS = Retention().result_seconds + 1


def error(number: int) -> bytes:
    return to_json({"kind": "boom", "message": f'it "broke" {number}', "attempt": number})


def log_of(*messages: str, at: int = 1) -> bytes:
    return to_json([{"at": at, "level": "info", "message": message} for message in messages])


async def retry(world: World, queue: JobQueue, number: int, verb: str = "retry", **more: Any) -> None:
    await settle(queue, verb, await begin(queue, "a"), "a", body=error(number), **more)
    await world.next_moment()
    assert await queue.promote(1) == 1


async def outcomes(world: World) -> list[tuple[int, str]]:
    return [(attempt.number, attempt.outcome) for attempt in (await world.history("a")).past]


async def test_a_job_that_is_done_at_once_has_no_history(world: World, queue: JobQueue) -> None:
    await world.push(A)
    await settle(queue, "ack", await begin(queue, "a"), "a", body=b"1")
    history = await world.history("a")
    assert (history.past, history.logs, history.related, history.fingerprint) == ((), (), (), None)


async def test_attempts_that_failed_are_kept_with_their_errors(world: World, queue: JobQueue) -> None:
    await world.push(A)
    for number in (1, 2):
        await retry(world, queue, number)
    await settle(queue, "ack", await begin(queue, "a"), "a")
    first, second = (await world.history("a")).past
    assert (first.number, first.outcome) == (1, "retry")
    assert first.error == {"kind": "boom", "message": 'it "broke" 1', "attempt": 1}
    assert (second.number, second.outcome, (second.error or {})["attempt"]) == (2, "retry", 2)
    assert first.started_at is not None
    assert first.started_at <= first.ended_at <= second.ended_at


async def test_an_attempt_that_was_put_off_is_counted_too(world: World, queue: JobQueue) -> None:
    await world.push(A)
    await retry(world, queue, 1, "defer", attempts=0, begun=1)
    await settle(queue, "defer", await begin(queue, "a"), "a", attempts=0, begun=1)
    assert await outcomes(world) == [(1, "defer"), (2, "defer")]
    assert (await world.history("a")).past[1].error is None


async def test_a_job_that_its_producer_put_off_has_made_no_attempt(world: World, queue: JobQueue) -> None:
    await world.push(A)
    await settle(queue, "defer", await begin(queue, "a"), "a", attempts=0, begun=0)
    assert await outcomes(world) == []


async def test_an_attempt_whose_runner_was_lost_is_noted_when_the_job_begins_again(
    world: World, queue: JobQueue
) -> None:
    await world.push(A)
    for _ in range(2):
        await begin(queue, "a")
        await world.expire_leases()
        assert await queue.reap(1) == 1
        await world.advance(10)
        await queue.promote(1)
    assert await outcomes(world) == [(1, "lost")]
    await begin(queue, "a")
    lost = (await world.history("a")).past
    assert await outcomes(world) == [(1, "lost"), (2, "lost")]
    assert all(attempt.started_at is not None and attempt.error is None for attempt in lost)


async def test_a_start_whose_reply_is_lost_is_no_loss_of_the_runner(world: World, queue: JobQueue) -> None:
    await world.push(A)
    (delivery,) = await claim(queue)
    world.lose_next_reply()
    assert await start(queue, delivery, "a") == "start"
    await settle(queue, "release", delivery, "a")
    (again,) = await claim(queue)
    world.lose_next_reply()
    assert await start(queue, again, "a") == "start"
    assert await outcomes(world) == []


async def test_the_latest_twenty_are_kept(world: World, queue: JobQueue) -> None:
    await world.push(A)
    for number in range(1, 24):
        await retry(world, queue, number)
    assert await outcomes(world) == [(number, "retry") for number in range(4, 24)]


async def test_a_burial_is_the_last_attempt_of_a_dead_job(world: World, queue: JobQueue, control: QueueControl) -> None:
    await world.push(A)
    await retry(world, queue, 1)
    await settle(queue, "bury", await begin(queue, "a"), "a", body=error(2))
    past = (await world.history("a")).past
    assert [(attempt.number, attempt.outcome) for attempt in past] == [(1, "retry"), (2, "bury")]
    record = await control.find("a")
    assert record is not None
    assert past[1] == PastAttempt(2, "bury", record.started_at, record.finished_at or 0, record.error)


async def test_a_replayed_job_keeps_its_history_and_numbers_go_on(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(A)
    await retry(world, queue, 1, logs=log_of("one"))
    await settle(queue, "bury", await begin(queue, "a"), "a", body=error(2), logs=log_of("two"))
    before = (await world.history("a")).past
    assert await control.replay("a")
    history = await world.history("a")
    assert history.past == before
    assert [line.message for line in history.logs] == ["one", "two"]
    await settle(queue, "bury", await begin(queue, "a"), "a", body=error(3))
    assert await outcomes(world) == [(1, "retry"), (2, "bury"), (3, "bury")]


async def test_a_history_is_counted_among_the_bytes_of_records(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(A)
    await retry(world, queue, 1, logs=log_of("one"))
    await settle(queue, "ack", await begin(queue, "a"), "a")
    counted = (await control.depths()).totals["recordBytes"]
    assert counted > 301 + len(error(1)) + len(log_of("one"))
    await world.advance(RETENTION_SECONDS)
    assert await queue.trim(10) == 1
    assert (await control.depths()).totals["recordBytes"] == 0


async def test_a_delayed_job_that_is_cancelled_keeps_its_history(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(A)
    await settle(queue, "retry", await begin(queue, "a"), "a", body=error(1), delay_ms=60_000, logs=log_of("one"))
    assert await control.cancel("a") == "cancelled"
    assert await outcomes(world) == [(1, "retry")]
    assert len((await world.history("a")).logs) == 1


# Logs.


@pytest.mark.parametrize("verb", ["ack", "retry", "defer", "bury", "cancel", "release"])
async def test_what_an_attempt_logged_is_kept_whatever_became_of_it(world: World, queue: JobQueue, verb: str) -> None:
    await world.push(A)
    await settle(queue, verb, await begin(queue, "a"), "a", logs=log_of("one", "two", at=7))
    assert (await world.history("a")).logs == (LogLine(7, "info", "one"), LogLine(7, "info", "two"))


@pytest.mark.parametrize("verb", ["ack", "bury", "cancel"])
async def test_logs_of_earlier_attempts_come_first(world: World, queue: JobQueue, verb: str) -> None:
    await world.push(A)
    await retry(world, queue, 1, logs=log_of("one"))
    await retry(world, queue, 2)
    await settle(queue, verb, await begin(queue, "a"), "a", logs=log_of("three"))
    assert [line.message for line in (await world.history("a")).logs] == ["one", "three"]


async def test_of_too_many_logs_the_latest_lines_are_kept_whole(world: World, queue: JobQueue) -> None:
    await world.push(A)
    told = [f"{number}" + '},{"at":1,' + "x" * 300 for number in range(120)]
    for number in range(3):
        await retry(world, queue, number, logs=log_of(*told[number * 40 : number * 40 + 40]))
    kept = [line.message for line in (await world.history("a")).logs]
    assert 40 <= len(kept) < 50
    assert kept == told[-len(kept) :]


async def test_a_duplicate_leaves_the_logs_of_the_other_alone(world: World, queue: JobQueue) -> None:
    await world.push(A)
    await settle(queue, "ack", await begin(queue, "a"), "a", logs=log_of("one"))
    await world.push(A)
    (again,) = await claim(queue)
    assert await start(queue, again, "a") == "duplicate"
    await settle(queue, "duplicate", again, "a")
    assert [line.message for line in (await world.history("a")).logs] == ["one"]


# Relatives.


async def test_a_job_and_its_follow_up_jobs_know_each_other(world: World, queue: JobQueue) -> None:
    child = payload("a.next", source="edworkers/work", parentid="a")
    await world.push(A)
    follow_ups = (b"next a.next\n" + child, b"other b\n" + payload("b"))
    await settle(queue, "ack", await begin(queue, "a"), "a", follow_ups=follow_ups)
    children = (Related("next", "a.next", "child"), Related("other", "b", "child"))
    assert (await world.history("a")).related == children
    await queue.forward(10)
    assert (await world.history("a.next", "next")).related == (Related("work", "a", "parent"),)
    assert (await world.history("b", "other")).related == ()
    next_queue = world.queue("next")
    await settle(next_queue, "ack", await begin(next_queue, "a.next"), "a.next")
    assert (await world.history("a.next", "next")).related == (Related("work", "a", "parent"),)


# Data of jobs that have ended.


@pytest.mark.parametrize(("verb", "state"), [("ack", State.DONE), ("cancel", State.CANCELLED)])
async def test_the_data_of_a_job_is_kept_where_the_pool_says_so(
    world: World, control: QueueControl, verb: str, state: State
) -> None:
    queue = world.queue(retention=KEEPING)
    await world.push(A)
    await settle(queue, verb, await begin(queue, "a"), "a", body=b"1")
    record = await control.find("a")
    assert record is not None
    assert (record.state, record.payload) == (state, A)
    assert (await control.depths()).totals["recordBytes"] == 301 + len(A) + (verb == "ack")


@pytest.mark.parametrize("verb", ["ack", "cancel"])
async def test_the_data_of_a_job_that_was_tried_again_is_kept_as_it_came(
    world: World, control: QueueControl, verb: str
) -> None:
    queue = world.queue(retention=KEEPING)
    await world.push(A)
    await retry(world, queue, 1)
    await settle(queue, verb, await begin(queue, "a"), "a")
    record = await control.find("a")
    assert record is not None
    assert record.payload == A


@pytest.mark.parametrize(("retention", "kept"), [(KEEPING, A), (Retention(), None)])
async def test_the_data_of_a_delayed_job_that_is_cancelled_is_kept_where_the_pool_says_so(
    world: World, queue: JobQueue, retention: Retention, kept: bytes | None
) -> None:
    control = world.control(retention=retention)
    await world.push(A)
    await settle(queue, "retry", await begin(queue, "a"), "a", delay_ms=60_000)
    assert await control.cancel("a") == "cancelled"
    record = await control.find("a")
    assert record is not None
    assert record.payload == kept


async def test_the_data_of_a_job_that_is_done_is_not_kept_otherwise(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(A)
    await settle(queue, "ack", await begin(queue, "a"), "a", logs=log_of("one"))
    record = await control.find("a")
    assert record is not None
    assert record.payload is None
