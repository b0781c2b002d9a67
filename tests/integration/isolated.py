"""Runners whose jobs each have a process of their own, and those processes seen from outside; for tests."""

from typing import Any

import psutil
from tests.integration.processes import Program, Programs, Queue, eventually

from edworkers.core.lifecycle import State

ONCE = {"timeoutSeconds": 600, "maxAttempts": 1}


async def isolated(programs: Programs, **spec: Any) -> Program:
    """Start a runner, of whose handlers one has processes of its own."""
    return await programs.runner(programs.manifest(**{"handlers": "handlers_for_isolation", "job": ONCE, **spec}))


async def warm(queue: Queue) -> None:
    """Run a job to its end, so that the next one's time isn't spent on the start of the zygote."""
    await queue.push({"id": "warm", "data": {}})
    await queue.becomes("warm", State.DONE)
    assert [words[1] for words in await queue.told(2)] == ["warm", "warm"]


async def begun(queue: Queue) -> int:
    """Take the next beginning that was told; returns the process id."""
    ((what, _, _, _, pid),) = await queue.told()
    assert what == "begin"
    return int(pid)


async def family(queue: Queue, *, ends_at_once: bool = False) -> list[int]:
    """Take the next beginning and the family told after it; returns the process ids of all of them.

    They are there then, unless the job `ends_at_once`.
    """
    leader = await begun(queue)
    ((what, *pids),) = await queue.told()
    assert what in ("family", "children")
    found = [leader, *map(int, pids)]
    assert ends_at_once or all(psutil.pid_exists(pid) for pid in found)
    return found


def alive(pids: list[int]) -> list[int]:
    """Give those of these processes that do something: what has ended may still wait for its parent to see it."""
    return [pid for pid in pids if _is_alive(pid)]


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def end(pids: list[int]) -> None:
    """Wait until none of these processes is left."""

    async def ended() -> bool:
        return not alive(pids)

    await eventually(ended)


def zygote_of(runner: Program) -> psutil.Process:
    """Find the zygote of a runner that has one."""
    (found,) = psutil.Process(runner.pid).children()
    return found


async def fails(queue: Queue, job_id: str) -> tuple[str, str]:
    """Wait until a job is buried; returns kind and message of its error."""
    error = (await queue.becomes(job_id, State.DEAD)).error or {}
    return error["kind"], error["message"]


async def cancel(programs: Programs, job_id: str) -> None:
    """Cancel a job by the command."""
    command = await programs.start("cancel", "work", job_id, "--pool", str(programs.folder / "work.yaml"))
    assert await command.ended() == 0
