"""A runner's calls, as tests make them by hand, and what they wait for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pydantic_core import to_json

from edworkers.core.job import read_entry
from edworkers.ports import Delivery, JobQueue, Settlement, Start

WAIT_SECONDS = 30
"""Until a test that waits for something gives up."""


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a condition holds that nobody tells us of."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WAIT_SECONDS
    while not await condition():
        # Not by a cancellation: Python 3.11 loses one that meets a call to Redis.
        assert loop.time() < deadline
        await asyncio.sleep(0.002)


def payload(job_id: str, **fields: Any) -> bytes:
    return to_json({"id": job_id, "data": {}, **fields})


async def claim(queue: JobQueue, want: int = 1) -> tuple[Delivery, ...]:
    return (await queue.cycle((), (), want)).deliveries


def origin_of(delivery: Delivery) -> str:
    return read_entry(delivery.raw).origin or delivery.receipt


def start_of(delivery: Delivery, job_id: str, **more: Any) -> Start:
    attempt = read_entry(delivery.raw).attempts + 1
    return Start(delivery.receipt, job_id, origin_of(delivery), attempt, **more)


def settle_as(verb: str, delivery: Delivery, job_id: str, **more: Any) -> Settlement:
    """Settle an attempt that was begun; one that is retried has failed."""
    failed = read_entry(delivery.raw).attempts
    usual: dict[str, Any] = {"attempts": failed + (verb == "retry"), "begun": failed + 1}
    return Settlement(delivery.receipt, job_id, origin_of(delivery), verb, **{**usual, **more})


async def start(queue: JobQueue, delivery: Delivery, job_id: str, **more: Any) -> str:
    return (await queue.cycle((), (start_of(delivery, job_id, **more),), 0)).admissions[0]


async def settle(queue: JobQueue, verb: str, delivery: Delivery, job_id: str, **more: Any) -> Sequence[str]:
    """Settle one job; returns the receipts that were lost."""
    return (await queue.cycle((settle_as(verb, delivery, job_id, **more),), (), 0)).lost


async def begin(queue: JobQueue, job_id: str, **more: Any) -> Delivery:
    """Claim the job at the front of the list and let it begin."""
    (delivery,) = await claim(queue)
    assert await start(queue, delivery, job_id, **more) == "start"
    return delivery
