"""A job's own process never outlives the job's lease: be the lease lost, or its runner frozen, killed or cut off."""

import signal

import psutil
import pytest
from tests.integration.isolated import ONCE, alive, begun, end, family, isolated, warm, zygote_of
from tests.integration.processes import Programs, Queue, eventually

from edworkers.core.lifecycle import State
from edworkers.standins.redis import RedisServer

pytestmark = pytest.mark.timeout(60)

ISOLATED = {"handlers": "handlers_for_isolation", "job": ONCE}


async def test_a_job_whose_lease_is_lost_is_killed_and_what_it_comes_to_is_refused(
    programs: Programs, queue: Queue
) -> None:
    runner = await isolated(programs, leaseSeconds=1.5)
    await queue.push({"id": "a", "data": {"do": "family"}})
    first = await family(queue)
    await queue.client.zrem(queue.key("lease"), *await queue.client.zrange(queue.key("lease"), 0, -1))
    await runner.says("lease.lost", job="a")
    await end(first)
    assert (await queue.depths()).totals.get("release", 0) == 0


async def test_the_job_of_a_frozen_runner_is_killed_before_another_runner_begins_it(
    programs: Programs, queue: Queue
) -> None:
    manifest = programs.manifest(leaseSeconds=5, **ISOLATED)
    frozen = await programs.runner(manifest)
    await queue.push({"id": "a", "data": {"do": "family"}})
    first = await family(queue)
    zygote = zygote_of(frozen)
    other = await programs.runner(manifest)
    frozen.signal(signal.SIGSTOP)
    second = await begun(queue)
    # By the time at which it begins anew, nothing is left of it here, although its runner could do nothing about it.
    assert alive(first) == []
    assert psutil.Process(frozen.pid).status() == psutil.STATUS_STOPPED
    assert zygote.is_running()
    assert (await queue.told())[0][0] == "family"

    frozen.signal(signal.SIGCONT)
    await frozen.says("lease.lost", job="a")
    assert alive([second]) == [second]
    other.signal(signal.SIGTERM)  # the thawed one goes on
    other.signal(signal.SIGTERM)
    third = await begun(queue)
    assert psutil.Process(third).ppid() == zygote.pid


async def test_jobs_that_run_longer_than_a_lease_are_left_alone_as_long_as_it_is_renewed(
    programs: Programs, queue: Queue
) -> None:
    runner = await isolated(programs, leaseSeconds=0.6)
    await queue.push({"id": "a", "data": {"do": "sleep", "seconds": 3}})
    await queue.becomes("a", State.DONE)
    assert not runner.seen("lease.lost")
    assert not runner.seen("job.released")


async def test_a_runner_whose_event_loop_is_blocked_keeps_the_leases_of_its_isolated_jobs(
    programs: Programs, queue: Queue
) -> None:
    runner = await isolated(programs, concurrency=2, leaseSeconds=0.8)
    await queue.push({"id": "a", "data": {"do": "sleep"}})
    pid = await begun(queue)
    await queue.push({"id": "b", "type": "in-runner", "data": {"do": "block", "seconds": 3}})
    assert await begun(queue) == runner.pid
    await queue.becomes("b", State.DONE)
    assert alive([pid]) == [pid]
    assert not runner.seen("lease.lost")


async def test_a_job_out_of_time_is_killed_even_while_another_blocks_its_runner(
    programs: Programs, queue: Queue
) -> None:
    runner = await isolated(programs, concurrency=2)
    await warm(queue)
    await queue.push({"id": "a", "timeoutSeconds": 3, "data": {"do": "sleep"}})
    pid = await begun(queue)
    await queue.push({"id": "b", "type": "in-runner", "data": {"do": "block", "seconds": 10}})
    assert await begun(queue) == runner.pid
    await end([pid])
    assert (await queue.record("b")).state is State.INFLIGHT  # it blocked all the while
    await queue.becomes("a", State.DEAD)
    assert ((await queue.record("a")).error or {})["kind"] == "timeout"


async def test_with_a_killed_runner_everything_of_its_jobs_ends_and_another_does_them(
    programs: Programs, queue: Queue
) -> None:
    manifest = programs.manifest(leaseSeconds=2, concurrency=2, **ISOLATED)
    killed = await programs.runner(manifest)
    await queue.push({"id": "a", "data": {"do": "family"}})
    pids = await family(queue)
    await queue.push({"id": "b", "data": {"do": "deaf"}})
    pids.append(await begun(queue))
    assert await queue.told() == [["deaf"]]
    zygote = zygote_of(killed)
    killed.signal(signal.SIGKILL)
    await killed.ended()
    await end([*pids, zygote.pid])
    assert {(await queue.record(job_id)).state for job_id in "ab"} == {State.INFLIGHT}  # long before it is reaped

    await programs.runner(manifest)
    began = {line[1] for line in await queue.told(4) if line[0] == "begin"}
    assert began == {"a", "b"}


async def test_a_runner_that_is_cut_off_from_redis_ends_its_jobs_before_their_leases_end(
    programs: Programs, redis_url: str, redis_server: RedisServer
) -> None:
    programs.env["REDIS_URL"] = redis_server.url
    queue = Queue(redis_server.url, redis_url)
    runner = await isolated(programs, leaseSeconds=2)
    await queue.push({"id": "a", "data": {"do": "family"}})
    pids = await family(queue)
    await redis_server.stop(signal.SIGKILL)
    await end(pids)
    await redis_server.start()
    await runner.says("job.released" if runner.seen("job.released") else "lease.lost")
    other = await begun(queue)
    assert alive([other]) == [other]
    await queue.close()


async def test_a_job_that_loses_its_third_runner_is_buried_as_a_poison_pill(programs: Programs, queue: Queue) -> None:
    manifest = programs.manifest(leaseSeconds=0.6, **ISOLATED)
    await queue.push({"id": "pill", "type": "in-runner", "data": {"do": "kill_runner"}})
    for losses in range(3):
        runner = await programs.runner(manifest)
        if losses == 2:
            await _dont_wait(queue)
        assert await begun(queue) == runner.pid
        assert await runner.ended() == -signal.SIGKILL
    last = await programs.runner(manifest)
    await _dont_wait(queue)
    await last.says("job.buried", job="pill", kind="poison")
    error = (await queue.becomes("pill", State.DEAD)).error or {}
    assert error["message"].startswith("poison pill: 3 runners were lost while they worked on this job")
    assert await queue.all_told() == []
    assert await queue.is_empty()


async def _dont_wait(queue: Queue) -> None:
    """Once the job waits longer for its next runner, as it may be what kills them, let it wait no more."""

    async def waits() -> bool:
        return bool(await queue.client.zcard(queue.key("delayed")))

    await eventually(waits)
    (job,) = await queue.client.zrange(queue.key("delayed"), 0, -1)
    await queue.client.zadd(queue.key("delayed"), {job: 1}, xx=True)
