"""The commands of operators: queues and dead letters. What they do is imported when it is done."""

from typing import Annotated

import typer

from edworkers.cli.options import JobId, JobIds, Json, Pool, Queue, Queues, queue_names

commands = typer.Typer()
dead_letters = typer.Typer(no_args_is_help=True)
commands.add_typer(
    dead_letters,
    name="dead",
    help="Dead letters: jobs that were buried, with what they held and why.",
    rich_help_panel="Queues",
)
_PANEL = "Queues"

Kind = Annotated[
    str | None, typer.Option("--kind", help="only those whose error is of this kind: rejected, timeout, …")
]
Matching = Annotated[
    str | None, typer.Option("--matching", metavar="TEXT", help="only those with this in their message or payload")
]
All = Annotated[bool, typer.Option("--all", help="all of them that --kind and --matching let through")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="don't ask")]


@commands.command(rich_help_panel=_PANEL)
def queues(names: Queues = None, *, pool: Pool = None, as_json: Json = False) -> None:
    """Show all known queues, or those named: jobs, runners and limits."""
    from edworkers.cli.queues import show_queues

    raise typer.Exit(show_queues(names or [], pool, as_json=as_json))


@commands.command(rich_help_panel=_PANEL)
def pause(queue: Queue, *, pool: Pool = None, as_json: Json = False) -> None:
    """Let no runner claim jobs of a queue; those that run are finished."""
    from edworkers.cli.queues import set_paused

    set_paused(queue, pool, paused=True, as_json=as_json)


@commands.command(rich_help_panel=_PANEL)
def resume(queue: Queue, *, pool: Pool = None, as_json: Json = False) -> None:
    """Let runners claim jobs of a paused queue again, or of one whose used-up limit was raised."""
    from edworkers.cli.queues import set_paused

    set_paused(queue, pool, paused=False, as_json=as_json)


@commands.command(rich_help_panel=_PANEL)
def schema(
    queue: Queue,
    *,
    pool: Pool = None,
    as_json: Json = False,  # noqa: ARG001 - a schema is JSON in any case
) -> None:
    """Print the JSON Schema of a queue's jobs."""
    from edworkers.cli.queues import show_schema

    show_schema(queue, pool)


@commands.command(rich_help_panel=_PANEL)
def acl(
    *,
    queue: Annotated[
        list[str] | None,
        typer.Option(callback=queue_names, help="only for this queue and its limits; may be repeated"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print users of Redis with the least rights that each needs, as commands for redis-cli."""
    from edworkers.cli.acl import show_acl

    show_acl(queue or [], as_json=as_json)


@dead_letters.command("list")
def list_dead(
    queue: Queue,
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="how many")] = 20,
    offset: Annotated[int, typer.Option(min=0, help="after how many of the latest")] = 0,
    kind: Kind = None,
    matching: Matching = None,
    pool: Pool = None,
    as_json: Json = False,
) -> None:
    """List dead letters, the latest first."""
    from edworkers.cli.dead import Wanted, show_list

    show_list(queue, pool, Wanted(kind, matching), offset=offset, limit=limit, as_json=as_json)


@dead_letters.command("show")
def show_dead(
    queue: Queue,
    job_id: JobId,
    *,
    payload: Annotated[bool, typer.Option("--payload", help="only the job's bytes, as they came")] = False,
    pool: Pool = None,
    as_json: Json = False,
) -> None:
    """Show all of one dead letter: error, faults, traceback and the job as it came."""
    from edworkers.cli.dead import show_one

    if payload and as_json:
        raise typer.BadParameter("can't go with --json, which has the payload in it", param_hint="--payload")
    show_one(queue, job_id, pool, payload=payload, as_json=as_json)


@dead_letters.command("replay")
def replay_dead(
    queue: Queue,
    job_ids: JobIds = None,
    *,
    every: All = False,
    kind: Kind = None,
    matching: Matching = None,
    yes: Yes = False,
    pool: Pool = None,
    as_json: Json = False,
) -> None:
    """Put dead jobs back on their queue, with all their attempts before them."""
    from edworkers.cli.dead import REPLAY, Wanted, change

    wanted = Wanted.of(job_ids or [], kind, matching, every=every)
    raise typer.Exit(change(REPLAY, queue, pool, wanted, yes=yes, as_json=as_json))


@dead_letters.command("drop")
def drop_dead(
    queue: Queue,
    job_ids: JobIds = None,
    *,
    every: All = False,
    kind: Kind = None,
    matching: Matching = None,
    yes: Yes = False,
    pool: Pool = None,
    as_json: Json = False,
) -> None:
    """Delete dead jobs for good."""
    from edworkers.cli.dead import DROP, Wanted, change

    wanted = Wanted.of(job_ids or [], kind, matching, every=every)
    raise typer.Exit(change(DROP, queue, pool, wanted, yes=yes, as_json=as_json))
