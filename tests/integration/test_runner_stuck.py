"""Handlers that block the event loop, ignore their cancellation or misbehave in other ways: one job's failure only."""

import signal

import pytest
from tests.integration.processes import Program, Programs, Queue, eventually

from edworkers.core.lifecycle import State

pytestmark = pytest.mark.timeout(60)

QUICK = {"EDWORKERS_GRACE_SECONDS": "1"}
ONCE = {"timeoutSeconds": 1, "maxAttempts": 1}


async def test_a_handler_that_blocks_the_loop_keeps_its_lease_and_is_told_where(
    programs: Programs, queue: Queue
) -> None:
    manifest = programs.manifest(leaseSeconds=0.6)
    blocked = await programs.runner(manifest)
    await queue.push({"id": "a", "data": {"do": "block", "seconds": 3}})
    await queue.began()
    other = await programs.runner(manifest)
    (line,) = await blocked.says("loop.blocked", job="a")
    assert "time.sleep(work.seconds)" in line["where"]
    await blocked.says("job.done", job="a")
    assert not other.seen("lease.reaped")
    assert [words[0] for words in await queue.all_told()] == ["end"]
    assert not blocked.seen("lease.lost")
    assert (await queue.becomes("a", State.DONE)).attempts == 1


async def test_a_blocked_loop_doesnt_stop_the_endpoints_from_answering(programs: Programs, queue: Queue) -> None:
    blocked = await programs.runner(programs.manifest())
    await queue.push({"id": "a", "data": {"do": "block", "seconds": 3}})
    await queue.began()
    await blocked.says("loop.blocked")
    assert (await blocked.get("/livez"))[0] == 200
    assert 'edworkers_jobs_running{queue="work"} 1.0' in (await blocked.get("/metrics"))[1]
    assert not await queue.all_told()  # it was blocked all the while


async def _others_go_on(program: Program, queue: Queue, culprit: str) -> None:
    assert await program.ended() == 70
    record = await queue.record(culprit)
    assert record.state is State.DEAD
    assert record.error is not None
    assert record.error["kind"] == "timeout"


async def test_a_handler_that_blocks_past_its_time_is_ended_with_the_process_and_the_others_given_back(
    programs: Programs, queue: Queue
) -> None:
    manifest = programs.manifest(concurrency=2, job={"timeoutSeconds": 600, "maxAttempts": 1})
    runner = await programs.runner(manifest, **QUICK)
    await queue.push({"id": "other", "data": {"do": "sleep", "seconds": 600}})
    await queue.began()
    await queue.push({"id": "culprit", "timeoutSeconds": 1, "data": {"do": "block", "seconds": 600}})
    await queue.began()
    await _others_go_on(runner, queue, "culprit")
    await runner.says("handler.stuck", job="culprit")
    assert "blocked the event loop" in ((await queue.record("culprit")).error or {})["message"]

    assert (await queue.record("other")).state is State.PENDING
    await programs.runner(manifest)
    ((_, job_id, _, attempt, _),) = await queue.told()
    assert (job_id, attempt) == ("other", "1")


async def test_a_handler_that_blocks_from_a_task_of_its_own_is_ended_too(programs: Programs, queue: Queue) -> None:
    runner = await programs.runner(programs.manifest(job=ONCE), **QUICK)
    await queue.push({"id": "culprit", "data": {"do": "block_in_child", "seconds": 600}})
    await _others_go_on(runner, queue, "culprit")


async def test_a_handler_that_ignores_its_cancellation_is_settled_and_the_process_ends_when_the_others_are_done(
    programs: Programs, queue: Queue
) -> None:
    manifest = programs.manifest(concurrency=2, job={"timeoutSeconds": 600, "maxAttempts": 1})
    runner = await programs.runner(manifest, **QUICK)
    await queue.push({"id": "culprit", "timeoutSeconds": 0.5, "data": {"do": "ignore", "seconds": 600}})
    await queue.push({"id": "other", "data": {"do": "sleep", "seconds": 3}})
    await queue.push({"id": "late", "data": {}})
    await _others_go_on(runner, queue, "culprit")
    await runner.says("handler.stuck", job="culprit")
    assert "ignored its cancellation" in ((await queue.record("culprit")).error or {})["message"]
    assert (await queue.record("other")).state is State.DONE


async def test_the_supervisor_starts_a_new_process_for_one_that_was_stuck(programs: Programs, queue: Queue) -> None:
    manifest = programs.manifest(job=ONCE)
    parent = await programs.start("run", "work", "--pool", str(manifest), "--processes", "2", **QUICK)
    await parent.says("runner.started", times=2)
    await queue.push({"id": "culprit", "data": {"do": "block", "seconds": 600}})
    await parent.says("process.ended", code=70)
    await parent.says("runner.started", times=3)
    assert (await queue.record("culprit")).state is State.DEAD
    parent.signal(signal.SIGTERM)
    assert await parent.ended() == 0


@pytest.mark.parametrize(
    ("do", "kind"),
    [
        ("cancel_itself", "CancelledError"),
        ("exit", "SystemExit"),
        ("unprintable", "_UnprintableError"),
        ("wrong_outcome", "outcome"),
        ("surrogate", "ValueError"),
    ],
)
async def test_whatever_a_handler_raises_is_that_jobs_failure(
    programs: Programs, queue: Queue, do: str, kind: str
) -> None:
    runner = await programs.runner(programs.manifest(job={"maxAttempts": 1}))
    await queue.push({"id": "bad", "data": {"do": do}}, {"id": "good", "data": {}})
    await queue.becomes("good", State.DONE)
    record = await queue.becomes("bad", State.DEAD)
    assert (record.error or {})["kind"] == kind
    runner.signal(signal.SIGTERM)
    assert await runner.ended() == 0


async def test_a_jobs_own_time_lowers_the_pools_and_never_raises_it(programs: Programs, queue: Queue) -> None:
    runner = await programs.runner(programs.manifest(concurrency=2, job={"timeoutSeconds": 2, "maxAttempts": 1}))
    await queue.push({"id": "less", "timeoutSeconds": 0.5, "data": {"do": "sleep", "seconds": 600}})
    await queue.push({"id": "more", "timeoutSeconds": 500, "data": {"do": "sleep", "seconds": 600}})
    await runner.says("job.buried", times=2, kind="timeout")
    less, more = await queue.becomes("less", State.DEAD), await queue.becomes("more", State.DEAD)
    assert ((less.error or {})["message"], (more.error or {})["message"]) == (
        "not done within 0.5 s",
        "not done within 2 s",
    )
    assert (less.seconds or 0) < 2 <= (more.seconds or 0)


async def test_a_job_that_is_timed_out_while_it_tells_its_progress_disturbs_no_other(
    programs: Programs, queue: Queue
) -> None:
    runner = await programs.runner(programs.manifest(concurrency=4, job={"timeoutSeconds": 0.3, "maxAttempts": 1}))
    await queue.push(*({"id": f"job-{number}", "data": {"do": "endless_progress"}} for number in range(8)))
    await runner.says("job.buried", times=8, kind="timeout")

    async def settled() -> bool:
        return (await queue.depths()).dead == 8

    await eventually(settled)
    assert not runner.seen("redis.away")
    assert ((await queue.record("job-0")).progress or {})["note"] == "still"
