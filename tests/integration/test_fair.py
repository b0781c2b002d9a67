"""Groups that share a queue, with runners as processes."""

import asyncio
import signal
import time
from typing import Any

from tests.contract.world import on_redis
from tests.integration.processes import Programs, Queue, eventually

from edworkers.core.lifecycle import State
from edworkers.core.settings import Groups


def job(job_id: str, group: str, **data: Any) -> dict[str, Any]:
    return {"id": job_id, "group": group, "data": data}


async def test_ten_thousand_jobs_of_one_student_delay_another_by_a_handful(programs: Programs, queue: Queue) -> None:
    await queue.push(*(job(f"a{number}", "a", quiet=True) for number in range(10_000)))
    await queue.push(job("b0", "b"))
    await programs.runner(programs.manifest(concurrency=4, groups={}))
    record = await queue.becomes("b0", State.DONE)
    before = 0
    for number in range(40):
        other = await queue.control.find(f"a{number}")
        before += other is not None and (other.started_at or 0) < (record.started_at or 0)
    assert before < 40
    await eventually(queue.is_empty)
    assert (await queue.depths()).totals["ack"] == 10_001


async def test_large_jobs_are_sorted_a_few_at_a_time(programs: Programs, queue: Queue, redis_url: str) -> None:
    large = [job(f"a{number}", "a", quiet=True, pad="x" * 900_000) for number in range(40)]
    for one in large:
        await queue.push(one)
    async with on_redis(redis_url) as world:
        assert await world.queue(groups=Groups()).sort(500) == 2
    await programs.runner(programs.manifest(concurrency=4, groups={}))
    await queue.push(job("b0", "b", quiet=True))
    await queue.becomes("b0", State.DONE)
    await eventually(queue.is_empty)
    assert (await queue.depths()).totals["ack"] == 41


async def test_a_group_may_have_only_so_many_jobs_at_once_in_all_runners(programs: Programs, queue: Queue) -> None:
    manifest = programs.manifest(concurrency=4, groups={"maxInflight": 2}, leaseSeconds=2)
    await asyncio.gather(*(programs.runner(manifest) for _ in range(2)))
    await queue.push(*(job(f"a{number}", "a", do="sleep", seconds=0.05) for number in range(30)))
    await queue.push(*(job(f"b{number}", "b", do="sleep", seconds=0.05) for number in range(30)))
    running: dict[str, int] = {"a": 0, "b": 0}
    for _ in range(120):
        ((what, job_id, *_),) = await queue.told()
        running[job_id[0]] += 1 if what == "begin" else -1
        assert running[job_id[0]] <= 2
    assert running == {"a": 0, "b": 0}


async def test_jobs_in_lines_outlive_the_runner_that_sorted_them(programs: Programs, queue: Queue) -> None:
    manifest = programs.manifest(concurrency=1, groups={"maxInflight": 1}, leaseSeconds=1)
    first = await programs.runner(manifest)
    await queue.push(*(job(f"a{number}", "a", do="sleep", seconds=600 * (number == 0)) for number in range(5)))
    assert (await queue.began())[0] == "a0"
    second = await programs.runner(manifest)
    assert await queue.all_told() == []
    first.signal(signal.SIGKILL)
    # It is the next of its group, and the only one that may run.
    assert (await queue.began())[0] == "a0"
    await queue.control.cancel("a0")
    for number in range(1, 5):
        await queue.becomes(f"a{number}", State.DONE)
    assert second.seen("lease.lost") == []


async def test_no_more_jobs_of_a_queue_run_at_once_than_it_allows(programs: Programs, queue: Queue) -> None:
    manifest = programs.manifest(concurrency=4, maxInflight=3)
    await asyncio.gather(*(programs.runner(manifest) for _ in range(2)))
    await queue.push(*(job(f"a{number}", "a", do="sleep", seconds=0.02) for number in range(60)))
    running = 0
    for _ in range(120):
        ((what, *_),) = await queue.told()
        running += 1 if what == "begin" else -1
        assert running <= 3
    assert running == 0


async def test_an_idle_runner_of_a_full_queue_asks_about_once_a_second(programs: Programs, queue: Queue) -> None:
    manifest = programs.manifest(concurrency=1, maxInflight=1)
    busy = await programs.runner(manifest)
    await queue.push(job("a0", "a", do="sleep", seconds=600), *(job(f"a{number}", "a") for number in range(1, 4)))
    await queue.began()
    idle = await programs.runner(manifest)
    first, began = await _calls(idle), time.monotonic()
    later = first

    async def has_asked_three_times() -> bool:
        nonlocal later
        later = await _calls(idle)
        return later >= first + 3

    await eventually(has_asked_three_times)
    assert (later - first) / (time.monotonic() - began) < 2
    await queue.control.cancel("a0")
    for number in range(1, 4):
        await queue.becomes(f"a{number}", State.DONE)
    assert busy.seen("lease.lost") == []


async def _calls(program: Any) -> float:
    status, text = await program.get("/metrics")
    assert status == 200
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith("edworkers_queue_calls_total")))
