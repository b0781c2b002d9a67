"""Several processes on one machine: each is kept running, and all end together."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from tests.integration.processes import Program, Programs, Queue, eventually, fetch

from edworkers.cli.local import is_free
from edworkers.core.lifecycle import State
from edworkers.standins.free_port import free_port

pytestmark = pytest.mark.timeout(60)


async def _two(programs: Programs, *words: str, **env: str) -> Program:
    parent = await programs.start("run", "work", "--pool", str(programs.manifest()), *words, **env)
    await parent.says("runner.started", times=2)
    return parent


@pytest.fixture
def free_ports() -> int:
    """Find a port that is free, and the next to it too."""
    while not (is_free(port := free_port()) and is_free(port + 1)):
        pass
    return port


def _children(parent: Program) -> list[psutil.Process]:
    return psutil.Process(parent.pid).children()


async def _all_end(processes: list[psutil.Process]) -> None:
    async def ended() -> bool:
        return not any(process.is_running() for process in processes)

    await eventually(ended)


async def test_a_process_that_is_killed_is_started_anew(programs: Programs, queue: Queue) -> None:
    parent = await _two(programs, "--processes", "2")
    first, second = _children(parent)
    first.kill()
    (line,) = await parent.says("process.ended", code=-9)
    assert line["program"].startswith("work-")
    await parent.says("runner.started", times=3)
    assert second in _children(parent)
    assert len(_children(parent)) == 2
    await queue.push({"id": "a", "data": {}})
    await queue.becomes("a", State.DONE)


async def test_each_process_has_endpoints_of_its_own(programs: Programs, free_ports: int) -> None:
    parent = await _two(programs, "--processes", "2", EDWORKERS_HEALTH_PORT=str(free_ports))
    where = {line["health"] for line in parent.seen("runner.started")}
    assert where == {f"127.0.0.1:{free_ports}", f"127.0.0.1:{free_ports + 1}"}
    for address in where:
        assert (await fetch(address, "/livez"))[0] == 200


async def test_sigterm_to_the_parent_drains_and_ends_all(programs: Programs, queue: Queue) -> None:
    parent = await _two(programs, PM2_INSTANCES="2")
    children = _children(parent)
    await queue.push(*({"id": f"job-{number}", "data": {"do": "sleep", "seconds": 1}} for number in range(2)))
    await queue.told(2)
    parent.signal(signal.SIGTERM)
    assert await parent.ended() == 0
    await _all_end(children)
    assert [(await queue.record(f"job-{number}")).state for number in range(2)] == [State.DONE] * 2
    assert len(parent.seen("runner.ended")) == 2


async def test_a_second_sigterm_to_the_parent_has_all_jobs_given_back_at_once(programs: Programs, queue: Queue) -> None:
    parent = await _two(programs, "--processes", "2", EDWORKERS_DRAIN_SECONDS="600")
    await queue.push(*({"id": f"job-{number}", "data": {"do": "sleep", "seconds": 600}} for number in range(2)))
    await queue.told(2)
    parent.signal(signal.SIGTERM)
    await parent.says("runner.draining", times=2)
    parent.signal(signal.SIGTERM)
    assert await parent.ended() == 0
    assert (await queue.depths()).pending == 2


async def test_processes_end_when_their_parent_is_killed(programs: Programs, queue: Queue) -> None:
    parent = await _two(programs, "--processes", "2")
    children = _children(parent)
    os.kill(parent.pid, signal.SIGKILL)
    await _all_end(children)


async def test_several_queues_are_served_by_processes_of_their_own(programs: Programs, redis_url: str) -> None:
    manifest = programs.folder / "both.yaml"
    manifest.write_text(
        "\n---\n".join(programs.manifest(name).read_text() for name in ("work", "other")), encoding="utf-8"
    )
    parent = await programs.start("run", "work", "other", "--pool", str(manifest))
    started = await parent.says("runner.started", times=2)
    assert {line["queue"] for line in started} == {"work", "other"}
    for name in ("work", "other"):
        queue = Queue(redis_url, redis_url, name)
        await queue.push({"id": "a", "data": {}})
        await queue.becomes("a", State.DONE)
        await queue.close()


async def test_reload_starts_runners_anew_when_a_file_changes_even_after_a_broken_one(
    programs: Programs, queue: Queue
) -> None:
    module = programs.folder / "changing.py"
    works = "from handlers_for_tests import MODULE\n"

    def write(text: str) -> None:
        module.write_text(f"{text}# {time.time_ns()}\n", encoding="utf-8")

    write(works)
    manifest = programs.manifest(handlers="changing")
    paths = os.pathsep.join([programs.env["PYTHONPATH"], str(programs.folder)])
    parent = await programs.start("run", "work", "--pool", str(manifest), "--reload", PYTHONPATH=paths)
    await parent.says("runner.started")
    await _starts_after_changes(parent, 2, lambda: write(works))
    assert not parent.seen("process.ended")

    broken = len(parent.seen("reload"))
    write("this is no Python\n")
    await parent.says("reload", times=broken + 1)
    await parent.says("process.ended", code=2)
    count = len(parent.seen("runner.started"))
    await _starts_after_changes(parent, count + 1, lambda: write(works))
    parent.signal(signal.SIGTERM)
    assert await parent.ended() == 0


async def _starts_after_changes(parent: Program, times: int, change: Callable[[], None]) -> None:
    """Change a file until it is noticed: when the watch begins isn't told."""
    waiting: asyncio.Task[Any] = asyncio.create_task(parent.says("runner.started", times=times))
    while not waiting.done():
        change()
        await asyncio.wait({waiting}, timeout=2)
    await waiting
