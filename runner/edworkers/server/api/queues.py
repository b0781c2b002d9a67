"""Whole queues: how they stand, their schema, and pausing them."""

import asyncio
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from edworkers.handlers.registry import schema as schema_of
from edworkers.ports import Depths, Usage
from edworkers.ports.books import Deed, Sample
from edworkers.server.access.identity import Identity, Scope
from edworkers.server.api.queue_models import Jobs, Limit, PauseChange, Queue, Queues, Rates, Throttled
from edworkers.server.api.served import (
    OperatedQueue,
    Operator,
    ProducedQueue,
    Reader,
    ReadQueue,
    ThePlatform,
    needs,
    problems,
)
from edworkers.server.platform import Platform, ServedQueue
from edworkers.server.problems import Problem

router = APIRouter(tags=["Queues"])
one_router = APIRouter(prefix="/queues/{queue}", tags=["Queues"])
_RATES_MS = 300_000


@router.get("/queues", summary="List queues", responses=problems(), openapi_extra=needs(Scope.READ))
async def list_queues(identity: Reader, platform: ThePlatform) -> Queues:
    """Tell of every queue that the key may see how it stands."""
    seen = [served for name, served in platform.queues().items() if identity.sees(name)]
    return Queues(queues=list(await asyncio.gather(*(_look(platform, served) for served in seen))))


@one_router.get("", summary="Get a queue", responses=problems(), openapi_extra=needs(Scope.READ))
async def get_queue(served: ReadQueue, platform: ThePlatform) -> Queue:
    """Tell how a queue stands: its depths, rates, limits with their resets, and what keeps it closed."""
    return await _look(platform, served)


async def _look(platform: Platform, served: ServedQueue) -> Queue:
    now = platform.clock.now()
    depths, usage, samples = await asyncio.gather(
        served.control.depths(), served.usage(), platform.books.series(served.spec.queue, now - _RATES_MS, now)
    )
    return Queue(
        name=served.spec.queue,
        handlers=served.spec.handlers,
        checked=served.module is not None,
        jobs=Jobs(pending=depths.pending, inflight=depths.inflight, delayed=depths.delayed, dead=depths.dead),
        oldest_seconds=depths.oldest_seconds,
        runners=depths.runners,
        paused=depths.paused,
        throttled=_throttled(depths, usage, now),
        groups_shut=depths.shut,
        limits=_limits(served, usage),
        rates=_rates(samples),
        totals=dict(depths.totals),
    )


def _limits(served: ServedQueue, usage: Sequence[Usage]) -> list[Limit]:
    windows = {window.name: window for window in served.spec.limits}
    return [
        Limit(
            name=use.window,
            counts=windows[use.window].counts,
            window=windows[use.window].window,
            used=use.used,
            limit=use.limit,
            resets_at=use.resets_at,
        )
        for use in usage
        if use.window in windows
    ]


def _throttled(depths: Depths, usage: Sequence[Usage], now: int) -> Throttled | None:
    if depths.gate_ms > 0:
        detail = f"a service has asked everyone to wait for {depths.gate_ms / 1000:.0f} s more"
        return Throttled(reason="service", detail=detail, until=now + depths.gate_ms)
    full = [use for use in usage if use.used >= use.limit]
    if full:
        last = max(full, key=lambda use: use.resets_at)
        detail = f"the limit {last.window} is used up: {last.used} of {last.limit}"
        return Throttled(reason="limit", detail=detail, until=last.resets_at)
    return (
        Throttled(reason="limit", detail="a limit keeps it closed for more than a minute") if depths.throttled else None
    )


def _rates(samples: Sequence[Sample]) -> Rates:
    if len(samples) < 2:
        return Rates()
    minutes = (samples[-1].at - samples[0].at) / 60_000
    counted = samples[1:]  # what the first counts happened before the time that is looked at
    told = [(sample.latency_ms, sample.slow_ms) for sample in samples]
    medians = sorted(median for median, _ in told if median is not None)
    slowest = [slow for _, slow in told if slow is not None]
    return Rates(
        done_per_minute=round(sum(sample.done for sample in counted) / minutes, 3),
        failed_per_minute=round(sum(sample.failed for sample in counted) / minutes, 3),
        arrived_per_minute=round(sum(sample.arrived for sample in counted) / minutes, 3),
        latency_seconds=medians[len(medians) // 2] / 1000 if medians else None,
        slow_latency_seconds=max(slowest) / 1000 if slowest else None,
    )


@one_router.get(
    "/schema",
    summary="Get the schema of a queue's jobs",
    responses={
        200: {"content": {"application/schema+json": {"schema": {"type": "object"}}}},
        **problems(),
    },
    response_class=Response,
    openapi_extra=needs(Scope.ENQUEUE),
)
async def get_schema(served: ProducedQueue) -> Response:
    """Give the JSON Schema by which jobs of the queue are checked."""
    if served.module is None:
        detail = f"the handlers of {served.spec.queue} ({served.spec.handlers}) aren't installed here"
        raise Problem(404, "not-found", detail)
    document: Any = schema_of(served.module)
    return JSONResponse(document, media_type="application/schema+json")


@one_router.post("/pause", summary="Pause a queue", responses=problems(), openapi_extra=needs(Scope.OPERATE))
async def pause(served: OperatedQueue, identity: Operator, platform: ThePlatform) -> PauseChange:
    """Let no runner claim jobs of a queue; those that run are finished."""
    return await _set_paused(served, identity, platform, paused=True)


@one_router.post("/resume", summary="Resume a queue", responses=problems(), openapi_extra=needs(Scope.OPERATE))
async def resume(served: OperatedQueue, identity: Operator, platform: ThePlatform) -> PauseChange:
    """Let runners claim jobs of a paused queue again, or of one whose used-up limit was raised."""
    return await _set_paused(served, identity, platform, paused=False)


async def _set_paused(served: ServedQueue, identity: Identity, platform: Platform, *, paused: bool) -> PauseChange:
    queue, verb = served.spec.queue, "pause" if paused else "resume"
    changed = await served.control.pause(paused=paused)
    if changed:
        await platform.books.note(Deed(platform.clock.now(), identity.name, verb, queue, queue))
    return PauseChange(queue=queue, paused=paused, changed=changed)
