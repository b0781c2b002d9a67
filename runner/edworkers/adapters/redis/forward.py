"""Passes follow-up jobs from a queue's outbox on to their queues, which may lie on other nodes."""

import hashlib
from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

from edworkers.adapters.redis.calls import Client, enqueue_arguments, run_script
from edworkers.adapters.redis.connection import until_answered
from edworkers.core.errors import QueueUnavailableError
from edworkers.core.fingerprint import cause, fingerprint
from edworkers.core.follow_up import NO_FOLLOW_UP, FollowUpItem, read_follow_up, read_parent
from edworkers.core.keys import QueueKeys
from edworkers.ports import Enqueue
from edworkers.telemetry import log


async def forward(client: Client, keys: QueueKeys, at_most: int, dead_ms: int) -> int:
    """Pass up to `at_most` on; returns how many.

    A crash in between sends one again, and so may two that forward at once; its id makes the second a duplicate, even
    if the first is dead by then. What is no follow-up job is put among the dead letters. Raises QueueUnavailableError
    where a queue refuses its jobs, once those of the others have been passed on.
    """
    refusals: dict[str, QueueUnavailableError] = {}
    moved = 0
    for item in reversed(await _read(client, keys, at_most)):
        found = read_follow_up(item)
        if found is None:
            await _set_aside(client, keys, item, dead_ms)
            moved += 1
        elif found.queue not in refusals:
            try:
                await _send(client, found, dead_ms)
            except QueueUnavailableError as error:
                refusals[found.queue] = error
            else:
                await _remove(client, keys, item)
                moved += 1
    if refusals:
        told = "; ".join(f"to {queue}: {refusal}" for queue, refusal in refusals.items())
        raise QueueUnavailableError(f"follow-up jobs can't be passed on {told}")
    return moved


async def _read(client: Client, keys: QueueKeys, at_most: int) -> list[bytes]:
    async def read(_repeated: bool) -> Any:  # noqa: FBT001
        return await client.execute_command("LRANGE", keys.outbox, -at_most, -1)

    return list(await until_answered("read the outbox", read))


async def _send(client: Client, found: FollowUpItem, dead_ms: int) -> None:
    job = Enqueue(found.job_id, found.payload, revive=False, parent=read_parent(found.payload))
    keys, args = enqueue_arguments(QueueKeys(found.queue), [job], dead_ms)
    await _run(client, "forward a job", "enqueue", keys, args)


async def _remove(client: Client, keys: QueueKeys, item: bytes) -> None:
    async def remove(_repeated: bool) -> None:  # noqa: FBT001
        await client.execute_command("LREM", keys.outbox, -1, item)

    await until_answered("empty the outbox", remove)


async def _set_aside(client: Client, keys: QueueKeys, item: bytes, dead_ms: int) -> None:
    job_id = f"outbox.{hashlib.sha256(item).hexdigest()[:16]}"
    names = (keys.outbox, keys.dead, keys.totals, keys.failures, keys.fingerprints, keys.job(job_id))
    error = {"kind": "outbox", "message": NO_FOLLOW_UP}
    args = (item, job_id, to_json(error), dead_ms, fingerprint(error), to_json(cause(error)))
    if await _run(client, "bury what is no job", "set_aside", names, args):
        log.error("outbox.malformed", queue=keys.queue, job=job_id, reason=NO_FOLLOW_UP, then="it is a dead letter now")


async def _run(client: Client, what: str, name: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
    async def call(_repeated: bool) -> Any:  # noqa: FBT001
        return await run_script(client, name, keys, args)

    return await until_answered(what, call)
