"""Puts the parts together: from the environment and a pool's settings to what runs."""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from edworkers.adapters.redis.calls import Client
from edworkers.adapters.redis.connection import (
    CONNECTION_ERRORS,
    check_server,
    connect,
    explain,
    redis_url,
    until_answered,
    without_password,
)
from edworkers.adapters.redis.control import RedisControl
from edworkers.adapters.redis.lifeline import RedisLifeline
from edworkers.adapters.redis.limiter import RedisLimiter
from edworkers.adapters.redis.pipe import Pipe
from edworkers.adapters.redis.queue import RedisQueue
from edworkers.core.errors import QueueUnavailableError
from edworkers.core.settings import PoolSpec, Retention
from edworkers.pipeline.keeper import INTERVAL_SECONDS, keep_forever
from edworkers.pipeline.runner import Exit, Patience, Runner
from edworkers.pipeline.watchdog import Watchdog
from edworkers.pools import Pool
from edworkers.ports import Usage
from edworkers.telemetry import log


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


@asynccontextmanager
async def open_redis(env: Mapping[str, str]) -> AsyncGenerator[Any]:
    """Connect, waiting until Redis answers.

    Raises UnsafeRedisError for one that could lose jobs, QueueUnavailableError for one that refuses us.
    """
    url = redis_url(env)
    client = connect(url)
    try:

        async def check(_repeated: bool) -> None:  # noqa: FBT001
            await check_server(client)

        await until_answered(f"connect to {without_password(url)}", check)
        yield client
    finally:
        await client.aclose()


async def wait_for_redis(env: Mapping[str, str]) -> None:
    """Wait until Redis answers; raises as `open_redis` does."""
    async with open_redis(env):
        pass


@asynccontextmanager
async def open_pipe(env: Mapping[str, str]) -> AsyncGenerator[Pipe]:
    """Connect as a runner does, for several calls at once; it connects at the first."""
    pipe = Pipe(redis_url(env))
    try:
        yield pipe
    finally:
        await pipe.close()


