"""Puts the parts together: from the environment and a pool's settings to what runs."""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import yaml
from pydantic_core import from_json
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
from edworkers.core.errors import QueueUnavailableError, SettingsError, UnknownQueueError
from edworkers.core.manifest import API_VERSION, KIND, read_manifest
from edworkers.core.settings import PoolSpec
from edworkers.handlers import registry
from edworkers.pipeline.keeper import INTERVAL_SECONDS, keep_forever
from edworkers.pipeline.runner import Exit, Patience, Runner
from edworkers.pipeline.watchdog import Watchdog
from edworkers.ports import HandlerModule, Usage
from edworkers.telemetry import log

_NOT_STARTED = "nothing was started, for these settings can't be used:"


class SystemClock:
    """The `Clock` port on this machine's clocks."""

    def now(self) -> int:
        """Unix milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic()


def read_environment(env_file: Path = Path(".env")) -> dict[str, str]:
    """Read the process's environment; what it doesn't set is taken from a `.env` file.

    Raises SettingsError where that file can't be read.
    """
    found: dict[str, str] = {}
    if env_file.is_file():
        from dotenv import dotenv_values

        text = StringIO(_read_text(env_file))
        found = {name: value for name, value in dotenv_values(stream=text).items() if value is not None}
    return {**found, **os.environ}


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool with the handlers that it names."""

    spec: PoolSpec
    module: HandlerModule

    def faults(self, env: Mapping[str, str]) -> list[str]:
        """Say what the environment lacks for this pool's handlers."""
        return [fault for handler in self.module.handlers for fault in handler.faults(env)]


def read_manifests(text: str, source: str) -> list[PoolSpec]:
    """Read WorkerPool manifests from YAML.

    Raises SettingsError with every fault of every manifest.
    """
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        raise SettingsError(f"{source} is not YAML:", [str(error)]) from error
    faults: list[str] = []
    specs = [spec for document in documents if (spec := read_manifest(document, faults)) is not None]
    if not documents:
        faults.append("no WorkerPool is in it")
    if faults:
        raise SettingsError(f"{source} can't be used:", faults)
    return specs


def find_spec(queue: str, env: Mapping[str, str], manifest: Path | None = None) -> PoolSpec:
    """Find a queue's settings: a manifest, EDWORKERS_POOL (the spec as JSON), or those built in.

    Raises SettingsError, UnknownQueueError.
    """
    if manifest is not None:
        specs = read_manifests(_read_text(manifest), str(manifest))
    elif given := env.get("EDWORKERS_POOL"):
        specs = read_manifests(_as_manifest(given), "EDWORKERS_POOL")
    else:
        return registry.pool_for_queue(queue)
    for spec in specs:
        if spec.queue == queue:
            return spec
    raise SettingsError(f"no pool for the queue {queue!r}:", [f"the manifest serves {spec.queue!r}" for spec in specs])


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path} can't be read:", [error.strerror or str(error)]) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} can't be read:", [f"it is not UTF-8: {error}"]) from error


def _as_manifest(spec: str) -> str:
    try:
        document = {"apiVersion": API_VERSION, "kind": KIND, "spec": from_json(spec)}
    except ValueError as error:
        raise SettingsError("EDWORKERS_POOL can't be used:", [f"not JSON: {error}"]) from error
    return yaml.safe_dump(document)


def make_pool(spec: PoolSpec, env: Mapping[str, str]) -> Pool:
    """Find a pool's handlers, and apply what the environment overrides.

    Raises SettingsError.
    """
    module = registry.find_module(spec.handlers)
    return Pool(registry.override(module, spec, env), module)


def make_pools(specs: Sequence[PoolSpec], env: Mapping[str, str]) -> list[Pool]:
    """Make several pools and look at Redis' address; every fault of all of them is named at once.

    Raises SettingsError.
    """
    faults: list[str] = []
    pools: list[Pool] = []
    for spec in specs:
        try:
            module = registry.find_module(spec.handlers)
            faults += Pool(spec, module).faults(env)
            pools.append(make_pool(spec, env))
        except SettingsError as error:
            faults += error.faults
    try:
        redis_url(env)
    except SettingsError as error:
        faults += error.faults
    if faults:
        raise SettingsError(_NOT_STARTED, list(dict.fromkeys(faults)))
    return pools


