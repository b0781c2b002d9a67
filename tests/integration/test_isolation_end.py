"""A job's own process is ended from outside, with all that it started; its runner and the other jobs go on."""

import signal
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.integration.isolated import ONCE, alive, begun, cancel, fails, family, isolated, warm, zygote_of
from tests.integration.processes import Programs, Queue, eventually

from edworkers.core.lifecycle import State

pytestmark = pytest.mark.timeout(60)


async def test_a_job_out_of_time_is_killed_with_all_that_it_started_before_it_is_settled(
    programs: Programs, queue: Queue
) -> None:
    runner = await isolated(programs)
    await warm(queue)
    await queue.push({"id": "a", "timeoutSeconds": 3, "data": {"do": "family"}})
    pids = await family(queue)
    assert await fails(queue, "a") == ("timeout", "not done within 3 s")
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []
    assert zygote_of(runner).children() == []


async def test_a_handler_that_ignores_every_signal_is_killed_all_the_same(programs: Programs, queue: Queue) -> None:
    runner = await isolated(programs)
    await warm(queue)
    await queue.push({"id": "a", "timeoutSeconds": 2, "data": {"do": "deaf"}})
    pid = await begun(queue)
    assert await queue.told() == [["deaf"]]
    assert (await fails(queue, "a"))[0] == "timeout"
    assert not psutil.pid_exists(pid)
    await queue.push({"id": "b", "data": {}})
    await queue.becomes("b", State.DONE)
    assert not runner.seen("handler.stuck")


async def test_a_handler_that_computes_without_end_holds_up_no_other_job_and_is_killed_in_time(
    programs: Programs, queue: Queue
) -> None:
    runner = await isolated(programs, concurrency=2)
    await warm(queue)
    await queue.push({"id": "busy", "timeoutSeconds": 4, "data": {"do": "block"}})
    pid = await begun(queue)
    await queue.push(*({"id": f"job-{n}", "data": {}} for n in range(5)))
    for number in range(5):
        await queue.becomes(f"job-{number}", State.DONE)
    assert alive([pid]) == [pid]
    assert await fails(queue, "busy") == ("timeout", "not done within 4 s")
    assert not psutil.pid_exists(pid)
    assert not runner.seen("loop.blocked")


async def test_what_a_job_leaves_behind_ends_with_it(programs: Programs, queue: Queue) -> None:
    await isolated(programs)
    await queue.push({"id": "a", "data": {"do": "family", "seconds": 0}})
    pids = await family(queue, ends_at_once=True)
    assert (await queue.becomes("a", State.DONE)).result == "left them"
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []


async def test_a_job_that_is_cancelled_from_elsewhere_is_killed(programs: Programs, queue: Queue) -> None:
    runner = await isolated(programs)
    await queue.push({"id": "a", "data": {"do": "family"}})
    pids = await family(queue)
    await cancel(programs, "a")
    await queue.becomes("a", State.CANCELLED)
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []
    await runner.says("job.cancelled", job="a")


async def test_a_job_in_the_runners_own_process_is_cancelled_from_elsewhere_too(
    programs: Programs, queue: Queue
) -> None:
    runner = await isolated(programs)
    await queue.push({"id": "a", "type": "in-runner", "data": {"do": "sleep"}})
    assert await begun(queue) == runner.pid
    await cancel(programs, "a")
    await queue.becomes("a", State.CANCELLED)


async def test_a_runner_that_is_told_to_stop_lets_its_jobs_finish(programs: Programs, queue: Queue) -> None:
    runner = await isolated(programs)
    await queue.push({"id": "a", "data": {"do": "sleep", "seconds": 2}})
    pid = await begun(queue)
    zygote = zygote_of(runner)
    for process in (runner.pid, zygote.pid):  # as a signal to all of a container's processes, or Ctrl-C
        psutil.Process(process).send_signal(signal.SIGTERM)
    await runner.says("runner.draining", running=1)
    assert alive([pid]) == [pid]
    assert await runner.ended() == 0
    assert (await queue.record("a")).state is State.DONE
    assert alive([pid, zygote.pid]) == []


async def test_a_job_that_isnt_done_when_the_time_to_drain_is_over_is_killed_and_given_back(
    programs: Programs, queue: Queue
) -> None:
    manifest = programs.manifest(handlers="handlers_for_isolation", job=ONCE)
    runner = await programs.runner(manifest, EDWORKERS_DRAIN_SECONDS="1")
    await queue.push({"id": "a", "data": {"do": "family"}})
    pids = await family(queue)
    runner.signal(signal.SIGTERM)
    assert await runner.ended() == 0
    record = await queue.record("a")
    assert (record.state, (await queue.depths()).pending) == (State.PENDING, 1)
    assert alive(pids) == []
    await programs.runner(manifest)
    ((_, job_id, _, attempt, _),) = await queue.told()
    assert (job_id, attempt) == ("a", "1")


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        ({"do": "exit", "code": 3}, "exit", "its process ended with exit code 3 and told no outcome"),
        ({"do": "exit", "code": 0}, "exit", "its process ended with exit code 0 and told no outcome"),
        ({"do": "segfault"}, "killed", "its process was killed by SIGSEGV"),
        ({"do": "crash", "code": signal.SIGABRT}, "killed", "its process was killed by SIGABRT"),
        (
            {"do": "crash", "code": signal.SIGKILL},
            "killed",
            "its process was killed by SIGKILL; perhaps the machine or its container ran out of memory",
        ),
        ({"do": "system_exit"}, "SystemExit", "3"),
        ({"do": "cancel_itself"}, "CancelledError", "CancelledError"),
    ],
)
async def test_a_process_that_dies_costs_its_job_an_attempt_and_no_other_job_anything(
    programs: Programs, queue: Queue, data: dict[str, Any], kind: str, message: str
) -> None:
    runner = await isolated(programs, concurrency=2)
    await queue.push({"id": "other", "data": {"do": "sleep"}})
    other = await begun(queue)
    await queue.push({"id": "bad", "data": data})
    assert await fails(queue, "bad") == (kind, message)
    await queue.push({"id": "good", "data": {}})
    await queue.becomes("good", State.DONE)
    assert alive([other]) == [other]
    assert len(runner.seen("runner.started")) == 1


