"""How scripts are called."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import redis.asyncio
from redis.exceptions import NoScriptError

from edworkers.adapters.redis.scripts import script
from edworkers.core.keys import QueueKeys
from edworkers.ports import Enqueue


async def run_script(
    client: "redis.asyncio.Redis", name: str, keys: Sequence[str], args: Sequence[str | bytes | int | float]
) -> Any:
    """Run a script by its SHA-1; a server that has forgotten it is given its text."""
    wanted = script(name)
    execute = cast("Callable[..., Awaitable[Any]]", client.execute_command)
    try:
        return await execute("EVALSHA", wanted.sha, len(keys), *keys, *args)
    except NoScriptError:
        return await execute("EVAL", wanted.text, len(keys), *keys, *args)


def enqueue_arguments(keys: QueueKeys, jobs: Sequence[Enqueue], dead_ms: int) -> tuple[list[str], list[Any]]:
    """Write jobs as KEYS and ARGV of enqueue.lua."""
    names = [keys.pending, keys.delayed, keys.entries, keys.dead, keys.unique, keys.totals]
    args: list[Any] = [dead_ms]
    for job in jobs:
        args += (job.job_id, job.payload, job.unique_key, int(job.urgent), job.due)
    return [*names, *(keys.job(job.job_id) for job in jobs)], args
