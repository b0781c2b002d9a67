"""The command line: what holds for all commands, and those that run things."""

from pathlib import Path
from typing import Annotated

import typer

from edworkers.cli import database_commands, mail_commands, operator_commands, producer_commands, server_commands
from edworkers.cli.exits import epilog

app = typer.Typer(
    name="edworkers",
    help="Background jobs on Redis lists: push JSON, get the answer.",
    epilog=epilog(),
    no_args_is_help=True,
    rich_markup_mode="markdown",
    # What a crash shows goes into logs, and variables may hold passwords.
    pretty_exceptions_enable=False,
)


def _show_version(asked: bool) -> None:  # noqa: FBT001 - as typer calls it
    if asked:
        from importlib.metadata import version

        typer.echo(f"edworkers {version('edworkers')}")
        raise typer.Exit


@app.callback()
def _settings(
    context: typer.Context,
    *,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error (EDWORKERS_LOG_LEVEL)")] = None,
    log_format: Annotated[str | None, typer.Option(help="text or json (EDWORKERS_LOG_FORMAT)")] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="show the version")
    ] = False,
) -> None:
    from edworkers import pools
    from edworkers.cli.logs import configure_logs

    # `run` tells every fault of its settings at once, these among them.
    configure_logs(pools.read_environment(), log_level, log_format, tolerant=context.invoked_subcommand == "run")


@app.command()
def run(
    queues: Annotated[
        list[str] | None, typer.Argument(help="the queues to work on; that of the manifest if none")
    ] = None,
    pool: Annotated[Path | None, typer.Option(help="a WorkerPool manifest to take the settings from")] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="how many processes for each queue (EDWORKERS_PROCESSES, PM2_INSTANCES)")
    ] = None,
    reload: Annotated[bool, typer.Option(help="start anew when Python files below this folder change")] = False,  # noqa: FBT002
) -> None:
    """Work on queues until stopped: one in this process, or several in processes of their own."""
    from edworkers import pools
    from edworkers.cli.run import process_count, run_one, run_options, run_several
    from edworkers.cli.together import together

    env = pools.read_environment()
    found, count, options = together(
        lambda: pools.find_pools(pools.queues_to_run(queues or [], env, pool), env, pool),
        lambda: process_count(env, processes),
        lambda: run_options(env),
    )
    if len(found) == count == 1 and not reload:
        raise typer.Exit(run_one(found[0], env, options))
    raise typer.Exit(run_several([made.spec.queue for made in found], count, env, pool=pool, reload=reload))


@app.command()
def keeper(
    queues: Annotated[
        list[str] | None, typer.Argument(help="the queues to keep; if none, those of --pool, or all of the platform's")
    ] = None,
    pool: Annotated[Path | None, typer.Option(help="a WorkerPool manifest to take the settings from")] = None,
    pools_file: Annotated[
        Path | None,
        typer.Option(
            "--pools", metavar="FILE", help="keep every WorkerPool in this file; it is read again when it changes"
        ),
    ] = None,
) -> None:
    """Promote delayed jobs and take back those of lost runners, whether or not runners are up."""
    from edworkers import pools
    from edworkers.cli.pools_file import PoolsFile
    from edworkers.cli.run import run_keeper, run_options
    from edworkers.handlers.registry import installed

    if pools_file is not None and (queues or pool):
        raise typer.BadParameter("--pools names the queues itself: give neither queues nor --pool with it")
    env = pools.read_environment()
    if pools_file is not None:
        raise typer.Exit(run_keeper(PoolsFile(pools_file).specs, env, run_options(env)))
    specs = pools.find_specs(queues or pools.given_queues(env, pool) or installed(), env, pool)
    raise typer.Exit(run_keeper(lambda: specs, env, run_options(env)))


@app.command()
def dev(
    manifests: Annotated[
        list[Path] | None,
        typer.Argument(help="WorkerPool manifests or folders of them; manifests/examples, or those built in, if none"),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="of the Redis that it starts; 6379, or a free one, if none")
    ] = None,
    reload: Annotated[bool, typer.Option(help="start runners anew when Python files change")] = True,  # noqa: FBT002
    processes: Annotated[
        int | None, typer.Option(min=1, help="how many processes for each queue (EDWORKERS_PROCESSES, PM2_INSTANCES)")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="leave a queue out, such as one whose programs are not installed here")
    ] = None,
) -> None:
    """Run everything on this machine: Redis, runners, and stand-ins for what is not configured."""
    from edworkers import pools
    from edworkers.cli.dev.plan import plan_dev
    from edworkers.cli.run import process_count

    env = pools.read_environment()
    count = process_count(env, processes)
    plan = plan_dev(manifests or [], env, port=port, reload=reload, processes=count, without=without or [])
    from edworkers.cli.dev.run import run_dev  # after the plan, which says what is not installed

    raise typer.Exit(run_dev(plan))


@app.command()
def demo(
    jobs: Annotated[int, typer.Option(min=0, max=1000, help="how many plain questions to push besides")] = 12,
    keep: Annotated[bool, typer.Option(help="stay up afterwards, to look around")] = False,  # noqa: FBT002
    as_json: Annotated[bool, typer.Option("--json", help="print only a summary, as JSON")] = False,  # noqa: FBT002
) -> None:
    """Show the main job from LPUSH to answer, with retries and dead letters; 0 only if every job ended as it should."""
    from edworkers.cli.local import check_packages

    check_packages()
    from edworkers.cli.demo.run import run_demo

    raise typer.Exit(run_demo(jobs=jobs, keep=keep, as_json=as_json))


app.add_typer(server_commands.commands, name="server")
app.add_typer(producer_commands.commands)
app.add_typer(operator_commands.commands)
app.add_typer(database_commands.commands)
app.add_typer(mail_commands.commands)
