"""Connections to Redis, made from the environment; nothing is ever sent twice behind our back."""

import asyncio
import random
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import hiredis
import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
)
from redis.retry import Retry

from edworkers.core.errors import QueueUnavailableError, SettingsError, UnsafeRedisError
from edworkers.telemetry import log

SOCKET_TIMEOUT_SECONDS = 5.0
CONNECT_TIMEOUT_SECONDS = 3.0
_SCHEMES = ("redis", "rediss")
_TLS = {"": False, "false": False, "0": False, "no": False, "true": True, "1": True, "yes": True}
_PASSING = re.compile(r"(^|-)(OOM|MISCONF|BUSY|NOREPLICAS|TRYAGAIN|READONLY|MASTERDOWN|CLUSTERDOWN|LOADING)\b")
"""Errors that pass without anyone mending settings, some of which redis-py has no type for."""
_OLDEST_SERVER = (6, 2)

Result = TypeVar("Result")

CONNECTION_ERRORS = (redis.ConnectionError, redis.TimeoutError, OSError, asyncio.TimeoutError)


def redis_url(env: Mapping[str, str]) -> str:
    """Find the address: REDIS_URL, or REDIS_HOST, REDIS_PORT, REDIS_PASSWORD, and what else is known of it.

    Raises SettingsError with every fault.
    """
    url = env.get("REDIS_URL", "")
    faults = _url_faults(url) if url else [*_port_faults(env), *_database_faults(env), *_mode_faults(env)]
    if faults:
        raise SettingsError("Redis' address can't be used:", faults)
    if url:
        return url
    user, password = (quote(env.get(name, ""), safe="") for name in ("REDIS_USERNAME", "REDIS_PASSWORD"))
    credentials = f"{user}:{password}@" if user or password else ""
    host = env.get("REDIS_HOST") or "127.0.0.1"
    scheme = "rediss" if _TLS.get(env.get("REDIS_TLS", "").lower()) else "redis"
    database = env.get("REDIS_DATABASE") or "0"
    return f"{scheme}://{credentials}{f'[{host}]' if ':' in host else host}:{_port(env)}/{database}"


def _database_faults(env: Mapping[str, str]) -> list[str]:
    faults: list[str] = []
    database, tls = env.get("REDIS_DATABASE") or "0", env.get("REDIS_TLS", "")
    if not (database.isascii() and database.isdigit() and int(database) < 2**16):
        faults.append(f"REDIS_DATABASE: {database!r} is no database; give a number such as 0")
    if tls.lower() not in _TLS:
        faults.append(f"REDIS_TLS: {tls!r} is neither true nor false")
    return faults


def _mode_faults(env: Mapping[str, str]) -> list[str]:
    # To pass over them would be to work on another Redis than the one that was meant.
    return [
        f"{name}: a Redis behind {what} can't be used yet; set REDIS_HOST or REDIS_URL to a single Redis instead"
        for name, what in (("REDIS_SENTINELS", "Sentinel"), ("REDIS_NODES", "Redis Cluster"))
        if env.get(name)
    ]


