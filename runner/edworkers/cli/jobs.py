"""`edworkers status`, `result` and `cancel`: one job."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from edworkers import compose, pools
from edworkers.cli.exits import ExitCode
from edworkers.cli.record import as_document, as_fields, exit_code, in_words
from edworkers.cli.report import tell_error
from edworkers.cli.show import print_fields, print_json, say
from edworkers.cli.waiting import progress_of, wait_for_end
from edworkers.core.errors import SettingsError, UnknownJobError
from edworkers.ports import JobRecord

_CANCELS = {
    "cancelled": "cancelled {id}",
    "requested": "asked for: {id} ends when its runner hears of it, or when one meets it in the list",
    "finished": "{id} had ended before",
}
_UNKNOWN = "asked for, but there is no record of {id}: if it waits in the list, it ends when a runner meets it"


def show_status(words: Sequence[str], pool: Path | None, *, as_json: bool) -> None:
    """Show a job's record. Raises UnknownJobError and what `compose.open_queues` raises."""
    record = asyncio.run(_look(words, pool))
    if as_json:
        print_json(as_document(record))
    else:
        print_fields(as_fields(record, compose.SystemClock().now()))


def show_result(
    words: Sequence[str], pool: Path | None, *, waiting: bool, seconds: float | None, as_json: bool
) -> ExitCode:
    """Print what a job came to. Raises UnknownJobError and what `compose.open_queues` raises."""
    looking = _wait(words, pool, seconds, quiet=as_json) if waiting else _look(words, pool)
    return tell_result(asyncio.run(looking), as_json=as_json)


def cancel_job(queue: str, job_id: str, pool: Path | None, *, as_json: bool) -> ExitCode:
    """Cancel a job. Raises what `compose.open_queues` raises."""
    env = pools.read_environment()

    async def ask() -> tuple[bool, str]:
        async with compose.open_queues(pools.look_up(queue, env, pool), env) as [opened]:
            return await opened.control.find(job_id) is not None, await opened.control.cancel(job_id)

    known, answer = asyncio.run(ask())
    if as_json:
        print_json({"id": job_id, "queue": queue, "cancel": answer, "known": known})
    else:
        say((_CANCELS[answer] if known else _UNKNOWN).format(id=job_id))
    return ExitCode.ENDED if answer == "finished" else ExitCode.OK


def tell_result(record: JobRecord, *, as_json: bool) -> ExitCode:
    """Print what a job came to: its result on stdout, anything else on stderr; returns the exit code."""
    code = exit_code(record)
    if as_json:
        print_json(as_document(record))
    elif code is ExitCode.OK:
        print_json(record.result)
    else:
        error = f": {in_words(record.error)}" if record.error is not None else ""
        how = "has not ended yet, it" if code is ExitCode.UNFINISHED else "ended without a result, it"
        tell_error(f"{record.id} {how} is {record.state}{error}", as_json=False)
    return code


async def _look(words: Sequence[str], pool: Path | None) -> JobRecord:
    env = pools.read_environment()
    queue, job_id = _queue_and_id(words)
    async with compose.open_queues(pools.look_up(queue, env, pool), env) as queues:
        record = await _find_in(queues, job_id)
    return record or _unknown(job_id, queues)


async def _wait(words: Sequence[str], pool: Path | None, seconds: float | None, *, quiet: bool) -> JobRecord:
    env = pools.read_environment()
    queue, job_id = _queue_and_id(words)
    async with compose.open_queues(pools.look_up(queue, env, pool), env) as queues:
        with progress_of(job_id, quiet=quiet) as show:
            record = await wait_for_end(lambda: _find_in(queues, job_id), seconds, show)
    return record or _unknown(job_id, queues)


def _queue_and_id(words: Sequence[str]) -> tuple[str | None, str]:
    return (words[0] if len(words) > 1 else None), words[-1]


async def _find_in(queues: Sequence[compose.OpenQueue], job_id: str) -> JobRecord | None:
    found = [record for opened in queues if (record := await opened.control.find(job_id)) is not None]
    if len(found) > 1:
        names = [f"{record.queue} {job_id}: {record.state}" for record in found]
        raise SettingsError(f"several queues know a job {job_id}; name the queue too:", names)
    return found[0] if found else None


def _unknown(job_id: str, queues: Sequence[compose.OpenQueue]) -> JobRecord:
    raise UnknownJobError(unknown(job_id, [opened.spec.queue for opened in queues]))


def unknown(job_id: str, queues: Sequence[str]) -> str:
    """Say that nothing is known of a job, and why that may be."""
    return (
        f"no record of a job {job_id} in {', '.join(queues)}: its id is another, or it ended so long ago that its"
        " record is gone, or it was pushed by LPUSH and no runner has met it yet"
    )
