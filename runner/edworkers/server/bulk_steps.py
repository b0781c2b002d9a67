"""One step of an operation on many jobs: find the next of them, and do to each what was asked for."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from edworkers.core.lifecycle import State
from edworkers.ports.books import BulkOperation
from edworkers.ports.browse import JobSummary
from edworkers.server.choice import Choice
from edworkers.server.platform import ServedQueue

_LOOKED_AT_ONCE = 1000
_CHANGED_AT_ONCE = 20


class _Part(NamedTuple):
    """What one step has to do with."""

    ids: Sequence[str]
    looked_at: int
    refused: int
    next: str | None


async def take_step(operation: BulkOperation, served: ServedQueue) -> BulkOperation:
    """Go on from where an operation is; returns where it is then. Raises ValueError where it can't go on."""
    choice = Choice.of(operation)
    part = await (_named(operation, choice, served) if choice.ids else _found(operation, choice, served))
    changed = 0
    for start in range(0, len(part.ids), _CHANGED_AT_ONCE):
        ids = part.ids[start : start + _CHANGED_AT_ONCE]
        changed += sum(await asyncio.gather(*(_change(operation.action, served, job_id) for job_id in ids)))
    return replace(
        operation,
        status="done" if part.next is None else "running",
        looked_at=operation.looked_at + part.looked_at,
        changed=operation.changed + changed,
        refused=operation.refused + part.refused + len(part.ids) - changed,
        cursor=part.next,
    )


async def _named(operation: BulkOperation, choice: Choice, served: ServedQueue) -> _Part:
    """Take the next of the jobs that were named, without those that died again after it was asked for."""
    start = int(operation.cursor or 0)
    ids = choice.ids[start : start + _CHANGED_AT_ONCE]
    records = await asyncio.gather(*(served.control.find(job_id) for job_id in ids))
    ended = (None if record is None else record.finished_at for record in records)
    meant = [job_id for job_id, at in zip(ids, ended, strict=True) if at is None or at <= operation.created_at]
    end = start + len(ids)
    return _Part(meant, len(ids), len(ids) - len(meant), str(end) if end < len(choice.ids) else None)


async def _found(operation: BulkOperation, choice: Choice, served: ServedQueue) -> _Part:
    wanted = choice.wanted
    if choice.state is State.DEAD:  # one that was replayed and has died again is not meant
        wanted = replace(wanted, before=min(wanted.before or operation.created_at, operation.created_at))
    found = await served.browser.search(choice.state, wanted, operation.cursor, _LOOKED_AT_ONCE)
    jobs = await _there_by(operation.created_at, choice.state, found.jobs, served)
    return _Part([job.id for job in jobs if _has_id(job)], found.looked_at, _nameless(jobs), found.next)


async def _there_by(at: int, state: State, jobs: Sequence[JobSummary], served: ServedQueue) -> list[JobSummary]:
    """Leave out the jobs that came into the state after a time (Unix ms), where they say so."""
    if state is State.DELAYED:  # these tell when they are due, and their records when they came or were last tried
        came = [await _came(part, served) for part in _batched(jobs, _CHANGED_AT_ONCE)]
        times = [each for part in came for each in part]
    else:
        times = [job.at for job in jobs]
    return [job for job, came_at in zip(jobs, times, strict=True) if came_at is None or came_at <= at]


async def _came(jobs: Sequence[JobSummary], served: ServedQueue) -> list[int | None]:
    records = await asyncio.gather(*(served.control.find(job.id) for job in jobs))
    known = [[] if record is None else [record.queued_at, record.started_at] for record in records]
    return [max((at for at in times if at is not None), default=None) for times in known]


def _batched(jobs: Sequence[JobSummary], count: int) -> Iterator[Sequence[JobSummary]]:
    """Give so many jobs at a time."""
    return (jobs[start : start + count] for start in range(0, len(jobs), count))


def _has_id(job: JobSummary) -> bool:
    return bool(job.id)


def _nameless(jobs: Sequence[JobSummary]) -> int:
    """Count jobs that can't be changed, since nothing has given them a name yet."""
    return sum(not job.id for job in jobs)


async def _change(action: str, served: ServedQueue, job_id: str) -> bool:
    if action == "replay":
        return await served.control.replay(job_id)
    if action == "drop":
        return await served.control.drop(job_id)
    return await served.control.cancel(job_id) != "finished"