def _url_faults(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _SCHEMES and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    return [] if valid else ["REDIS_URL: must look like redis://:password@host:6379/0, or rediss:// for TLS"]


def _port(env: Mapping[str, str]) -> str:
    """Read the port; Kubernetes sets REDIS_PORT to tcp://10.0.0.7:6379 beside a Service whose name is redis."""
    port = env.get("REDIS_PORT") or "6379"
    return port.rpartition(":")[2] if port.startswith("tcp://") else port


def _port_faults(env: Mapping[str, str]) -> list[str]:
    port = _port(env)
    if port.isascii() and port.isdigit() and 0 < int(port) < 65536:
        return []
    return [f"REDIS_PORT: {env.get('REDIS_PORT')!r} is no port; give a number from 1 to 65535"]


def without_password(url: str) -> str:
    """Write the address for people to read."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    host = f"{f'[{name}]' if ':' in name else name}:{parts.port or 6379}"
    return urlunsplit((parts.scheme, f"***@{host}" if parts.password else host, parts.path, "", ""))


class _PackedByHiredis:
    """Writes commands by hiredis' C code: a cycle has hundreds of words, and writing them by Python took most time."""

    _writer: asyncio.StreamWriter | None

    def pack_command(self, *words: Any) -> list[bytes]:
        return [hiredis.pack_command(words)]

    def write(self, words: Sequence[Any]) -> None:
        """Write a command at once; Redis takes it when it can. Raises redis.ConnectionError."""
        if self._writer is None:
            raise redis.ConnectionError("the connection is closed")
        packed: bytes = self.pack_command(*words)[0]
        try:
            self._writer.write(packed)
        except RuntimeError as error:  # uvloop's way to say that the other side has closed
            raise redis.ConnectionError(f"the connection is closed: {error}") from error

    def abort(self) -> None:
        """Close at once; whoever reads is told."""
        if self._writer is not None:
            with suppress(RuntimeError):  # it is closed already
                self._writer.transport.abort()


class _Connection(_PackedByHiredis, redis.asyncio.Connection):
    pass


class _TLSConnection(_PackedByHiredis, redis.asyncio.SSLConnection):
    pass


def connection_pool(url: str) -> "redis.asyncio.ConnectionPool":
    """Say how to connect; nothing is opened yet."""
    pool = redis.asyncio.ConnectionPool.from_url(
        url,
        retry=AsyncRetry(NoBackoff(), 0),
        socket_timeout=SOCKET_TIMEOUT_SECONDS,
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        socket_keepalive=True,
        health_check_interval=0,
        protocol=3,
    )
    pool.connection_class = _TLSConnection if url.startswith("rediss:") else _Connection
    return pool


def connect(url: str) -> "redis.asyncio.Redis":
    """Make a client of one connection, opened at its first command."""
    client = redis.asyncio.Redis(connection_pool=connection_pool(url), single_connection_client=True)
    client.auto_close_connection_pool = True
    return client


def blocking_connection(url: str, timeout_seconds: float) -> Any:
    """Make a connection for a thread, whose replies may take up to `timeout_seconds`; nothing is opened yet."""
    pool: redis.ConnectionPool = redis.ConnectionPool.from_url(
        url,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=timeout_seconds,
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        socket_keepalive=True,
        health_check_interval=0,
        protocol=3,
    )
    return pool.make_connection()


def explain(error: BaseException) -> str:
    """Say in a few words why Redis can't be used."""
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {getattr(error, 'reason', None) or error}"
    text = (str(error) or type(error).__name__).removeprefix("Error ").strip()
    if isinstance(error, AuthenticationError):
        return f"the user or the password is wrong or missing ({text})"
    return text


def is_outage(error: BaseException) -> bool:
    """Whether it is worth trying again: Redis is away, starting or full, not wrongly addressed."""
    if isinstance(error, AuthenticationError | NoPermissionError):
        return False
    if isinstance(error, OutOfMemoryError | BusyLoadingError | ReadOnlyError | ClusterDownError | MasterDownError):
        return True
    # Before Redis 7, what a script met with stands inside of another error.
    return isinstance(error, CONNECTION_ERRORS) or _PASSING.search(str(error)) is not None


class Outage:
    """One stretch of time without Redis: says so once, waits longer each time, and tells when it is over."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._failures = 0
        self._since = 0.0

    @property
    def lasts(self) -> bool:
        """Whether Redis hasn't answered since it failed."""
        return self._failures > 0

    def failed(self, error: BaseException) -> float:
        """Note a failure; returns for how many seconds to wait."""
        if self._failures == 0:
            self._since = time.monotonic()
            log.warning("redis.away", doing=self._what, reason=explain(error), then="trying again until it answers")
        self._failures += 1
        longest: float = min(0.05 * 2 ** min(self._failures, 6), 2.0)
        return longest * random.uniform(0.5, 1)  # noqa: S311

    def over(self) -> None:
        """Note that Redis answered."""
        if self._failures:
            log.info("redis.back", doing=self._what, away_seconds=round(time.monotonic() - self._since, 3))
        self._failures = 0


async def until_answered(what: str, call: Callable[[bool], Awaitable[Result]]) -> Result:
    """Call until Redis answers; `call` is told whether it is a repeat and must be safe to repeat.

    Raises QueueUnavailableError for what waiting can't mend, such as a wrong password.
    """
    outage = Outage(what)
    repeated = False
    while True:
        try:
            result = await call(repeated)
        except (*CONNECTION_ERRORS, redis.RedisError) as error:
            if not is_outage(error):
                raise QueueUnavailableError(f"Redis refused to {what}: {explain(error)}") from error
            repeated = True
            await asyncio.sleep(outage.failed(error))
        else:
            outage.over()
            return result


async def check_server(client: "redis.asyncio.Redis") -> None:
    """Refuse a Redis that is too old, or that throws keys away when its memory is full.

    Raises UnsafeRedisError.
    """
    info: dict[str, Any] = await client.info()
    version = str(info.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST_SERVER:
        raise UnsafeRedisError(f"Redis {version} is too old: edworkers needs 6.2 or later")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise UnsafeRedisError(
            f"this Redis deletes keys when its memory is full (maxmemory-policy {policy}), and so would lose jobs; "
            "set it with: redis-cli CONFIG SET maxmemory-policy noeviction"
        )
