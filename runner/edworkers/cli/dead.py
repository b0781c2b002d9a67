"""`edworkers dead …`: what was buried, and what becomes of it."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import typer

from edworkers import compose, pools
from edworkers.cli.exits import ExitCode
from edworkers.cli.record import with_error_and_payload, with_payload
from edworkers.cli.report import tell_error
from edworkers.cli.show import local_time, note, print_fields, print_json, print_table, rfc3339, say
from edworkers.cli.waiting import counting
from edworkers.core.errors import QueueUnavailableError, UnknownJobError
from edworkers.core.lifecycle import State
from edworkers.ports import JobRecord, QueueControl

_PAGE = 50
_MANY = 50
_LONGEST_MESSAGE = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which dead letters are meant: those of `ids`, or all that have the kind and the text."""

    kind: str | None = None
    matching: str | None = None
    ids: tuple[str, ...] = ()

    @classmethod
    def of(cls, ids: Sequence[str], kind: str | None, matching: str | None, *, every: bool) -> "Wanted":
        """Read a command line. Raises typer.BadParameter unless it names either ids or all."""
        if bool(ids) == every:
            raise typer.BadParameter("give ids, or --all")
        if ids and (kind is not None or matching is not None):
            raise typer.BadParameter("--kind and --matching choose from --all")
        return cls(kind, matching, tuple(dict.fromkeys(ids)))

    def has(self, record: JobRecord) -> bool:
        """Whether a dead letter is one of those."""
        error = record.error or {}
        if self.kind is not None and error.get("kind") != self.kind:
            return False
        if self.matching is None:
            return True
        return self.matching in str(error.get("message", "")) or os.fsencode(self.matching) in (record.payload or b"")


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to dead letters."""

    verb: str
    done: str
    hindrance: str
    """Why it may not be done to one that was named."""
    do: Callable[[QueueControl, str], Awaitable[bool]]


REPLAY = Change(
    "replay",
    "replayed",
    "not dead, or another job has its unique key by now",
    lambda control, job_id: control.replay(job_id),
)
DROP = Change("drop", "dropped", "not dead", lambda control, job_id: control.drop(job_id))


async def each(control: QueueControl, wanted: Wanted, start: int = 0) -> AsyncGenerator[JobRecord]:
    """Go through the dead letters, the latest first, from the one at place `start`; payloads a page at once."""
    total = (await control.depths()).dead
    for offset in count(start, _PAGE):
        page = await control.dead(offset, _PAGE)
        for record in page:
            if wanted.has(record):
                yield replace(record, payload=None)
        if not page and offset >= total:
            return


def show_list(queue: str, pool: Path | None, wanted: Wanted, *, offset: int, limit: int, as_json: bool) -> None:
    """List dead letters. Raises what `compose.open_queues` raises."""
    records, total = asyncio.run(_list(queue, pool, wanted, offset, limit))
    if as_json:
        print_json({"queue": queue, "total": total, "offset": offset, "jobs": [_in_list(record) for record in records]})
        return
    rows = [_row(record) for record in records]
    print_table(("id", "buried", "kind", "message", "attempts"), rows, right=("attempts",))
    if sys.stderr.isatty():
        note(f"{len(records)} of {total} dead letters of {queue}" + (", from --offset" if offset else ""))


async def _list(queue: str, pool: Path | None, wanted: Wanted, offset: int, limit: int) -> tuple[list[JobRecord], int]:
    env = pools.read_environment()
    async with compose.open_queues(pools.look_up(queue, env, pool), env) as [opened]:
        total = (await opened.control.depths()).dead
        # Where nothing is chosen the queue itself knows the place to begin at.
        start, skipped = (offset, 0) if wanted == Wanted() else (0, offset)
        found: list[JobRecord] = []
        async with aclosing(each(opened.control, wanted, start)) as records:
            async for record in records:
                found.append(record)
                if len(found) == skipped + limit:
                    break
        return found[skipped:], total


def _in_list(record: JobRecord) -> dict[str, object]:
    error = record.error or {}
    return {
        "id": record.id,
        "buriedAt": rfc3339(record.finished_at),
        "kind": error.get("kind"),
        "message": error.get("message"),
        "attempts": record.attempts,
    }


def _row(record: JobRecord) -> tuple[str, ...]:
    error = record.error or {}
    message = str(error.get("message", ""))
    short = message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…"
    buried = local_time(record.finished_at) or ""
    return (record.id, buried, str(error.get("kind", "")), short, str(record.attempts))


def show_one(queue: str, job_id: str, pool: Path | None, *, payload: bool, as_json: bool) -> None:
    """Show all of a dead letter. Raises UnknownJobError and what `compose.open_queues` raises."""
    record = asyncio.run(_find(queue, job_id, pool))
    if payload:
        _write_payload(record.payload or b"")
    elif as_json:
        print_json(with_payload(record))
    else:
        print_fields(with_error_and_payload(record, compose.SystemClock().now()))


async def _find(queue: str, job_id: str, pool: Path | None) -> JobRecord:
    env = pools.read_environment()
    async with compose.open_queues(pools.look_up(queue, env, pool), env) as [opened]:
        record = await opened.control.find(job_id)
    if record is None:
        raise UnknownJobError(f"no dead letter {job_id} in {queue}")
    if record.state is not State.DEAD:
        raise UnknownJobError(f"{job_id} is not dead in {queue}: it is {record.state}")
    return record


def _write_payload(payload: bytes) -> None:
    """Write the bytes as they came, except to a terminal, which they could steer."""
    if sys.stdout.isatty():
        say(payload.decode("utf-8", "backslashreplace"))
    else:
        sys.stdout.buffer.write(payload)
        sys.stdout.buffer.flush()


def change(change: Change, queue: str, pool: Path | None, wanted: Wanted, *, yes: bool, as_json: bool) -> ExitCode:
    """Replay or drop dead letters, after a question unless `yes`. Raises what `compose.open_queues` raises."""
    ids = wanted.ids or asyncio.run(_ids(queue, pool, wanted))
    if ids and not yes and not _agreed(change, queue, ids, as_json=as_json):
        return ExitCode.FAILED
    done, left = asyncio.run(_change(change, queue, pool, ids, quiet=as_json))
    if as_json:
        print_json({"queue": queue, change.done: done, f"not{change.done.title()}": left})
    else:
        say(f"{change.done} {len(done)} of {len(ids)} dead letters of {queue}")
    # Of all of them, some may have been replayed by another meanwhile; one that was named must have been there.
    if not wanted.ids or not left:
        return ExitCode.OK
    if not as_json:
        tell_error(f"not {change.done} in {queue}: {change.hindrance}", left, as_json=False)
    return ExitCode.UNKNOWN


async def _ids(queue: str, pool: Path | None, wanted: Wanted) -> tuple[str, ...]:
    """Name all that are meant before the first of them moves, so that what is buried meanwhile is left alone."""
    env = pools.read_environment()
    async with compose.open_queues(pools.look_up(queue, env, pool), env) as [opened]:
        return tuple(dict.fromkeys([record.id async for record in each(opened.control, wanted)]))


def _agreed(change: Change, queue: str, ids: Sequence[str], *, as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        raise typer.BadParameter("give --yes, for nobody can be asked here")
    return typer.confirm(f"{change.verb} {len(ids)} dead letters of {queue}?", err=True)


async def _change(
    change: Change, queue: str, pool: Path | None, ids: Sequence[str], *, quiet: bool
) -> tuple[list[str], list[str]]:
    env = pools.read_environment()
    done: list[str] = []
    left: list[str] = []
    async with compose.open_queues(pools.look_up(queue, env, pool), env) as [opened]:
        with counting(change.verb, len(ids), quiet=quiet or len(ids) < _MANY) as advance:
            for job_id in ids:
                try:
                    changed = await change.do(opened.control, job_id)
                except QueueUnavailableError as error:
                    before = f"{len(done)} of {len(ids)} had been {change.done}"
                    raise QueueUnavailableError(f"{error}\n  - {before}") from error.__cause__
                (done if changed else left).append(job_id)
                advance(1)
    return done, left
