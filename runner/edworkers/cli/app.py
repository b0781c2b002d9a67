"""All commands in one place."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="edworkers", help="Background jobs on Redis lists: push JSON, get the answer.", no_args_is_help=True
)


@app.callback()
def _settings(
    log_level: Annotated[
        str, typer.Option(envvar="EDWORKERS_LOG_LEVEL", help="debug, info, warning or error")
    ] = "info",
    log_format: Annotated[str, typer.Option(envvar="EDWORKERS_LOG_FORMAT", help="text or json")] = "text",
) -> None:
    from edworkers.telemetry import configure

    configure(log_level, log_format)


@app.command()
def run(
    queues: Annotated[list[str], typer.Argument(help="the queues to work on")],
    pool: Annotated[Path | None, typer.Option(help="a WorkerPool manifest to take the settings from")] = None,
) -> None:
    """Work on queues until stopped."""
    from edworkers import compose
    from edworkers.cli.run import run_one, run_options

    env = compose.read_environment()
    pools = compose.make_pools([compose.find_spec(queue, env, pool) for queue in queues], env)
    raise typer.Exit(run_one(pools[0], env, run_options(env)))
