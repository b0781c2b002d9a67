"""A job that takes more memory than it may fails with that reason; its runner and the other jobs don't notice."""

import pytest
from tests.integration.isolated import ONCE, alive, begun, fails, family, isolated
from tests.integration.processes import Programs, Queue

from edworkers.core.lifecycle import State

pytestmark = pytest.mark.timeout(60)

LIMITED = {**ONCE, "isolation": "process", "memory": "200Mi"}


async def limited(programs: Programs, **spec: object) -> None:
    await isolated(programs, handlers="handlers_for_isolation_only", job=LIMITED, **spec)


async def test_what_fits_is_not_held_up(programs: Programs, queue: Queue) -> None:
    await limited(programs)
    await queue.push({"id": "a", "data": {"do": "hog", "megabytes": 80, "seconds": 1}})
    assert (await queue.becomes("a", State.DONE)).result == 80 * 1024**2


async def test_a_handler_that_asks_for_more_memory_than_it_may_have_is_refused_it(
    programs: Programs, queue: Queue
) -> None:
    await limited(programs, concurrency=2)
    await queue.push({"id": "other", "data": {"do": "sleep"}})
    other = await begun(queue)
    await queue.push({"id": "a", "data": {"do": "hog", "megabytes": 300}})
    assert await fails(queue, "a") == ("memory", "MemoryError: it needed more, and 200 MiB are allowed (job.memory)")
    assert "bytearray(work.megabytes" in ((await queue.record("a")).error or {})["traceback"]
    assert ["hogged"] not in await queue.all_told()
    assert alive([other]) == [other]


async def test_what_a_job_starts_counts_with_it_and_all_of_it_is_killed(programs: Programs, queue: Queue) -> None:
    await limited(programs)
    await queue.push({"id": "a", "data": {"do": "hog_in_child"}})
    pids = await family(queue, ends_at_once=True)
    kind, message = await fails(queue, "a")
    assert kind == "memory"
    used, allowed = (int(word) for word in message.split() if word.isdigit())
    assert message == f"its processes used {used} MiB, and 200 MiB are allowed (job.memory)"
    assert used > allowed == 200
    assert alive(pids) == []


async def test_memory_that_forked_processes_share_counts_once(programs: Programs, queue: Queue) -> None:
    await limited(programs)
    await queue.push({"id": "a", "data": {"do": "share", "megabytes": 80, "seconds": 2}})
    assert (await queue.becomes("a", State.DONE)).result == "shared"


async def test_without_a_limit_a_job_may_take_what_there_is(programs: Programs, queue: Queue) -> None:
    await isolated(programs)
    await queue.push({"id": "a", "data": {"do": "hog", "megabytes": 300, "seconds": 0}})
    assert (await queue.becomes("a", State.DONE)).result == 300 * 1024**2


async def test_a_limit_for_jobs_without_a_process_of_their_own_is_refused_at_the_start(programs: Programs) -> None:
    manifest = programs.manifest(handlers="handlers_for_isolation", job={"memory": "200Mi"})
    program = await programs.start("run", "work", "--pool", str(manifest))
    assert await program.ended() == 2
    assert (
        "job.memory: the handler of 'in-runner' runs in the runner's own process, where it can't be limited: "
        "set job.isolation to process"
    ) in " ".join(program.text.split())


async def test_the_kernel_would_kill_a_job_before_its_runner(programs: Programs, queue: Queue) -> None:
    await isolated(programs)
    await queue.push({"id": "a", "data": {"do": "oom_score"}})
    assert (await queue.becomes("a", State.DONE)).result == "1000"
