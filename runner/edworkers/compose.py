"""Puts the parts together: from the environment and a pool's settings to what runs."""

import asyncio
import itertools
import os
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Generator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from redis.exceptions import AuthenticationError, NoPermissionError, OutOfMemoryError, RedisError

from edworkers.adapters.isolation.isolated import Isolation
from edworkers.adapters.postgres.settings import is_missing, why_no_ledger
from edworkers.adapters.redis.address import RedisAddress, redis_address
from edworkers.adapters.redis.calls import Client
from edworkers.adapters.redis.connection import CONNECTION_ERRORS, connect, explain, until_answered
from edworkers.adapters.redis.control import RedisControl
from edworkers.adapters.redis.dead_letters import RedisDeadLetters
from edworkers.adapters.redis.lifeline import RedisLifeline
from edworkers.adapters.redis.limiter import RedisLimiter
from edworkers.adapters.redis.queue import RedisQueue
from edworkers.adapters.redis.routes import open_client
from edworkers.adapters.redis.safety import check_server
from edworkers.adapters.tracing import settings as tracing_settings
from edworkers.core.errors import QueueUnavailableError, SettingsError
from edworkers.core.keys import LimiterKeys, QueueKeys
from edworkers.core.limits import begins_at_claim, limiters, limiters_of_queue
from edworkers.core.redact import MORE_NAMES, Redactor, names_in
from edworkers.core.settings import Groups, PoolSpec, Retention, Window
from edworkers.core.stats import KeeperStats
from edworkers.core.tallies import TALLIES
from edworkers.pipeline.budget import Budget
from edworkers.pipeline.keeper import INTERVAL_SECONDS, keep_forever
from edworkers.pipeline.ledger import Ledger
from edworkers.pipeline.runner import Exit, Patience, Runner
from edworkers.pipeline.usage import tell_usage_forever
from edworkers.pipeline.watchdog import Watchdog
from edworkers.pools import Pool
from edworkers.ports import Usage
from edworkers.telemetry import log

if TYPE_CHECKING:
    from edworkers.adapters.metrics.of_queues import QueueCollector
    from edworkers.adapters.tracing.provider import Tracing


_KEEPER_SECONDS = 1.0


class SystemClock:
    """The `Clock` port on this machine's clocks."""

    def now(self) -> int:
        """Unix milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic()


def new_name() -> str:
    """Name a runner or a job: sorts by time, and no two are the same."""
    return f"{time.time_ns() // 1_000_000:011x}{secrets.token_hex(5)}"


def runner_name(env: Mapping[str, str]) -> str:
    """Name a runner after its pod, where it is told its name, so that what it holds can be traced to the pod."""
    pod = env.get("EDWORKERS_RUNNER_NAME")
    return f"{pod}.{new_name()}" if pod else new_name()


async def wait_for_redis(env: Mapping[str, str], kept_bytes: int = 0) -> None:
    """Wait until Redis answers; `kept_bytes` is how much is to be kept there of finished jobs.

    Raises UnsafeRedisError for one that could lose jobs, QueueUnavailableError for one that refuses us.
    """
    address = redis_address(env)

    async def check(_repeated: bool) -> None:  # noqa: FBT001
        await check_server(address, kept_bytes)

    await until_answered(f"connect to {address}", check)


@asynccontextmanager
async def open_pipe(env: Mapping[str, str]) -> AsyncGenerator[Client]:
    """Connect as a runner does, for several calls at once; it connects at the first."""
    client = open_client(redis_address(env))
    try:
        yield client
    finally:
        await client.close()


def limiter(client: Client, spec: PoolSpec, runner: str) -> RedisLimiter | None:
    """Give the limiter of the jobs of a pool's queue, if there are limits on them."""
    for limited in limiters(spec.queue, spec.limits):
        if limited.is_asked_first:
            return _make_limiters(client, runner)(limited.name, limited.windows)
    return None


def budget(client: Client, spec: PoolSpec, runner: str) -> Budget | None:
    """Give what reserves what a job of a pool's queue needs beside its place among all jobs, if limits ask for it."""
    limits = [limited for limited in limiters(spec.queue, spec.limits) if not limited.is_asked_first]
    return Budget(limits, _make_limiters(client, runner)) if limits else None


def _make_limiters(client: Client, runner: str) -> Callable[[str, Sequence[Window]], RedisLimiter]:
    calls = itertools.count(1)  # one for all, as two limiters of one name must not name two reservations alike
    now = SystemClock().now
    return lambda name, windows: RedisLimiter(client, name, windows, runner=runner, now=now, calls=calls)


