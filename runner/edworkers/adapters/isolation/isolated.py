"""Handlers whose jobs each run in a process of their own, to a runner handlers like any other."""

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol, cast

from edworkers.adapters.isolation.outcomes import outcome_of_end
from edworkers.adapters.isolation.terms import memory_bytes, wants_process
from edworkers.adapters.isolation.zygote import IsolationError, JobProcess, Zygotes
from edworkers.core.outcome import Failed, Outcome
from edworkers.core.settings import PoolSpec
from edworkers.core.tallies import TALLIES
from edworkers.ports import Handle, Handler, HandlerModule, JobContext
from edworkers.telemetry import tracing

_CONTEXT = ("id", "queue", "type", "attempt", "max_attempts", "receipt", "traceparent", "span_context")


class _Delivered(JobContext, Protocol):
    @property
    def payload(self) -> bytes:
        """The job as its producer pushed it."""
        ...

    @property
    def span_context(self) -> str | None:
        """The trace context of the attempt, where tracing is on."""
        ...


class Isolation:
    """The handlers of a pool, those isolated that are to be."""

    def __init__(self, spec: PoolSpec, module: HandlerModule, env: Mapping[str, str]) -> None:
        self._spec = spec
        self._zygotes = Zygotes(spec.handlers, env, spec.lease_seconds)
        self.handlers = [self._isolate(handler, at) for at, handler in enumerate(module.handlers)]
        self.renewed = self._zygotes.renewed
        """To be called with the time at which each renewal of leases began that was answered; from any thread."""

    def _isolate(self, handler: Handler[Any], at: int) -> Handler[Any]:
        if not wants_process(handler, self._spec.job):
            return handler
        memory = memory_bytes(handler, self._spec.job)

        @asynccontextmanager
        async def open_isolated(_env: Mapping[str, str]) -> AsyncGenerator[Handle]:
            async def handle(_data: Any, context: JobContext) -> Outcome:
                return await _run(self._zygotes, at, memory, cast("_Delivered", context))

            try:
                yield handle
            finally:
                await self._zygotes.close()

        return replace(handler, open=open_isolated, run=None)


async def _run(zygotes: Zygotes, handler: int, memory: int | None, context: _Delivered) -> Outcome:
    order = {name: getattr(context, name) for name in _CONTEXT}
    now = time.monotonic()
    order |= {"deadline": now + context.seconds_left, "memory_bytes": memory}
    try:
        job = await zygotes.run({"handler": handler, "claimed_at": now, "order": order}, context.payload)
    except IsolationError as error:
        return Failed("isolation", str(error))
    try:
        return await _follow(job, context, memory)
    finally:
        # Cancelled (out of time, cancelled, its lease lost, to be given back), it goes only when nothing is left of it.
        await job.end()


async def _follow(job: JobProcess, context: JobContext, memory: int | None) -> Outcome:
    while True:
        head, body = await job.messages.get()
        if head["is"] == "ended":
            _take(head)
            return outcome_of_end(head, body, memory)
        if head["is"] == "log":
            context.log(head["log"], head["level"])
        elif head["is"] == "emit":
            await context.emit(body.decode())
        else:
            await context.progress(head["fraction"], head["note"])
            job.answer()


def _take(head: Mapping[str, Any]) -> None:
    """Take what the process counted and traced, if it came to tell it."""
    TALLIES.merge(head.get("tallies", ()))
    tracer = tracing.in_use()
    if tracer is not None:
        tracer.merge(head.get("spans", ()))