def limiter(client: Client, spec: PoolSpec, runner: str) -> RedisLimiter | None:
    """Give the limiter of a pool's queue, if it has limits."""
    return RedisLimiter(client, spec.queue, spec.limits, runner=runner, now=SystemClock().now) if spec.limits else None


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
        self.queue = RedisQueue(client, spec.queue, runner=name, lease_ms=lease_ms, retention=spec.retention)
        self._lifeline = RedisLifeline(
            redis_url(env),
            spec.queue,
            runner=name,
            lease_ms=lease_ms,
            cycle_call=self.queue.cycle_call,
            guard=lambda: self._watchdog.guard(),  # noqa: PLW0108 - made after the lifeline that it needs
        )
        self.runner = Runner(
            pool=spec,
            queue=self.queue,
            lifeline=self._lifeline,
            handlers={handler.type: handler for handler in pool.module.handlers},
            env=env,
            clock=SystemClock(),
            limiter=limiter(client, spec, name),
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

    async def run(self, when_ready: Callable[[Callable[[], None]], None]) -> Exit:
        """Wait for Redis, then work until stopped; `when_ready` is given what stops it, once there is work to stop.

        Raises SettingsError where its endpoints can't be served, and as `open_redis` does.
        """
        self._watchdog.open()
        health = self._serve_health()
        try:
            await wait_for_redis(self._env)
            when_ready(self.runner.stop)
            return await self._work(health.address if health is not None else None)
        finally:
            if health is not None:
                health.close()

    async def _work(self, health: str | None) -> Exit:
        spec = self.runner.pool
        keeper = asyncio.create_task(keep_forever(lambda: [(spec.queue, self.queue)]))
        limits = [f"{window.limit} a {window.window}" for window in spec.limits]
        told = {"concurrency": spec.concurrency, "limits": limits, "health": health}
        log.info("runner.started", queue=spec.queue, runner=self.name, **told)
        try:
            return await self.runner.run()
        finally:
            keeper.cancel()
            log.info("runner.ended", queue=spec.queue, runner=self.name, settled=dict(self.runner.stats.settled))

    def _serve_health(self) -> Any:
        if self._options.health_port is None:
            return None
        from edworkers.adapters.health import HealthServer, StatsCollector

        longest = self.runner.pool.job.timeout_seconds + 4 * self._options.patience.grace

        def alive() -> str | None:
            blocked = self._watchdog.blocked_seconds
            return f"the event loop has been blocked for {blocked:.0f} s" if blocked > longest else None

        def ready() -> str | None:
            return None if self.runner.is_ready else "not claiming: Redis hasn't answered yet, or it is stopping"

        collector = StatsCollector(self.runner.stats, lambda: len(self.runner.running))
        return HealthServer(
            self._options.health_host, self._options.health_port, alive=alive, ready=ready, collector=collector
        )


@contextmanager
def serve_health(options: RunOptions, ready: Callable[[], str | None]) -> Generator[None]:
    """Serve endpoints, where a port is given, for a process that lives as long as its event loop turns.

    Raises SettingsError where they can't be served.
    """
    if options.health_port is None:
        yield
        return
    from edworkers.adapters.health import HealthServer, Pulse

    pulse = Pulse(asyncio.get_running_loop())
    server = HealthServer(options.health_host, options.health_port, alive=pulse.fault, ready=ready)
    try:
        yield
    finally:
        server.close()


async def run_keeper(
    specs: Callable[[], Sequence[PoolSpec]],
    env: Mapping[str, str],
    options: RunOptions,
    interval_seconds: float = INTERVAL_SECONDS,
) -> None:
    """Promote, reap, forward and trim for all these queues until cancelled; `specs` is asked anew each round.

    Raises SettingsError where its endpoints can't be served, and as `open_redis` does.
    """
    is_ready = False
    with serve_health(options, lambda: None if is_ready else "Redis hasn't answered yet"):
        await wait_for_redis(env)
        async with open_pipe(env) as client:
            is_ready = True
            log.info("keeper.started")
            await keep_forever(Kept(client, specs).queues, interval_seconds)


class Kept:
    """The queues of a keeper; which they are may change while it runs."""

    def __init__(self, client: Client, specs: Callable[[], Sequence[PoolSpec]]) -> None:
        self._client = client
        self._specs = specs
        self._queues: dict[tuple[str, Retention], RedisQueue] = {}

    def queues(self) -> list[tuple[str, RedisQueue]]:
        """Give those that are to be kept now."""
        wanted = {spec.queue: spec.retention for spec in self._specs()}
        if set(wanted.items()) != self._queues.keys():
            log.info("keeper.keeps", queues=list(wanted))
            self._queues = {(queue, retention): self._open(queue, retention) for queue, retention in wanted.items()}
        return [(queue, opened) for (queue, _), opened in self._queues.items()]

    def _open(self, queue: str, retention: Retention) -> RedisQueue:
        return RedisQueue(self._client, queue, runner="", lease_ms=0, retention=retention)


@dataclass(frozen=True, slots=True)
class OpenQueue:
    """One queue in the hands of a producer or an operator."""

    spec: PoolSpec
    control: RedisControl
    limiter: RedisLimiter | None

    async def usage(self) -> list[Usage]:
        """Tell how much of the queue's limits is used. Raises QueueUnavailableError."""
        try:
            return await self.limiter.usage() if self.limiter is not None else []
        except (*CONNECTION_ERRORS, RedisError) as error:
            raise QueueUnavailableError(f"Redis can't be used: {explain(error)}") from error


@asynccontextmanager
async def open_queues(specs: Sequence[PoolSpec], env: Mapping[str, str]) -> AsyncGenerator[list[OpenQueue]]:
    """Open queues as producers and operators use them, without waiting for a Redis that is away.

    Raises SettingsError; in the block, QueueUnavailableError names the address and what to do.
    """
    url = redis_url(env)
    client = connect(url)
    try:
        yield [
            OpenQueue(spec, RedisControl(client, spec.queue, spec.retention), limiter(client, spec, new_name()))
            for spec in specs
        ]
    except QueueUnavailableError as error:
        raise QueueUnavailableError(f"{error}\n  - {_what_to_do(error.__cause__, url)}") from error
    finally:
        await client.aclose()


def _what_to_do(cause: BaseException | None, url: str) -> str:
    address = without_password(url)
    if isinstance(cause, AuthenticationError | NoPermissionError):
        return f"it answers at {address}; check user and password in REDIS_URL or REDIS_PASSWORD, and the user's rights"
    if isinstance(cause, CONNECTION_ERRORS):
        return f"check that it runs at {address}; REDIS_URL, or REDIS_HOST and REDIS_PORT, set where it is"
    return f"it answers at {address}, but couldn't do what was asked"
