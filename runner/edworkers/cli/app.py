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
    processes: Annotated[
        int | None, typer.Option(min=1, help="how many processes for each queue [env: PM2_INSTANCES]")
    ] = None,
    reload: Annotated[bool, typer.Option(help="start anew when Python files below this folder change")] = False,  # noqa: FBT002
) -> None:
    """Work on queues until stopped: one in this process, or several in processes of their own."""
    from edworkers import compose
    from edworkers.cli.run import process_count, run_one, run_options, run_several

    env = compose.read_environment()
    pools = compose.make_pools([compose.find_spec(queue, env, pool) for queue in queues], env)
    count = process_count(env, processes)
    options = run_options(env)
    if len(queues) == count == 1 and not reload:
        raise typer.Exit(run_one(pools[0], env, options))
    raise typer.Exit(run_several(queues, count, env, pool=pool, reload=reload))


@app.command()
def keeper(
    queues: Annotated[
        list[str] | None, typer.Argument(help="the queues to keep; all of the platform's if none")
    ] = None,
    pool: Annotated[Path | None, typer.Option(help="a WorkerPool manifest to take the settings from")] = None,
) -> None:
    """Promote delayed jobs and take back those of lost runners, whether or not runners are up."""
    from edworkers import compose
    from edworkers.cli.run import run_keeper
    from edworkers.handlers.registry import PLATFORM

    env = compose.read_environment()
    specs = [compose.find_spec(queue, env, pool) for queue in queues or PLATFORM]
    raise typer.Exit(run_keeper([compose.make_pool(spec, env) for spec in specs], env))
