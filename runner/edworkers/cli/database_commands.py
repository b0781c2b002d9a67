"""The commands for the database: its tables, and the ledger that is kept there."""

from typing import Annotated

import typer

from edworkers.cli.options import Json, Queues, queue_names, utf8

commands = typer.Typer()
ledger = typer.Typer(no_args_is_help=True)
commands.add_typer(
    ledger,
    name="ledger",
    help="The ledger: finished jobs and errors, as they are kept in PostgreSQL.",
    rich_help_panel="Database",
)


@commands.command(rich_help_panel="Database")
def migrate(
    *,
    to: Annotated[int | None, typer.Option(min=1, metavar="NUMBER", help="no further than this migration")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print the SQL that would be run, and run nothing")
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="tell which migrations the database has")] = False,
    as_json: Json = False,
) -> None:
    """Make edworkers' tables in the database of NEON_DATABASE_URL, or bring them up to date.

    Any number of these may run at once: each step is done by one of them.
    """
    from edworkers.cli.migrate import run_migrations, show_dry_run, show_status

    if status and dry_run:
        raise typer.BadParameter("give --status or --dry-run, not both")
    if status:
        show_status(as_json=as_json)
    elif dry_run:
        show_dry_run(to, as_json=as_json)
    else:
        run_migrations(to, as_json=as_json)


@ledger.command("errors")
def errors(
    queues: Queues = None,
    *,
    kind: Annotated[str | None, typer.Option("--kind", help="only errors of this kind: rejected, timeout, …")] = None,
    matching: Annotated[
        str | None,
        typer.Option("--matching", metavar="TEXT", callback=utf8, help="only those with this in their message"),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="only those of the last 90m, 24h, 7d …")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="how many at most")] = 50,
    as_json: Json = False,
) -> None:
    """List errors, the latest first."""
    from edworkers.cli.ledger import seconds_in, show_errors

    seconds = None if since is None else seconds_in(since, "--since")
    show_errors(queue_names(queues), kind, matching, seconds, limit, as_json=as_json)


@ledger.command("prune")
def prune(
    *,
    older_than: Annotated[str, typer.Option("--older-than", metavar="TIME", help="how old what goes is: 90d, 12h …")],
    as_json: Json = False,
) -> None:
    """Delete what is older, a few rows at a time."""
    from edworkers.cli.ledger import prune_ledger, seconds_in

    prune_ledger(seconds_in(older_than, "--older-than"), as_json=as_json)
