"""How scripts are called."""

from collections.abc import Sequence
from typing import Any, Protocol

from redis.exceptions import NoScriptError

from edworkers.adapters.redis.scripts import script
from edworkers.core.keys import QueueKeys
from edworkers.ports import Enqueue


class Client(Protocol):
    """What sends commands: redis-py's client, or a `Pipe`."""

    async def execute_command(self, *words: Any) -> Any:
        """Send a command and wait for its reply."""
        ...


async def run_script(
    client: Client, name: str, keys: Sequence[str | bytes], args: Sequence[str | bytes | int | float]
) -> Any:
    """Run a script by its SHA-1; a server that has forgotten it is given its text."""
    wanted = script(name)
    try:
        return await client.execute_command("EVALSHA", wanted.sha, len(keys), *keys, *args)
    except NoScriptError:
        return await client.execute_command("EVAL", wanted.text, len(keys), *keys, *args)


def enqueue_arguments(keys: QueueKeys, jobs: Sequence[Enqueue], dead_ms: int) -> tuple[list[str], list[Any]]:
    """Write jobs as KEYS and ARGV of enqueue.lua."""
    names = [keys.pending, keys.delayed, keys.entries, keys.dead, keys.unique, keys.totals]
    names += (keys.failures, keys.fingerprints)
    args: list[Any] = [dead_ms]
    for job in jobs:
        args += (job.job_id, job.payload, job.unique_key, int(job.urgent), job.due, int(job.revive), job.parent)
    return [*names, *(keys.job(job.job_id) for job in jobs)], args
