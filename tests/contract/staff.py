"""A real runner at work in either world, and handlers for it."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pydantic import BaseModel, ConfigDict
from tests.contract.steps import WAIT_SECONDS, until
from tests.contract.world import QUEUE, World

from edworkers.core.lifecycle import State
from edworkers.core.limits import Limited, begins_at_claim, limiters
from edworkers.core.settings import PoolSpec
from edworkers.pipeline.budget import Budget
from edworkers.pipeline.runner import Patience, Runner
from edworkers.ports import Clock, Handle, Handler, JobContext, JobRecord, QueueControl

LEASE_MS = 3000


class Note(BaseModel):
    """Data of the jobs here."""

    model_config = ConfigDict(extra="forbid")

    text: str = ""
    count: int = 0


def handler(work: Handle, kind: str | None = None) -> Handler[Note]:
    """Make a handler that needs nothing opened."""

    @asynccontextmanager
    async def open_nothing(_env: Mapping[str, str]) -> AsyncGenerator[Handle]:
        yield work

    return Handler(data=Note, open=open_nothing, type=kind)


def a_pool(**fields: Any) -> PoolSpec:
    """A pool whose retries wait a minute."""
    job = {"maxAttempts": 3, "backoff": {"initialSeconds": 60, "jitter": 0}, **fields.pop("job", {})}
    return PoolSpec.model_validate({"queue": QUEUE, "handlers": "none", "concurrency": 4, "job": job, **fields})


def split_limits(spec: PoolSpec) -> tuple[list[Limited], list[Limited]]:
    """Part the limits that a runner asks before it claims from those that it asks about a job."""
    limits = limiters(spec.queue, spec.limits)
    of_jobs = [limited for limited in limits if limited.is_asked_first]
    return of_jobs, [limited for limited in limits if limited not in of_jobs]


@asynccontextmanager
async def at_work(
    world: World,
    work: Handle | Sequence[Handler[Note]],
    *,
    name: str = "runner",
    drain: float = 25,
    clock: Clock | None = None,
    **pool: Any,
) -> AsyncGenerator[Runner]:
    """Run a runner until the block ends, then stop it."""
    spec = a_pool(**pool)
    handlers = [handler(work)] if callable(work) else work
    queue = world.queue(
        spec.queue,
        runner=name,
        lease_ms=LEASE_MS,
        groups=spec.groups,
        max_inflight=spec.max_inflight,
        begins=begins_at_claim(spec),
    )
    of_jobs, others = split_limits(spec)
    runner = Runner(
        pool=spec,
        queue=queue,
        lifeline=world.lifeline(queue),
        handlers={handler.type: handler for handler in handlers},
        env={},
        clock=clock or world.clock,
        limiter=world.limiter(*of_jobs[0].windows, runner=name, name=of_jobs[0].name) if of_jobs else None,
        budget=Budget(others, lambda known, windows: world.limiter(*windows, runner=name, name=known))
        if others
        else None,
        patience=Patience(drain=drain),
        roll=lambda: 0.5,
    )
    running = asyncio.create_task(runner.run())
    await asyncio.sleep(0)
    try:
        yield runner
    finally:
        runner.stop()
        await asyncio.wait_for(running, WAIT_SECONDS)


async def reaches(control: QueueControl, job_id: str, state: State) -> JobRecord:
    """Wait until a job is in a state; returns its record."""
    found: list[JobRecord] = []

    async def is_there() -> bool:
        record = await control.find(job_id)
        found[:] = [record] if record is not None and record.state is state else []
        return bool(found)

    await until(is_there)
    return found[0]


class Desk:
    """A handler that tells when it begins, and goes on when told."""

    def __init__(self) -> None:
        self.begun: list[JobContext] = []
        self.ended: list[str] = []
        self._arrivals: asyncio.Queue[JobContext] = asyncio.Queue()
        self._go = asyncio.Event()

    async def __call__(self, _data: Note, context: JobContext) -> None:
        self.begun.append(context)
        self._arrivals.put_nowait(context)
        await self._go.wait()
        self.ended.append(context.id)

    async def next(self) -> JobContext:
        """Wait for the next job to begin."""
        return await asyncio.wait_for(self._arrivals.get(), WAIT_SECONDS)

    def go_on(self) -> None:
        """Let all jobs end."""
        self._go.set()
