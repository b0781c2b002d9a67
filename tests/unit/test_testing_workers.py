"""Real runners on queues in memory, as users' own tests have them."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.handlers_to_test import Note, a_module, a_pool

from edworkers.core.errors import SettingsError, UnknownJobError
from edworkers.core.lifecycle import State
from edworkers.core.outcome import Deferred, Done, Failed, FollowUp
from edworkers.ports import JobContext
from edworkers.testing import NotDrainedError, Workers
from edworkers.testing.workers import at_once

Work = Callable[[Note, JobContext], Awaitable[Any]]


async def nothing(_data: Note, _job: JobContext) -> None:
    """Do nothing."""


def failing(times: int, kind: str = "away") -> Work:
    async def fail(_data: Note, job: JobContext) -> object:
        return Failed(kind, "not now") if job.attempt <= times else Done(job.attempt)

    return fail


def job(name: str, text: str = "", **more: Any) -> dict[str, Any]:
    return {"id": name, **more, "data": {"text": text}}


def errors(workers: Workers, queue: str = "work") -> list[str]:
    return [record.error["message"] for record in workers.dead(queue) if record.error]


@pytest.fixture
def workers(edworkers_workers: Workers) -> Workers:
    return edworkers_workers


# Draining.


async def test_what_is_pushed_is_done_as_in_production(workers: Workers) -> None:
    async def work(data: Note, job: JobContext) -> object:
        await job.progress(0.5, data.text)
        return Done([data.text, 2**60, []])

    workers.serve(a_module(work))
    workers.push("work", b'{"id": "a", "data": {"text": "1"}}', '{"id":"b","data":{"text":"\u00e9"}}', job("c", "3"))
    await workers.drain()
    assert [workers.record(name).result for name in "abc"] == [[text, 2**60, []] for text in ("1", "\u00e9", "3")]
    assert workers.record("a").progress == {"fraction": 0.5, "note": "1"}
    assert workers.record("a").state is State.DONE


async def test_a_text_that_a_job_writes_is_that_of_its_latest_attempt(workers: Workers) -> None:
    async def work(data: Note, job: JobContext) -> object:
        await job.emit(f"{data.text} {job.attempt}")
        return Failed("broken", "it broke") if job.attempt == 1 else None

    workers.serve(a_module(work))
    workers.push("work", job("a", "attempt"))
    await workers.drain()
    assert workers.text("a") == "attempt 2"
    await workers.advance(3601)
    assert workers.text("a") is None


async def test_a_drained_queue_has_nothing_left_and_no_runner_up(workers: Workers) -> None:
    opened: list[str] = []
    workers.serve(a_module(nothing, opened=opened), env={"NAME": "ada"})
    workers.push("work", *(job(f"j{i}") for i in range(50)))
    await workers.drain()
    depths = workers.depths("work")
    assert (depths.pending, depths.inflight, depths.delayed, depths.totals["ack"]) == (0, 0, 0, 50)
    assert opened == ["opened ada", "closed"]
    assert len(asyncio.all_tasks()) == 1


async def test_a_queue_is_drained_as_often_as_one_likes(workers: Workers) -> None:
    workers.serve(a_module(nothing))
    for name in ("a", "b"):
        await workers.drain()
        workers.push("work", job(name))
        await workers.drain()
        assert workers.record(name).state is State.DONE


async def test_retries_wait_as_their_backoff_says_without_chance(workers: Workers) -> None:
    workers.serve(a_module(failing(3), pool=a_pool(job={"maxAttempts": 5, "backoff": {"initialSeconds": 600}})))
    workers.push("work", job("a"))
    await workers.drain()
    assert workers.record("a").result == 4
    assert workers.clock.monotonic() == 3 * 600


async def test_a_job_that_fails_to_the_last_is_buried_with_its_reason_and_bytes(workers: Workers) -> None:
    workers.serve(a_module(failing(9)))
    workers.push("work", b'{"id":"a"}', b"[]")
    await workers.drain()
    assert sorted(errors(workers)) == ["data.id: Extra inputs are not permitted", "must be a JSON object, not an array"]
    assert sorted(dead.payload or b"" for dead in workers.dead("work")) == [b"[]", b'{"id":"a"}']


async def test_a_delayed_job_starts_when_it_is_due(workers: Workers) -> None:
    workers.serve(a_module(nothing))
    workers.push("work", job("a", delay=86_400))
    await workers.drain()
    started = workers.record("a").started_at
    assert started is not None
    assert started - 86_400_000 == workers.clock.now() - 86_400_000 == 1_767_614_400_000


async def test_a_gate_that_a_handler_closes_keeps_all_waiting(workers: Workers) -> None:
    async def work(data: Note, _job: JobContext) -> object:
        begun.append((data.text, workers.clock.monotonic()))
        return Deferred(30, "slow down", close_gate=True) if len(begun) == 1 else None

    begun: list[tuple[str, float]] = []
    workers.serve(a_module(work, pool=a_pool(concurrency=1)))
    workers.push("work", job("a", "a"), job("b", "b"))
    await workers.drain()
    assert begun[0] == ("a", 0)
    assert sorted(begun[1:]) == [("a", 30), ("b", 30)]


async def test_follow_ups_go_all_their_way(workers: Workers) -> None:
    async def first(data: Note, _job: JobContext) -> object:
        return Done(None, (FollowUp("then", {"text": data.text}), FollowUp("elsewhere", {})))

    workers.serve(a_module(first))
    workers.serve(a_module(failing(1), pool=a_pool(queue="then")))
    workers.push("work", job("a", "hi"))
    await workers.drain()
    assert workers.record("a.work.then").result == 2
    assert [waiting["data"] for waiting in workers.waiting("elsewhere")] == [{}]


async def test_no_more_jobs_run_at_once_than_there_are_slots(workers: Workers) -> None:
    running, most = 0, 0

    async def work(_data: Note, _job: JobContext) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(1)
        running -= 1

    workers.serve(a_module(work, pool=a_pool(concurrency=3)), runners=2)
    workers.push("work", *(job(f"j{i}") for i in range(30)))
    await workers.drain()
    assert most == 6
    assert workers.clock.monotonic() == 5


async def test_slots_are_read_from_the_environment_of_the_test(workers: Workers) -> None:
    async def work(_data: Note, _job: JobContext) -> None:
        await asyncio.sleep(1)

    workers.serve(a_module(work), env={"WORK_WORKER_CONCURRENCY": "1"})
    workers.push("work", job("a"), job("b"))
    await workers.drain()
    assert workers.clock.monotonic() == 2


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [
        ({"limit": 2, "window": "minute"}, 60),
        ({"limit": 2, "window": "day", "timeZone": "America/Los_Angeles"}, 20 * 3600),
        ({"limit": 1, "window": "day"}, 36 * 3600),
        ({"limit": 1, "window": "minute", "per": "group"}, 60),
    ],
)
async def test_limits_are_kept_to_the_second(workers: Workers, limit: dict[str, Any], seconds: float) -> None:
    pool = a_pool(limits=[{"name": "limit", **limit}], groups={})
    workers.serve(a_module(nothing, pool=pool))
    workers.push("work", job("a", group="x"), job("b", group="x"), job("c", group="y"))
    await workers.drain()
    assert workers.depths("work").totals["ack"] == 3
    assert seconds <= workers.clock.monotonic() < seconds + 1


async def test_a_limit_of_tokens_is_kept(workers: Workers) -> None:
    async def work(_data: Note, _job: JobContext) -> object:
        return Done(tokens=80)

    pool = a_pool(limits=[{"name": "tokens", "counts": "tokens", "limit": 100, "window": "minute"}], concurrency=1)
    module = a_module(work, pool=pool)
    workers.serve(replace(module, handlers=(replace(module.handlers[0], tokens=lambda _data: 50),)))
    workers.push("work", job("a"), job("b"))
    await workers.drain()
    assert workers.record("b").state is State.DONE
    assert 60 <= workers.clock.monotonic() < 61


async def test_a_handler_that_asks_for_a_process_of_its_own_runs_as_a_task(workers: Workers) -> None:
    async def work(_data: Note, _job: JobContext) -> int:
        return os.getpid()

    module = a_module(work, pool=a_pool(job={"isolation": "process"}))
    workers.serve(module)
    workers.push("work", job("a"))
    await workers.drain()
    assert workers.record("a").result == os.getpid()


async def test_jobs_that_are_put_off_for_ever_are_told(workers: Workers) -> None:
    async def work(_data: Note, _job: JobContext) -> object:
        return Deferred(3600, "not yet")

    workers.serve(a_module(work))
    workers.push("work", job("a"))
    with pytest.raises(NotDrainedError, match=r"left after 86400 s .*: work: 0 pending, 0 in flight, 1 delayed"):
        await workers.drain(86_400)
    assert workers.clock.monotonic() == 86_400


@pytest.mark.parametrize("how", [lambda workers: workers.drain(), lambda workers: workers.advance(1)])
async def test_jobs_that_move_in_circles_are_told(workers: Workers, how: Callable[[Workers], Awaitable[None]]) -> None:
    async def work(_data: Note, _job: JobContext) -> object:
        return Deferred(0, "at once")

    workers.serve(a_module(work))
    workers.push("work", job("a"))
    with pytest.raises(NotDrainedError, match="put off"):
        await how(workers)


async def test_jobs_of_a_queue_that_nobody_serves_are_left(workers: Workers) -> None:
    workers.serve(a_module(nothing))
    workers.push("other", b"one", {"text": "two"})
    workers.push("other", b"three", urgent=True)
    await workers.drain()
    assert workers.waiting("other") == [b"three", b"one", {"text": "two"}]


# Stepping in.


async def test_time_may_be_let_pass_step_by_step(workers: Workers) -> None:
    begun: list[float] = []

    async def work(_data: Note, _job: JobContext) -> None:
        begun.append(workers.clock.monotonic())
        await asyncio.sleep(10)

    workers.serve(a_module(work))
    workers.push("work", job("a"))
    await workers.advance(0)
    assert (begun, workers.clock.monotonic()) == ([0], 0)
    await workers.advance(9.999)
    assert workers.record("a").state is State.INFLIGHT
    await workers.advance(0.001)
    assert workers.record("a").state is State.DONE
    assert workers.clock.monotonic() == 10


async def test_a_running_job_is_cancelled(workers: Workers) -> None:
    async def work(_data: Note, _job: JobContext) -> None:
        await asyncio.sleep(30)

    workers.serve(a_module(work))
    workers.push("work", job("a"))
    await workers.advance(1)
    assert workers.cancel("a") == "requested"
    await workers.advance(0)
    assert workers.record("a").state is State.CANCELLED
    assert workers.cancel("a") == "finished"


async def test_a_job_that_was_only_pushed_is_cancelled_by_its_queue(workers: Workers) -> None:
    workers.serve(a_module(nothing))
    workers.push("work", job("a"))
    with pytest.raises(UnknownJobError, match="a job 'a' is in none of: work"):
        workers.cancel("a")
    assert workers.cancel("a", "work") == "requested"
    await workers.drain()
    assert workers.record("a").state is State.CANCELLED


async def test_a_paused_queue_is_left_until_it_is_resumed(workers: Workers) -> None:
    workers.serve(a_module(failing(1)))
    workers.push("work", job("a"))
    await workers.advance(0)
    workers.pause("work")
    await workers.drain()
    assert workers.record("a").state in {State.DELAYED, State.PENDING}
    workers.resume("work")
    await workers.drain()
    assert workers.record("a").result == 2


async def test_the_job_of_a_killed_runner_is_begun_again_when_its_lease_has_run_out(workers: Workers) -> None:
    begun: list[tuple[float, str, int]] = []

    async def work(_data: Note, job: JobContext) -> None:
        begun.append((workers.clock.monotonic(), job.receipt, job.attempt))
        await asyncio.sleep(5)

    workers.serve(a_module(work, pool=a_pool(leaseSeconds=20)))
    workers.push("work", job("a"))
    await workers.advance(1)
    await workers.kill("work")
    assert workers.record("a").state is State.INFLIGHT
    await workers.drain()
    (first, one, _), (again, other, attempt) = begun
    assert (first, attempt) == (0, 1)
    assert 20 <= again <= 21
    assert one != other
    assert workers.record("a").state is State.DONE


async def test_a_job_that_kills_its_runners_is_buried_as_a_poison_pill(workers: Workers) -> None:
    async def work(_data: Note, _job: JobContext) -> None:
        begun.append(workers.clock.monotonic())
        await asyncio.sleep(30)

    begun: list[float] = []
    workers.serve(a_module(work))
    workers.push("work", job("a"))
    for _ in range(3):
        count = len(begun)
        while len(begun) == count:
            await workers.advance(1)
        await workers.kill("work")
    await workers.drain()
    assert len(begun) == 3
    assert [message.partition(":")[0] for message in errors(workers)] == ["poison pill"]


async def test_killed_handlers_settle_nothing(workers: Workers) -> None:
    async def work(_data: Note, _job: JobContext) -> object:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(30)
        return Done("too late")

    workers.serve(a_module(work))
    workers.push("work", job("a"))
    await workers.advance(1)
    await workers.kill("work")
    assert workers.depths("work").totals.get("ack", 0) == 0
    assert workers.depths("work").inflight == 1


async def test_a_runner_that_is_stopped_gives_back_what_takes_too_long(workers: Workers) -> None:
    async def work(data: Note, _job: JobContext) -> None:
        await asyncio.sleep(float(data.text))

    workers.serve(a_module(work))
    workers.push("work", job("short", "20"), job("long", "40"))
    await workers.advance(0)
    await workers.stop()
    assert workers.record("short").state is State.DONE
    assert (workers.record("long").state, workers.depths("work").pending) == (State.PENDING, 1)
    assert workers.clock.monotonic() == pytest.approx(25, abs=0.1)
    await workers.drain()
    assert workers.record("long").attempts == 1


async def test_a_handler_that_ignores_its_cancellation_costs_the_job_its_attempt_and_the_runner_its_life(
    workers: Workers,
) -> None:
    async def work(data: Note, _job: JobContext) -> None:
        while data.text == "stuck" and len(ignored) < 3:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                ignored.append(workers.clock.monotonic())

    ignored: list[float] = []
    workers.serve(a_module(work, pool=a_pool(concurrency=1, job={"maxAttempts": 1})))
    workers.push("work", job("a", "stuck"), job("b"))
    await workers.drain()
    assert errors(workers) == ["not done within 60 s, and the handler ignored its cancellation"]
    assert workers.record("b").state is State.DONE
    assert ignored[0] == pytest.approx(60, abs=0.1)


async def test_a_block_stops_its_runners() -> None:
    opened: list[str] = []
    async with Workers() as workers:
        workers.serve(a_module(nothing, opened=opened))
        workers.push("work", job("a"))
        await workers.advance(0)
        assert opened == ["opened"]
    assert opened == ["opened", "closed"]


def test_runners_that_are_up_end_with_their_loop() -> None:
    opened: list[str] = []
    workers = Workers()
    workers.serve(a_module(nothing, opened=opened))
    for name in ("a", "b"):
        workers.push("work", job(name))
        asyncio.run(workers.advance(0))
        assert workers.record(name).state is State.DONE
    assert opened == ["opened", "closed"] * 2


# What is refused.


def test_a_queue_is_served_once(workers: Workers) -> None:
    workers.serve(a_module(nothing))
    with pytest.raises(ValueError, match="'work' is served already"):
        workers.serve(a_module(nothing))


def test_settings_with_which_no_runner_would_start_are_refused_with_every_fault(workers: Workers) -> None:
    module = a_module(nothing)
    module = replace(module, handlers=(replace(module.handlers[0], faults=lambda _env: ["KEY: is missing"]),))
    with pytest.raises(SettingsError) as caught:
        workers.serve(module, env={"WORK_WORKER_CONCURRENCY": "0"})
    assert [fault.partition(":")[0] for fault in caught.value.faults] == ["KEY", "WORK_WORKER_CONCURRENCY"]


async def test_a_job_of_two_queues_has_to_be_told_apart(workers: Workers) -> None:
    workers.serve(a_module(nothing))
    workers.serve(a_module(failing(1), pool=a_pool(queue="other")))
    workers.push("work", job("a"))
    workers.push("other", job("a"))
    await workers.drain()
    with pytest.raises(UnknownJobError, match="is in work, other: name one of them"):
        workers.record("a")
    assert (workers.record("a", "work").attempts, workers.record("a", "other").attempts) == (1, 2)
    with pytest.raises(UnknownJobError, match="the queue 'work' has no record of a job 'b'"):
        workers.record("b", "work")


def test_only_calls_that_wait_for_nothing_are_answered_at_once() -> None:
    with pytest.raises(RuntimeError, match="waited for something"):
        at_once(asyncio.sleep(0))
