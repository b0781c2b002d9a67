"""One attempt at one job, without a queue."""

import asyncio
import math
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json

from edworkers.core.job import Entry, write_entry
from edworkers.core.outcome import Failed, Outcome, Rejected
from edworkers.core.settings import PoolSpec
from edworkers.core.verdict import Bury
from edworkers.pipeline.claim import Claimed, read_delivery
from edworkers.pipeline.handle import Attempt, End, OpenHandlers
from edworkers.pipeline.runner import DEFAULT_PATIENCE
from edworkers.ports import Delivery, HandlerModule
from edworkers.testing.clock import MemoryClock
from edworkers.testing.queue import MemoryQueue
from edworkers.testing.served import settings_of
from edworkers.testing.store import Store
from edworkers.testing.virtual_time import LoopTime

_NO_ENV: Mapping[str, str] = {}
_RECEIPT = "runner-1.1"
_MOST_CANCELLATIONS = 100


class _Reports(MemoryQueue):
    """Takes what a handler reports of its progress, and what it emits."""

    def __init__(
        self, store: Store, spec: PoolSpec, reports: list[tuple[float, str]] | None, emitted: list[str] | None
    ) -> None:
        super().__init__(store, lambda _name: store, runner="runner-1", lease_ms=1000, retention=spec.retention)
        self._reports = [] if reports is None else reports
        self._emitted = [] if emitted is None else emitted

    async def report_progress(self, job_id: str, receipt: str, progress: bytes) -> bool:  # noqa: ARG002 - the port's
        """Keep a report."""
        report = from_json(progress)
        self._reports.append((report["fraction"], report["note"]))
        return True

    async def append_text(self, job_id: str, receipt: str, text: bytes, *, restart: bool) -> bool:  # noqa: ARG002
        """Keep a piece."""
        self._emitted.append(text.decode())
        return True


async def run_job(  # noqa: PLR0913
    module: HandlerModule,
    data: Mapping[str, Any],
    *,
    env: Mapping[str, str] = _NO_ENV,
    pool: PoolSpec | None = None,
    type: str | None = None,  # noqa: A002 - the envelope's own word
    id: str = "job",  # noqa: A002
    attempt: int = 1,
    progress: list[tuple[float, str]] | None = None,
    emitted: list[str] | None = None,
    real_time: bool = False,
) -> Outcome:
    """Make one attempt at a job as a runner does, in virtual time; returns what it came to.

    The data is checked by the handler's model: what a runner would bury is `Rejected`, with every fault. What the
    handler raises is `Failed`. Of the environment it sees `env` and nothing else. Its settings are those of `pool`, or
    of the module itself. To the list `progress` is added what it reports, to `emitted` each piece of text as those who
    follow the job get it.

    Raises SettingsError with everything for which a runner would refuse to start.
    """
    spec = settings_of(module, pool, env)
    clock = MemoryClock()
    envelope = {"id": id, "type": type, "data": data}
    payload = to_json({name: value for name, value in envelope.items() if value is not None})
    entry = write_entry(Entry(payload, attempts=attempt - 1, origin=_RECEIPT))
    handlers = {handler.type: handler for handler in module.handlers}
    claimed = read_delivery(Delivery(_RECEIPT, entry), handlers, spec.job, clock.now())
    if isinstance(claimed.refusal, Bury):
        error = claimed.refusal.error
        return Rejected(tuple(error.get("faults", [error["message"]])))
    queue = _Reports(Store(spec.queue, clock), spec, progress, emitted)
    return await _Trial(claimed, spec, queue, env).run(clock, real_time=real_time)


class _Trial:
    """The attempt, and what it is made with."""

    def __init__(self, claimed: Claimed, spec: PoolSpec, queue: MemoryQueue, env: Mapping[str, str]) -> None:
        self._handlers = OpenHandlers(env)
        self._attempt = Attempt(
            claimed,
            queue=queue,
            queue_name=spec.queue,
            loop=asyncio.get_running_loop(),
            now=queue.store.clock.now,
            max_attempts=spec.job.max_attempts,
            timeout_seconds=spec.job.timeout_seconds,
        )

    async def run(self, clock: MemoryClock, *, real_time: bool) -> Outcome:
        loop, time = asyncio.get_running_loop(), LoopTime.of_running_loop()
        work = loop.create_task(self._work())
        with time.driven_by(clock, lambda: not work.done(), real=real_time):
            try:
                while not work.done():
                    timer = await time.idle(lambda: None)
                    clock.advance(math.ceil(round((timer or 0) * 1000, 6)) / 1000)
            finally:
                work.cancel()
        return work.result()

    async def _work(self) -> Outcome:
        attempt = self._attempt
        attempt.task = asyncio.create_task(attempt.run(self._handlers, lambda _attempt: None))
        _, unfinished = await asyncio.wait([attempt.task], timeout=attempt.timeout_seconds)
        if unfinished:
            attempt.stop(End.TIMEOUT)
            _, unfinished = await asyncio.wait([attempt.task], timeout=DEFAULT_PATIENCE.grace)
        for _ in range(_MOST_CANCELLATIONS if unfinished else 0):
            attempt.task.cancel()
            await asyncio.sleep(0)
        await self._handlers.close()
        if attempt.outcome is None or unfinished:
            message = f"not done within {attempt.timeout_seconds:g} s, and the handler ignored its cancellation"
            return Failed("timeout", message)
        return attempt.outcome
