"""Runners that are killed or stand still: their jobs run again, and what they say too late is refused."""

import signal
from collections import Counter

import pytest
from tests.integration.processes import Programs, Queue, eventually

from edworkers.core.lifecycle import State

pytestmark = pytest.mark.timeout(60)

SHORT = {"leaseSeconds": 0.6}
LONG = {"leaseSeconds": 15}
"""Longer than a machine stands still: such a lease ends when the test says so."""


async def _end_leases(queue: Queue) -> None:
    """Have all leases run out, as if their runners had said nothing for long."""
    for receipt in await queue.client.zrange(queue.key("lease"), 0, -1):
        await queue.client.zadd(queue.key("lease"), {receipt: 1}, xx=True)


async def test_the_job_of_a_killed_runner_is_run_again_by_another(programs: Programs, queue: Queue) -> None:
    manifest = programs.manifest(**LONG)
    killed = await programs.runner(manifest)
    await queue.push({"id": "a", "data": {"do": "sleep", "seconds": 0.2}}, {"id": "b", "data": {}})
    await queue.push({"id": "long", "data": {"do": "sleep", "seconds": 600}})
    job_ids = [(await queue.began())[0]]
    while job_ids[-1] != "long":
        job_ids += [words[1] for words in await queue.told() if words[0] == "begin"]
    await killed.kill()
    await _end_leases(queue)

    other = await programs.runner(manifest)
    job_id, receipt = await queue.began()
    record = await queue.record("long")
    assert job_id == "long"
    assert (record.state, record.attempts) == (State.INFLIGHT, 1)
    assert await queue.client.hget(queue.key("job:long"), "receipt") == receipt.encode()
    assert [line["jobs"] for line in await other.says("lease.reaped")] == [1]


async def test_with_no_runner_up_the_keeper_takes_a_killed_runners_job_back(programs: Programs, queue: Queue) -> None:
    manifest = programs.manifest(**LONG)
    killed = await programs.runner(manifest)
    await queue.push({"id": "a", "data": {"do": "sleep", "seconds": 600}})
    await queue.began()
    await killed.kill()
    await _end_leases(queue)

    keeper = await programs.start("keeper", "work", "--pool", str(manifest))
    await keeper.says("lease.reaped", jobs=1, queue="work")
    assert (await queue.record("a")).state is State.PENDING
    assert (await queue.depths()).pending == 1

    await programs.runner(manifest)
    assert (await queue.began())[0] == "a"


async def test_nothing_is_lost_when_runners_are_killed_again_and_again(programs: Programs, queue: Queue) -> None:
    manifest = programs.manifest(concurrency=4, job={"maxDeliveries": 100}, **SHORT)
    ids = [f"job-{number}" for number in range(300)]
    await queue.push(*({"id": job_id, "data": {"do": "sleep", "seconds": 0.02}} for job_id in ids))
    runners = [await programs.runner(manifest) for _ in range(2)]
    for victim in range(6):
        await queue.told(60)
        await runners[victim % 2].kill()
        runners[victim % 2] = await programs.runner(manifest)
    await eventually(queue.is_empty)

    records = [await queue.record(job_id) for job_id in ids]
    assert {record.state for record in records} == {State.DONE}
    assert {record.attempts for record in records} == {1}
    depths = await queue.depths()
    assert depths.totals["ack"] == 300
    assert depths.dead == 0


async def test_a_job_that_kills_its_runners_is_buried_as_a_poison_pill(programs: Programs, queue: Queue) -> None:
    manifest = programs.manifest(job={"maxDeliveries": 1}, **LONG)
    killed = await programs.runner(manifest)
    await queue.push({"id": "pill", "data": {"do": "sleep", "seconds": 600}})
    await queue.began()
    await killed.kill()
    await _end_leases(queue)

    other = await programs.runner(manifest)
    await other.says("job.buried", job="pill", kind="poison")
    record = await queue.becomes("pill", State.DEAD)
    assert record.error is not None
    assert "1 runners were lost" in record.error["message"]


async def test_what_a_runner_says_after_its_lease_is_refused_and_counted(programs: Programs, queue: Queue) -> None:
    manifest = programs.manifest(**LONG)
    frozen = await programs.runner(manifest)
    await queue.push({"id": "a", "data": {"do": "sleep", "seconds": 2}})
    _, late_receipt = await queue.began()
    frozen.signal(signal.SIGSTOP)
    await _end_leases(queue)

    other = await programs.runner(manifest)
    await other.says("job.done", job="a")
    done = await queue.becomes("a", State.DONE)
    frozen.signal(signal.SIGCONT)
    lost = await frozen.says("lease.lost", job="a")

    assert [line["receipt"] for line in lost] == [late_receipt]
    assert await queue.record("a") == done
    assert (await queue.depths()).totals["ack"] == 1
    assert 'edworkers_lease_losses_total{queue="work"} 1.0' in (await frozen.get("/metrics"))[1]

    await queue.push({"id": "b", "data": {}})  # whoever takes it: both go on
    await queue.becomes("b", State.DONE)
    assert Counter(words[0] for words in await queue.all_told())["end"] >= 2


async def test_a_frozen_runners_work_is_ended_when_it_learns_that_it_lost_it(programs: Programs, queue: Queue) -> None:
    manifest = programs.manifest(**LONG)
    frozen = await programs.runner(manifest)
    await queue.push({"id": "a", "data": {"do": "sleep", "seconds": 600}})
    _, lost_receipt = await queue.began()
    frozen.signal(signal.SIGSTOP)
    await _end_leases(queue)
    await programs.runner(manifest)
    _, new_receipt = await queue.began()
    frozen.signal(signal.SIGCONT)

    # At its next renewal, which a third of a lease parts from the last.
    assert await queue.told() == [["cancelled", "a", lost_receipt]]
    assert await queue.client.zscore(queue.key("lease"), new_receipt) is not None
    await frozen.says("lease.lost", receipt=lost_receipt)
