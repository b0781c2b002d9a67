"""Waiting: one job wakes one runner, idle runners ask for little, and a runner takes two connections."""

import asyncio
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.integration.processes import Program, Programs, Queue, eventually

from edworkers.core.lifecycle import State

pytestmark = pytest.mark.timeout(60)

PUSHES = 10


async def _calls(runner: Program) -> float:
    families = text_string_to_metric_families((await runner.get("/metrics"))[1])
    return next(f.samples[0].value for f in families if f.name == "edworkers_queue_calls")


async def _all_wait(queue: Queue, runners: int) -> None:
    """Wait until so many runners wait for a job, blocked in BLMOVE."""

    async def blocked() -> bool:
        return int((await queue.client.info("clients"))["blocked_clients"]) == runners

    await eventually(blocked)


async def test_one_job_wakes_one_runner(programs: Programs, queue: Queue) -> None:
    runners = [await programs.runner(programs.manifest()) for _ in range(3)]
    await _all_wait(queue, 3)
    before = [await _calls(runner) for runner in runners]
    for number in range(PUSHES):
        await queue.push({"id": f"job-{number}", "data": {"quiet": True}})
        await queue.becomes(f"job-{number}", State.DONE)
        await _all_wait(queue, 3)
    grown = [await _calls(runner) - count for runner, count in zip(runners, before, strict=True)]
    done = [len(runner.seen("job.done")) for runner in runners]

    assert sum(done) == PUSHES
    # A job takes its runner at most a call to claim, one to start, one to settle and one that finds no more.
    for calls, jobs in zip(grown, done, strict=True):
        assert calls <= 4 * jobs
    assert min(done) > 0  # Redis wakes those that wait in turn


async def test_idle_runners_ask_only_what_keeping_needs(programs: Programs, queue: Queue) -> None:
    await asyncio.gather(*(programs.runner(programs.manifest()) for _ in range(2)))
    await _all_wait(queue, 2)
    await queue.client.config_resetstat()
    trims = 6

    async def rounds() -> dict[str, Any]:
        found: dict[str, Any] = await queue.client.info("commandstats")
        return found

    async def enough() -> bool:
        return int((await rounds()).get("cmdstat_lrange", {}).get("calls", 0)) >= trims  # one a round of keeping

    await eventually(enough)
    stats = {name.removeprefix("cmdstat_"): int(stat["calls"]) for name, stat in (await rounds()).items()}
    # Each round: promote, reap, forward (the LRANGE) and trim. Besides, each runner renews and waits, now and then.
    assert stats.get("evalsha", 0) <= 3 * (trims + 1) + 4
    assert stats.get("blmove", 0) <= 4
    assert "lpop" not in stats
    assert "rpop" not in stats


async def test_a_runner_takes_two_connections(programs: Programs, queue: Queue) -> None:
    await programs.runner(programs.manifest(concurrency=4))
    await queue.push(*({"id": f"job-{number}", "data": {"quiet": True, "do": "progress"}} for number in range(50)))
    await eventually(queue.is_empty)
    clients = await queue.client.client_list()
    ours = [client for client in clients if client["cmd"] != "client|list" and client["name"] != "side-effects"]
    assert 1 <= len([client for client in ours if int(client["sub"]) == 0]) <= 1
    assert len([client for client in ours if int(client["sub"]) == 1]) == 1


async def test_a_job_pushed_while_all_slots_are_taken_starts_when_one_is_free(programs: Programs, queue: Queue) -> None:
    await programs.runner(programs.manifest(concurrency=1))
    await queue.push({"id": "first", "data": {"do": "sleep", "seconds": 0.5}})
    await queue.began()
    await queue.push({"id": "second", "data": {}})
    assert [words[:2] for words in await queue.told(2)] == [["end", "first"], ["begin", "second"]]


async def test_urgent_jobs_go_first(programs: Programs, queue: Queue) -> None:
    await programs.runner(programs.manifest(concurrency=1))
    await queue.push({"id": "first", "data": {"do": "sleep", "seconds": 0.3}})
    await queue.began()
    await queue.push({"id": "usual", "data": {}})
    await queue.client.rpush(queue.key("pending"), b'{"id":"urgent","data":{}}')
    begun = [words[1] for words in await queue.told(4) if words[0] == "begin"]
    assert begun == ["urgent", "usual"]