def open_queue(client: Client, spec: PoolSpec, *, runner: str = "", lease_ms: int = 0) -> RedisQueue:
    """Give a pool's queue to a runner, or to a keeper, which claims nothing."""
    return RedisQueue(
        client,
        spec.queue,
        runner=runner,
        lease_ms=lease_ms,
        retention=spec.retention,
        groups=spec.groups,
        max_inflight=spec.max_inflight,
        begins=begins_at_claim(spec),
    )


def open_ledger(client: Client, spec: PoolSpec, runner: str, env: Mapping[str, str]) -> Ledger | None:
    """Give what records jobs and errors of a pool's queue, where there is a database for it."""
    reason = why_no_ledger(env)
    if reason is not None:
        tell = log.warning if is_missing(env) else log.debug
        tell("ledger.off", queue=spec.queue, reason=reason)
        return None
    from edworkers.adapters.postgres.ledger import PostgresLedger

    group_by = spec.groups.by if spec.groups is not None else None
    dead = RedisDeadLetters(client, spec.queue, runner=runner, group_by=group_by)
    return Ledger(spec.queue, PostgresLedger(env, Redactor(names_in(env.get(MORE_NAMES, "")))), dead)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How one runner process is run."""

    health_host: str = "127.0.0.1"
    health_port: int | None = None
    patience: Patience = field(default_factory=Patience)


class RunningPool:
    """One runner with its lifeline, watchdog and endpoints."""

    def __init__(self, pool: Pool, env: Mapping[str, str], client: Client, options: RunOptions) -> None:
        spec, name = pool.spec, runner_name(env)
        lease_ms = round(spec.lease_seconds * 1000)
        self.name = name
        isolation = Isolation(spec, pool.module, env)
        self.queue = open_queue(client, spec, runner=name, lease_ms=lease_ms)
        self._lifeline = RedisLifeline(
            redis_address(env),
            spec.queue,
            runner=name,
            lease_ms=lease_ms,
            cycle_call=self.queue.cycle_call,
            guard=lambda: self._watchdog.guard(),  # noqa: PLW0108 - made after the lifeline that it needs
            on_renewed=isolation.renewed,
        )
        self.ledger = open_ledger(client, spec, name, env)
        self.runner = Runner(
            pool=spec,
            queue=self.queue,
            lifeline=self._lifeline,
            handlers={handler.type: handler for handler in isolation.handlers},
            env=env,
            clock=SystemClock(),
            limiter=limiter(client, spec, name),
            budget=budget(client, spec, name),
            ledger=self.ledger,
            patience=options.patience,
        )
        self._watchdog = Watchdog(
            self.runner,
            settle=self._lifeline.settle,
            end_process=os._exit,
            grace_seconds=options.patience.grace,
        )
        self._env = env
        self._options = options
        self._kept: dict[str, KeeperStats] = {}

    async def run(self, when_ready: Callable[[Callable[[], None]], None]) -> Exit:
        """Wait for Redis, then work until stopped; `when_ready` is given what stops it, once there is work to stop.

        Raises SettingsError where its endpoints can't be served, and as `wait_for_redis` does.
        """
        self._watchdog.open()
        async with AsyncExitStack() as stack:
            health = self._serve_health()
            if health is not None:
                stack.callback(health.close)
            traces = open_tracing(self._env, self.name, {"edworkers.queue": self.runner.pool.queue})
            if traces is not None:
                stack.push_async_callback(traces.close)
            await wait_for_redis(self._env, self.runner.pool.retention.max_bytes)
            when_ready(self.runner.stop)
            return await self._work(health.address if health is not None else None)

    async def _work(self, health: str | None) -> Exit:
        spec = self.runner.pool
        keeper = asyncio.create_task(keep_forever(lambda: [(spec.queue, self.queue)], kept=self._kept))
        limits = [window.in_words for window in spec.limits]
        told = {"concurrency": spec.concurrency, "limits": limits, "health": health}
        log.info("runner.started", queue=spec.queue, runner=self.name, **told)
        if self.ledger is not None:
            self.ledger.open()
        try:
            return await self.runner.run()
        finally:
            keeper.cancel()
            await asyncio.wait([keeper], timeout=_KEEPER_SECONDS)  # or its last call would meet a closed connection
            if self.ledger is not None:
                await self.ledger.close()
            log.info("runner.ended", queue=spec.queue, runner=self.name, settled=dict(self.runner.stats.settled))

    def _serve_health(self) -> Any:
        if self._options.health_port is None:
            return None
        from edworkers.adapters.health import HealthServer
        from edworkers.adapters.metrics.exposition import Exposition
        from edworkers.adapters.metrics.of_runner import RoundsCollector, StatsCollector, TalliesCollector

        longest = self.runner.pool.job.timeout_seconds + 4 * self._options.patience.grace

        def alive() -> str | None:
            blocked = self._watchdog.blocked_seconds
            return f"the event loop has been blocked for {blocked:.0f} s" if blocked > longest else None

        def ready() -> str | None:
            return None if self.runner.is_ready else "not claiming: Redis hasn't answered yet, or it is stopping"

        collectors = (
            StatsCollector(self.runner.stats, lambda: len(self.runner.running)),
            TalliesCollector(TALLIES),
            RoundsCollector(lambda: list(self._kept.values())),
        )
        metrics = Exposition(collectors).text
        return HealthServer(
            self._options.health_host, self._options.health_port, alive=alive, ready=ready, metrics=metrics
        )


class Watched:
    """What those who watch a keeper are told: how its queues and their limits stand, and what its rounds did."""

    def __init__(self, queues: "QueueCollector") -> None:
        self.queues = queues
        self.kept: dict[str, KeeperStats] = {}

    def only(self, queues: Collection[str]) -> None:
        """Forget all other queues."""
        self.queues.only(queues)
        for queue in self.kept.keys() - set(queues):
            del self.kept[queue]


def open_tracing(env: Mapping[str, str], instance: str, attributes: Mapping[str, str]) -> "Tracing | None":
    """Begin to send traces of this process, where the environment says where to.

    `instance` names the process, and `attributes` are told with all its spans. Raises SettingsError.
    """
    if not tracing_settings.is_wanted(env):
        return None
    faults = tracing_settings.find_faults(env)
    if faults:
        raise SettingsError("nothing was started, for traces can't be sent:", faults)
    from edworkers.adapters.tracing.provider import Tracing

    return Tracing(env, instance, attributes)


@contextmanager
def serve_health(options: RunOptions, ready: Callable[[], str | None]) -> "Generator[Watched | None]":
    """Serve endpoints, where a port is given, for a process that lives as long as its event loop turns.

    Yields what takes the figures of queues. Raises SettingsError where they can't be served.
    """
    if options.health_port is None:
        yield None
        return
    from edworkers.adapters.health import HealthServer, Pulse
    from edworkers.adapters.metrics.exposition import Exposition
    from edworkers.adapters.metrics.of_queues import QueueCollector
    from edworkers.adapters.metrics.of_runner import RoundsCollector

    pulse, watched = Pulse(asyncio.get_running_loop()), Watched(QueueCollector())
    metrics = Exposition((watched.queues, RoundsCollector(lambda: list(watched.kept.values())))).text
    server = HealthServer(options.health_host, options.health_port, alive=pulse.fault, ready=ready, metrics=metrics)
    try:
        yield watched
    finally:
        server.close()


async def run_keeper(
    specs: Callable[[], Sequence[PoolSpec]],
    env: Mapping[str, str],
    options: RunOptions,
    interval_seconds: float = INTERVAL_SECONDS,
) -> None:
    """Keep all these queues, and count them, until cancelled; `specs` is asked anew each round.

    Raises SettingsError where its endpoints can't be served, and as `wait_for_redis` does.
    """
    is_ready = False
    with serve_health(options, lambda: None if is_ready else "Redis hasn't answered yet") as watched:
        await wait_for_redis(env, sum(spec.retention.max_bytes for spec in specs()))
        async with open_pipe(env) as client:
            is_ready = True
            log.info("keeper.started")
            kept = Kept(client, specs, watched.only if watched is not None else _nobody_asks)
            if watched is None:
                await keep_forever(kept.queues, interval_seconds)
                return
            telling = asyncio.create_task(tell_usage_forever(kept.usage, watched.queues.note_limits))
            try:
                await keep_forever(kept.queues, interval_seconds, watched.queues.note, watched.kept)
            finally:
                telling.cancel()
                await asyncio.wait([telling])


def _nobody_asks(_queues: Collection[str]) -> None:
    pass


class Kept:
    """The queues of a keeper; which they are may change while it runs."""

    def __init__(
        self,
        client: Client,
        specs: Callable[[], Sequence[PoolSpec]],
        on_change: Callable[[Collection[str]], None] = _nobody_asks,
    ) -> None:
        self._client = client
        self._specs = specs
        self._on_change = on_change
        self._queues: dict[tuple[str, Retention, Groups | None], RedisQueue] = {}
        self._limited: dict[tuple[str, tuple[Window, ...]], list[RedisLimiter]] = {}

    def queues(self) -> list[tuple[str, RedisQueue]]:
        """Give those that are to be kept now."""
        wanted = {spec.queue: spec for spec in self._specs()}
        known = {(spec.queue, spec.retention, spec.groups): spec for spec in wanted.values()}
        if known.keys() != self._queues.keys():
            log.info("keeper.keeps", queues=list(wanted))
            self._on_change(wanted.keys())
            self._queues = {key: open_queue(self._client, spec) for key, spec in known.items()}
        return [(queue, opened) for (queue, *_), opened in self._queues.items()]

    def usage(self) -> list[tuple[str, Callable[[], Awaitable[list[Usage]]]]]:
        """Give what reads the limits of those that have some now, but for those of groups."""
        wanted = {(spec.queue, spec.limits) for spec in self._specs() if spec.limits}
        if wanted != self._limited.keys():
            make = _make_limiters(self._client, "")
            self._limited = {
                (queue, windows): [make(found.name, found.windows) for found in limiters_of_queue(queue, windows)]
                for queue, windows in wanted
            }
        return [(queue, partial(read_usage, opened)) for (queue, _), opened in self._limited.items()]


@dataclass(frozen=True, slots=True)
class OpenQueue:
    """One queue in the hands of a producer or an operator."""

    spec: PoolSpec
    control: RedisControl
    limiters: Sequence[RedisLimiter]
    address: RedisAddress

    @property
    def server(self) -> str:
        """Tell queues apart that may lie on different servers; it is the same for those that don't."""
        return self.spec.queue if self.address.mode == "cluster" else ""

    def name_fault(self, error: QueueUnavailableError) -> str:
        """Say in one line which queue can't be used, why, and what to do."""
        return f"{self.spec.queue}: {error}; {what_to_do(error.__cause__, self.address)}"

    async def usage(self) -> list[Usage]:
        """Tell how much of the queue's limits is used, but for those of groups. Raises QueueUnavailableError."""
        return await read_usage(self.limiters)