def new_name() -> str:
    """Name a runner or a job: sorts by time, and no two are the same."""
    return f"{time.time_ns() // 1_000_000:011x}{secrets.token_hex(5)}"


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


def control(client: Any, pool: Pool) -> RedisControl:
    """Give what producers and operators do with a pool's queue."""
    return RedisControl(client, pool.spec.queue, pool.spec.retention)


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
        spec, name = pool.spec, new_name()
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
        keeper = asyncio.create_task(keep_forever([(spec.queue, self.queue)]))
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


async def run_keeper(
    specs: Sequence[PoolSpec], env: Mapping[str, str], interval_seconds: float = INTERVAL_SECONDS
) -> None:
    """Promote, reap, forward and trim for all these queues until cancelled. Raises as `open_redis` does."""
    await wait_for_redis(env)
    async with open_pipe(env) as client:
        queues = [
            (spec.queue, RedisQueue(client, spec.queue, runner="", lease_ms=0, retention=spec.retention))
            for spec in specs
        ]
        log.info("keeper.started", queues=[name for name, _ in queues])
        await keep_forever(queues, interval_seconds)


def look_up(queue: str | None, env: Mapping[str, str], manifest: Path | None = None) -> list[PoolSpec]:
    """Find the settings of a queue, or of every known one where it is None, and look at Redis' address.

    Raises SettingsError with every fault, or UnknownQueueError.
    """
    errors: list[SettingsError | UnknownQueueError] = []
    specs: list[PoolSpec] = []
    try:
        specs = known_specs(env, manifest) if queue is None else [find_spec(queue, env, manifest)]
    except (SettingsError, UnknownQueueError) as error:
        errors.append(error)
    try:
        redis_url(env)
    except SettingsError as error:
        errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise SettingsError("these settings can't be used:", [fault for error in errors for fault in _in_full(error)])
    return specs


def _in_full(error: SettingsError | UnknownQueueError) -> list[str]:
    """Write each fault so that it tells of which file or queue it is, among the faults of others."""
    if isinstance(error, SettingsError):
        return [f"{error.summary} {fault}" for fault in error.faults]
    return [str(error)]


def find_pools(queues: Sequence[str], env: Mapping[str, str], manifest: Path | None = None) -> list[Pool]:
    """Find the settings and handlers of several queues, and look at Redis' address.

    Raises SettingsError with every fault of all of them; a queue that is not known is one.
    """
    faults: list[str] = []
    specs = _find_each(queues, env, manifest, faults)
    try:
        pools = make_pools(specs, env)
    except SettingsError as error:
        raise SettingsError(error.summary, list(dict.fromkeys([*faults, *error.faults]))) from error
    if faults:
        raise SettingsError(_NOT_STARTED, faults)
    return pools


def find_specs(queues: Sequence[str], env: Mapping[str, str], manifest: Path | None = None) -> list[PoolSpec]:
    """Find the settings of several queues, whose handlers aren't needed, and look at Redis' address.

    Raises SettingsError with every fault of all of them; a queue that is not known is one.
    """
    faults: list[str] = []
    specs = _find_each(queues, env, manifest, faults)
    try:
        redis_url(env)
    except SettingsError as error:
        faults += error.faults
    if faults:
        raise SettingsError(_NOT_STARTED, faults)
    return specs


def _find_each(
    queues: Sequence[str], env: Mapping[str, str], manifest: Path | None, faults: list[str]
) -> list[PoolSpec]:
    specs: list[PoolSpec] = []
    for queue in queues:
        try:
            specs.append(find_spec(queue, env, manifest))
        except (SettingsError, UnknownQueueError) as error:
            faults += _in_full(error)
    return specs


def known_specs(env: Mapping[str, str], manifest: Path | None = None) -> list[PoolSpec]:
    """Give the settings of the platform's queues and of those in a manifest or EDWORKERS_POOL, which come first.

    Raises SettingsError.
    """
    given: list[PoolSpec] = []
    if manifest is not None:
        given = read_manifests(_read_text(manifest), str(manifest))
    elif spec := env.get("EDWORKERS_POOL"):
        given = read_manifests(_as_manifest(spec), "EDWORKERS_POOL")
    built_in = [registry.pool_for_queue(queue) for queue in registry.PLATFORM]
    return list({spec.queue: spec for spec in (*built_in, *given)}.values())


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
