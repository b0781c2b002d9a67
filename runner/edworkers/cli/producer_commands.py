"""The commands of producers: what becomes of one job. What they do is imported when it is done."""

from typing import Annotated

import typer

from edworkers.cli.exits import ExitCode
from edworkers.cli.options import JobId, Json, Pool, Queue, Wait, WaitSeconds, Words, finite, usable_id, utf8

commands = typer.Typer()
_PANEL = "Jobs"

Data = Annotated[
    str | None,
    typer.Argument(
        metavar="DATA",
        help="the job's data as JSON, or a whole job, an object with `data` in it;"
        " @FILE reads a file, - (or nothing at all) reads stdin",
    ),
]


@commands.command(rich_help_panel=_PANEL)
def enqueue(  # noqa: PLR0913 - typer makes an option of each
    queue: Queue,
    data: Data = None,
    *,
    lines: Annotated[bool, typer.Option("--lines", help="JSON Lines: a job a line, all of them or none")] = False,
    job_id: Annotated[
        str | None, typer.Option("--id", callback=usable_id, help="id; a job that is known already is not taken again")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--type", callback=utf8, help="which handler, where the queue has several")
    ] = None,
    delay: Annotated[float | None, typer.Option(metavar="SECONDS", callback=finite, help="not before so long")] = None,
    run_at: Annotated[
        str | None, typer.Option(metavar="TIME", callback=utf8, help="not before this time (RFC 3339)")
    ] = None,
    expires_at: Annotated[
        str | None,
        typer.Option(metavar="TIME", callback=utf8, help="bury it instead of starting it later than this (RFC 3339)"),
    ] = None,
    unique_key: Annotated[
        str | None, typer.Option(callback=utf8, help="at most one waiting or running job has this key")
    ] = None,
    group: Annotated[str | None, typer.Option(callback=utf8, help="whom it is for: a user, a school")] = None,
    urgent: Annotated[bool, typer.Option("--urgent", help="before all others that wait")] = False,
    once: Annotated[bool, typer.Option("--once", help="end with 0 also where the job is known already")] = False,
    max_attempts: Annotated[int | None, typer.Option(help="no more attempts than this")] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", callback=finite, help="an attempt takes no longer than this")
    ] = None,
    wait: Wait = False,
    wait_seconds: WaitSeconds = None,
    pool: Pool = None,
    as_json: Json = False,
) -> None:
    """Put a job on a queue, checked as a runner would check it; prints its id.

    With --wait it prints what `edworkers result` would, and ends with the same exit code.
    """
    from edworkers.cli.enqueue import Producer, open_data

    waiting = wait or wait_seconds is not None
    if lines and (waiting or job_id is not None or unique_key is not None):
        raise typer.BadParameter("can't go with --id, --unique-key, --wait and --wait-seconds", param_hint="--lines")
    fields = {
        "id": job_id,
        "type": kind,
        "delay": delay,
        "runAt": run_at,
        "expiresAt": expires_at,
        "uniqueKey": unique_key,
        "group": group,
        "maxAttempts": max_attempts,
        "timeoutSeconds": timeout,
    }
    producer = Producer.of(queue, pool, fields, urgent=urgent, as_json=as_json)
    with open_data(data) as source, producer.traced():
        if lines:
            code = producer.enqueue_lines(source)
        elif waiting:
            code = producer.enqueue_and_wait(source, wait_seconds)
        else:
            code = producer.enqueue_one(source)
    raise typer.Exit(ExitCode.OK if once and code is ExitCode.DUPLICATE else code)


@commands.command(rich_help_panel=_PANEL)
def status(words: Words, *, pool: Pool = None, as_json: Json = False) -> None:
    """Show where a job is and how it got there."""
    from edworkers.cli.jobs import show_status

    show_status(words, pool, as_json=as_json)


@commands.command(rich_help_panel=_PANEL)
def result(
    words: Words, *, wait: Wait = False, wait_seconds: WaitSeconds = None, pool: Pool = None, as_json: Json = False
) -> None:
    """Print what a job came to, as JSON; the exit code tells how it ended.

    With --json it is the job's whole record, also where the job has not ended well, or not yet.
    """
    from edworkers.cli.jobs import show_result

    waiting = wait or wait_seconds is not None
    raise typer.Exit(show_result(words, pool, waiting=waiting, seconds=wait_seconds, as_json=as_json))


@commands.command(rich_help_panel=_PANEL)
def cancel(queue: Queue, job_id: JobId, *, pool: Pool = None, as_json: Json = False) -> None:
    """Cancel a job that waits or runs."""
    from edworkers.cli.jobs import cancel_job

    raise typer.Exit(cancel_job(queue, job_id, pool, as_json=as_json))