async def read_usage(limiters: Sequence[RedisLimiter]) -> list[Usage]:
    """Tell how much of the limits of a queue is used. Raises QueueUnavailableError."""
    try:
        return [usage for limiter in limiters for usage in await limiter.usage()]
    except (*CONNECTION_ERRORS, RedisError) as error:
        raise QueueUnavailableError(f"Redis can't be used: {explain(error)}") from error


@asynccontextmanager
async def open_queues(specs: Sequence[PoolSpec], env: Mapping[str, str]) -> AsyncGenerator[list[OpenQueue]]:
    """Open queues as producers and operators use them, without waiting for a Redis that is away.

    Raises SettingsError; in the block, QueueUnavailableError names the address and what to do.
    """
    address = redis_address(env)
    async with AsyncExitStack() as stack:
        clients = Clients(address, stack)
        try:
            yield [_open_queue(spec, clients) for spec in specs]
        except QueueUnavailableError as error:
            raise QueueUnavailableError(f"{error}\n  - {what_to_do(error.__cause__, address)}") from error


class Clients:
    """Clients of the servers that have certain keys: one for all of them, or in a cluster one each.

    `open_client` makes one for a key.
    """

    def __init__(
        self, address: RedisAddress, stack: AsyncExitStack, open_client: Callable[[RedisAddress, str], Any] = connect
    ) -> None:
        self.address = address
        self._stack = stack
        self._open_client = open_client
        self._opened: dict[str, Any] = {}

    def of(self, key: str) -> Any:
        """Give the client for a key; it connects at its first call."""
        place = key if self.address.mode == "cluster" else ""
        if place not in self._opened:
            self._opened[place] = self._open_client(self.address, place)
            self._stack.push_async_callback(self._opened[place].aclose)
        return self._opened[place]


