"""`edworkers dev`: everything on this machine, from the WorkerPool manifests.

The runners are those of a cluster, one process each. What is configured is used: a Redis, a key for Gemini, a secret
for webhooks. Where nothing is, a Redis of dev's own and stand-ins take its place, and dev says so.
"""

import asyncio
import signal
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import TypeVar

from edworkers.adapters.redis.address import redis_url
from edworkers.cli.dev.own import MAILS, POOLS, STORAGE, own_folder, own_postgres, own_redis
from edworkers.cli.dev.plan import MAILBOX_PORT, Plan
from edworkers.cli.dev.show import Addresses, show_delivery, show_mail, show_start
from edworkers.cli.local import HOST, cancel_on_signals, runner_command, runner_environment
from edworkers.cli.local_server import choose_port, server_command, server_environment, write_pools
from edworkers.cli.run import run_options
from edworkers.cli.supervise import Program, Supervisor, reload_on_change
from edworkers.standins.postgres import PostgresServer
from edworkers.standins.redis import RedisServer
from edworkers.telemetry import log

_DRAIN_SECONDS = "5"
_GEMINI_PORT, _INBOX_PORT = 8089, 8090

Standin = TypeVar("Standin")


def run_dev(plan: Plan) -> int:
    """Run until stopped; returns 0, or 1 if something had to be killed or ended by itself. Raises SettingsError."""
    return asyncio.run(_run(plan))


async def _run(plan: Plan) -> int:
    cancel_on_signals()
    try:
        async with AsyncExitStack() as stack:
            stack.enter_context(own_folder(alone=plan.own_port is not None or plan.has_own_database))
            server = await _start_redis(plan, stack)
            addresses = await _serve_standins(plan, stack, server)
            show_start(plan, addresses)
            return await _supervise(plan, addresses, server)
    except asyncio.CancelledError:  # stopped while it started
        return 0


async def _start_redis(plan: Plan, stack: AsyncExitStack) -> RedisServer | None:
    return None if plan.own_port is None else await stack.enter_async_context(own_redis(plan.own_port))


async def _serve_standins(plan: Plan, stack: AsyncExitStack, server: RedisServer | None) -> Addresses:
    from edworkers.standins.gemini import GeminiStandin
    from edworkers.standins.inbox import InboxStandin

    gemini = inbox = ""
    if plan.has_gemini_standin:
        gemini = (await _served(stack, lambda port: GeminiStandin.serve(port=port), _GEMINI_PORT)).url
    if plan.serves("webhook"):
        secret = plan.inbox_secret
        inbox = (
            await _served(
                stack, lambda port: InboxStandin.serve(port=port, secret=secret, on_delivery=show_delivery), _INBOX_PORT
            )
        ).url
    return Addresses(
        redis_url(plan.env) if server is None else server.url,
        gemini,
        inbox,
        mailbox=await _serve_mailbox(stack) if plan.has_mailbox else "",
        database=await _serve_database(stack) if plan.has_own_database else "",
        server=f"http://{HOST}:{choose_port(plan.env)}",
    )


async def _serve_database(stack: AsyncExitStack) -> str:
    server = await stack.enter_async_context(own_postgres())
    stack.callback(asyncio.create_task(_database_lost(server)).cancel)
    return server.url


async def _database_lost(server: PostgresServer) -> None:
    code = await server.ended()
    log.error(
        "database.ended",
        code=code,
        reason="dev's own PostgreSQL ended by itself",
        then="jobs that need it are tried again; stop dev and start it anew",
    )


async def _serve_mailbox(stack: AsyncExitStack) -> str:
    from edworkers.standins.mailbox import Mailbox

    serve = Mailbox.serve
    return (await _served(stack, lambda port: serve(port=port, folder=MAILS, on_mail=show_mail), MAILBOX_PORT)).url


async def _served(
    stack: AsyncExitStack, serve: Callable[[int], AbstractAsyncContextManager[Standin]], usual_port: int
) -> Standin:
    """Serve at the usual port, so that jobs of an earlier session find it again; at another if that one is taken."""
    try:
        return await stack.enter_async_context(serve(usual_port))
    except OSError:
        return await stack.enter_async_context(serve(0))


def _programs(plan: Plan, addresses: Addresses) -> list[Program]:
    own = {} if plan.own_port is None else {"REDIS_URL": addresses.redis}
    stood_in = {
        "GEMINI_BASE_URL": addresses.gemini,
        "NEON_DATABASE_URL": addresses.database,
        "SMTP_URL": addresses.mailbox,
        "STORAGE_FOLDER": str(STORAGE.absolute()) if "STORAGE_FOLDER" in plan.made_up else "",
    }
    asked = {name: address for name, address in stood_in.items() if address}
    drain = plan.env.get("EDWORKERS_DRAIN_SECONDS", _DRAIN_SECONDS)
    # What was made up for a server that isn't started leads nowhere.
    set_up = {name: value for name, value in plan.env.items() if name not in stood_in or name not in plan.made_up}
    env = runner_environment(set_up, EDWORKERS_DRAIN_SECONDS=drain, **own, **asked)
    server = Program("server", server_command(_port_of(addresses.server), _pools_file(plan)), server_environment(env))
    return [server, *_runners(plan, env)]


def _port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def _pools_file(plan: Plan) -> Path | None:
    """Write for the server what the manifests say; None for the settings that are built in. Raises OSError."""
    manifests = dict.fromkeys(served.manifest for served in plan.served if served.manifest is not None)
    if not manifests:
        return None
    write_pools(manifests, POOLS)
    return POOLS.absolute()


def _runners(plan: Plan, env: Mapping[str, str]) -> list[Program]:
    return [
        Program(
            f"{served.pool.spec.queue}-{number}",
            runner_command(served.pool.spec.queue, *(("--pool", str(served.manifest)) if served.manifest else ())),
            env,
        )
        for served in plan.served
        for number in range(1, plan.processes + 1)
    ]


async def _supervise(plan: Plan, addresses: Addresses, server: RedisServer | None) -> int:
    programs = _programs(plan, addresses)
    drain = run_options(programs[0].env).patience.drain if programs else 0
    supervisor = Supervisor(programs, drain + 15)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, supervisor.stop)  # the terminal was closed
    watching = [asyncio.create_task(_reload(supervisor))] if plan.reload else []
    losing = asyncio.create_task(_redis_lost(server, supervisor)) if server is not None else None
    try:
        code = await supervisor.run()
        return 1 if losing is not None and losing.done() else code
    finally:
        for task in (*watching, *([losing] if losing else [])):
            task.cancel()


async def _redis_lost(server: RedisServer, supervisor: Supervisor) -> None:
    code = await server.ended()
    log.error("redis.ended", code=code, reason="dev's own Redis ended by itself", then="everything is stopped")
    supervisor.stop()


async def _reload(supervisor: Supervisor) -> None:
    try:
        await reload_on_change(supervisor, [Path.cwd()])
    except OSError as error:
        log.warning("reload.off", reason=str(error), then="start dev again to see changes")