async def test_a_process_that_doesnt_end_once_its_outcome_is_told_is_killed_and_its_job_is_done(
    programs: Programs, queue: Queue
) -> None:
    await isolated(programs)
    await queue.push({"id": "a", "data": {"do": "close_for_ever"}})
    pid = await begun(queue)
    assert (await queue.becomes("a", State.DONE)).result == "done"
    assert not psutil.pid_exists(pid)


async def test_where_the_zygote_is_killed_its_jobs_end_with_it_and_the_next_ones_get_another(
    programs: Programs, queue: Queue
) -> None:
    runner = await isolated(programs)
    await queue.push({"id": "a", "data": {"do": "family"}})
    leader, child, orphan, _stray = pids = await family(queue)
    zygote = zygote_of(runner)
    zygote.kill()
    kind, message = await fails(queue, "a")
    assert (kind, message) == (
        "isolation",
        "its process ended with the one from which it was forked, which was killed by SIGKILL",
    )
    assert alive([leader, child, orphan]) == []
    await runner.says("zygote.lost", jobs=1)
    await queue.push({"id": "b", "data": {}})
    await queue.becomes("b", State.DONE)
    assert zygote_of(runner).pid != zygote.pid
    for pid in alive(pids):  # what left its group isn't found without the zygote, as the documents say
        psutil.Process(pid).kill()


async def test_a_zygote_that_is_frozen_is_killed_when_it_should_end_a_job(programs: Programs, queue: Queue) -> None:
    runner = await isolated(programs)
    await warm(queue)
    await queue.push({"id": "a", "timeoutSeconds": 2, "data": {"do": "sleep"}})
    pid = await begun(queue)
    zygote_of(runner).suspend()
    assert (await fails(queue, "a"))[0] == "timeout"
    assert alive([pid]) == []
    await runner.says("zygote.killed")
    await queue.push({"id": "b", "data": {}})
    await queue.becomes("b", State.DONE)


async def test_many_jobs_at_once_each_have_a_process_of_their_own(programs: Programs, queue: Queue) -> None:
    runner = await isolated(programs, concurrency=16)
    await queue.push(*({"id": f"job-{n}", "data": {"do": "sleep"}} for n in range(16)))
    pids = [await begun(queue) for _ in range(16)]
    assert len(set(pids)) == 16
    assert {process.pid for process in zygote_of(runner).children()} == set(pids)
    assert all(psutil.Process(pid).ppid() == zygote_of(runner).pid for pid in pids)
    runner.signal(signal.SIGTERM)
    runner.signal(signal.SIGTERM)
    await runner.says("job.released", times=16)
    assert await runner.ended() == 0
    assert alive(pids) == []


async def test_a_job_inherits_no_connection_of_its_runner(programs: Programs, queue: Queue) -> None:
    runner = await isolated(programs)
    await queue.push({"id": "a", "data": {"do": "sockets"}})
    sockets = (await queue.becomes("a", State.DONE)).result
    theirs = _sockets_of(runner.pid)
    assert theirs
    assert sockets
    assert not theirs & set(sockets)


def _sockets_of(pid: int) -> set[str]:
    return {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_socket()}


async def test_modules_to_preload_are_there_before_a_job_begins(programs: Programs, queue: Queue) -> None:
    await isolated(programs)
    await queue.push({"id": "a", "data": {"do": "loaded", "secret": "colorsys"}})
    await queue.push({"id": "b", "data": {"do": "loaded", "secret": "this"}})
    assert (await queue.becomes("a", State.DONE)).result is True
    assert (await queue.becomes("b", State.DONE)).result is False


async def test_a_module_that_starts_threads_is_told_as_what_no_fork_takes_along(
    programs: Programs, queue: Queue
) -> None:
    (programs.folder / "threads_in_zygotes.py").write_text(
        "import threading, time\n"
        "from handlers_for_isolation import MODULE\n"
        "threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
    )
    runner = await programs.runner(
        programs.manifest(handlers="threads_in_zygotes", job=ONCE), PYTHONPATH=f"{programs.env['PYTHONPATH']}:."
    )
    await queue.push({"id": "a", "data": {}})
    await runner.says("isolation.threads", threads=2)
    await queue.becomes("a", State.DONE)


async def test_a_job_of_an_isolated_pool_that_waits_for_its_zygote_can_be_cancelled(
    programs: Programs, queue: Queue
) -> None:
    (programs.folder / "slow_in_zygotes.py").write_text(
        "import sys, time\n"
        "from handlers_for_isolation import MODULE\n"
        "if 'typer' not in sys.modules:  # as in the runner\n"
        "    time.sleep(1000)\n"
    )
    runner = await programs.runner(
        programs.manifest(handlers="slow_in_zygotes", job=ONCE), PYTHONPATH=f"{programs.env['PYTHONPATH']}:."
    )
    await queue.push({"id": "a", "data": {}})

    async def is_starting() -> bool:
        return bool(psutil.Process(runner.pid).children())

    await eventually(is_starting)
    zygote = zygote_of(runner)
    await cancel(programs, "a")
    await queue.becomes("a", State.CANCELLED)
    runner.signal(signal.SIGTERM)
    assert await runner.ended() == 0
    assert alive([zygote.pid]) == []
