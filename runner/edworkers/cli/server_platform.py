"""Puts together what a server works on: queues, books and the cluster's view, on this environment's Redis."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from edworkers import compose, pools
from edworkers.adapters.cluster.worker_pools import ApiServer, WorkerPools
from edworkers.adapters.redis.address import RedisAddress, redis_address
from edworkers.adapters.redis.asking import ask
from edworkers.adapters.redis.books import RedisBooks
from edworkers.adapters.redis.browse import RedisBrowser
from edworkers.adapters.redis.control import RedisControl
from edworkers.adapters.redis.limiter import RedisLimiter
from edworkers.adapters.redis.shared import shared_client
from edworkers.adapters.redis.watch import RedisWatch
from edworkers.cli.in_time import in_time
from edworkers.cli.server_queues import Plan, PlannedQueue, ServedQueues
from edworkers.core.errors import QueueUnavailableError, ServerBusyError, SettingsError
from edworkers.core.keys import LimiterKeys, QueueKeys, ServerKeys
from edworkers.core.limits import limiters
from edworkers.core.redact import MORE_NAMES, Redactor, names_in
from edworkers.core.settings import PoolSpec
from edworkers.ports import HandlerModule, Usage
from edworkers.server.platform import Platform, Schedule, ServedQueue
from edworkers.telemetry import log

ANSWER_SECONDS = 2.0
"""No question to Redis takes longer."""
_SILENT = 0.75
"""After which part of that a connection that says nothing is given up."""


@asynccontextmanager
async def open_platform(
    plan: Plan, env: Mapping[str, str], answer_seconds: float = ANSWER_SECONDS
) -> AsyncGenerator[Platform]:
    """Open what a server works on, without waiting for a Redis that is away; no question to it takes longer than this.

    Raises SettingsError.
    """
    address = redis_address(env)
    api_server = ApiServer.found(env)
    async with AsyncExitStack() as stack:
        silent_seconds = answer_seconds * _SILENT
        clients = compose.Clients(address, stack, lambda at, key: shared_client(at, key, silent_seconds))
        opener = _Opener(clients, env, answer_seconds)
        cluster = WorkerPools(api_server) if api_server is not None else None
        if cluster is not None:
            stack.push_async_callback(cluster.close)
        yield Platform(
            queues=ServedQueues(plan, opener.open),
            books=in_time(RedisBooks(clients.of(ServerKeys().deeds)), answer_seconds),
            clock=compose.SystemClock(),
            new_id=compose.new_name,
            explain=lambda error: _explain(error, address),
            answer_seconds=answer_seconds,
            redactor=Redactor(names_in(env.get(MORE_NAMES, ""))),
            cluster=cluster,
        )


def _explain(error: QueueUnavailableError, address: RedisAddress) -> str:
    if isinstance(error, ServerBusyError):
        return str(error)
    return f"{error}; {compose.what_to_do(error.__cause__, address)}"


class _Opener:
    """Opens queues."""

    def __init__(self, clients: compose.Clients, env: Mapping[str, str], seconds: float) -> None:
        self._clients = clients
        self._seconds = seconds
        self._env = env

    def open(self, planned: PlannedQueue) -> ServedQueue:
        """Open a queue; one whose handlers can't be imported is served all the same."""
        spec, module = self._with_handlers(planned.spec)
        client = self._clients.of(QueueKeys(spec.queue).pending)
        group_by = spec.groups.by if spec.groups is not None else None
        usage = _Limits(spec, self._clients)
        return ServedQueue(
            spec=spec,
            control=in_time(RedisControl(client, spec.queue, spec.retention), self._seconds),
            browser=in_time(RedisBrowser(client, spec.queue, group_by), self._seconds),
            usage=in_time(usage, self._seconds).usage,
            module=module,
            schedules=[
                Schedule(plan.name, plan.schedule, plan.time_zone, plan.job.model_dump(exclude_none=True))
                for plan in planned.schedules
            ],
            watch=in_time(RedisWatch(client, spec.queue), self._seconds),
        )

    def _with_handlers(self, spec: PoolSpec) -> tuple[PoolSpec, HandlerModule | None]:
        try:
            pool = pools.make_pool(spec, self._env)
        except SettingsError as error:
            log.warning("server.unchecked", queue=spec.queue, reason=str(error), then="only runners check its jobs")
            return spec, None
        return pool.spec, pool.module


class _Limits:
    """The limits of one queue, but for those of groups."""

    def __init__(self, spec: PoolSpec, clients: compose.Clients) -> None:
        shared = [limited for limited in limiters(spec.queue, spec.limits) if limited.per == "queue"]
        self._limiters = [
            (client, RedisLimiter(client, limited.name, limited.windows, runner="", now=compose.SystemClock().now))
            for limited in shared
            for client in [clients.of(LimiterKeys(limited.name).used)]
        ]

    async def usage(self) -> Sequence[Usage]:
        """Tell how much of them is used. Raises QueueUnavailableError."""
        return [usage for client, limiter in self._limiters for usage in await ask(client, limiter.usage)]
