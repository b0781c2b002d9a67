"""The command `server`, and `server new-key`. What they do is imported when it is done."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from edworkers.cli.options import Json, queue_names

commands = typer.Typer()


class ScopeName(StrEnum):
    """What a key may do."""

    ENQUEUE = "enqueue"
    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"


@commands.callback(invoke_without_command=True)
def server(
    context: typer.Context,
    *,
    host: Annotated[str, typer.Option(help="the address to listen on (EDWORKERS_SERVER_HOST)")] = "",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="the port; 8080 if none (EDWORKERS_SERVER_PORT)")
    ] = None,
    pool: Annotated[
        Path | None, typer.Option("--pool", metavar="FILE", help="serve the WorkerPools of this manifest")
    ] = None,
    pools_file: Annotated[
        Path | None,
        typer.Option(
            "--pools", metavar="FILE", help="serve every WorkerPool in this file; it is read again when it changes"
        ),
    ] = None,
) -> None:
    """Serve the HTTP API and the dashboard of the queues in Redis, until stopped."""
    if context.invoked_subcommand is not None:
        return
    from edworkers import pools
    from edworkers.cli.server_packages import check_server_packages

    if pools_file is not None and pool is not None:
        raise typer.BadParameter("give --pool or --pools, not both")
    check_server_packages()
    from edworkers.cli.server import find_plan, run_server

    env = pools.read_environment()
    address = host or env.get("EDWORKERS_SERVER_HOST") or "127.0.0.1"
    number = port if port is not None else _port(env.get("EDWORKERS_SERVER_PORT"))
    raise typer.Exit(run_server(find_plan(env, pools_file, pool), env, address, number))


def _port(text: str | None) -> int:
    if not text:
        return 8080
    if text.isascii() and text.isdigit() and int(text) <= 65535:
        return int(text)
    raise typer.BadParameter(f"{text!a} is no port", param_hint="EDWORKERS_SERVER_PORT")


@commands.command("new-key")
def make_new_key(
    name: Annotated[str, typer.Argument(help="whose key it is: small letters, digits and hyphens")],
    *,
    scope: Annotated[list[ScopeName], typer.Option(help="what it may do; may be repeated")],
    queue: Annotated[
        list[str] | None, typer.Option(callback=queue_names, help="only with this queue; may be repeated")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make an API key; the server keeps only its SHA-256."""
    from edworkers.cli.server_packages import check_server_packages

    check_server_packages()
    from edworkers.cli.server import make_key

    make_key(name, [str(one) for one in scope], queue, as_json=as_json)