def _open_queue(spec: PoolSpec, clients: Clients) -> OpenQueue:
    control = RedisControl(clients.of(QueueKeys(spec.queue).pending), spec.queue, spec.retention)
    make, shared = _make_limiters, limiters_of_queue(spec.queue, spec.limits)
    return OpenQueue(
        spec,
        control,
        [make(clients.of(LimiterKeys(limited.name).used), "")(limited.name, limited.windows) for limited in shared],
        clients.address,
    )


def is_away(error: QueueUnavailableError) -> bool:
    """Whether Redis couldn't be reached, or let nobody in, so that it's no use to ask it for anything else."""
    return isinstance(error.__cause__, CONNECTION_ERRORS)


def what_to_do(cause: BaseException | None, address: RedisAddress) -> str:
    """Say in a few words what to do where Redis can't be used for this cause."""
    if isinstance(cause, AuthenticationError | NoPermissionError):
        return f"it answers at {address}; check user and password in REDIS_URL or REDIS_PASSWORD, and the user's rights"
    if isinstance(cause, CONNECTION_ERRORS):
        return f"check that it runs at {address}{address.tls_hint}; {address.set_by} where it is"
    if isinstance(cause, OutOfMemoryError):
        return (
            f"it answers at {address}, and its memory is full: nothing can be added until jobs are done. Add runners, "
            "raise its maxmemory, or lower retention.resultSeconds and retention.maxBytes; then try again"
        )
    return f"it answers at {address}, but couldn't do what was asked"
