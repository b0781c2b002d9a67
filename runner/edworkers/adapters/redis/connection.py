"""Connections to Redis, and what its errors mean; nothing is ever sent twice behind our back."""

import asyncio
import random
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import hiredis
import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
)
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from edworkers.adapters.redis.address import Host, RedisAddress, parse_address
from edworkers.adapters.redis.whereabouts import Question, Whereabouts, whereabouts
from edworkers.core.errors import QueueUnavailableError
from edworkers.telemetry import log

SOCKET_TIMEOUT_SECONDS = 5.0
CONNECT_TIMEOUT_SECONDS = 3.0
_PASSING = re.compile(
    r"(^|-)(OOM|MISCONF|BUSY|NOREPLICAS|TRYAGAIN|READONLY|MASTERDOWN|CLUSTERDOWN|LOADING|UNBLOCKED)\b"
)
"""Errors that pass without anyone mending settings, some of which redis-py has no type for."""
_PASSING_TYPES = (
    OutOfMemoryError,
    BusyLoadingError,
    ReadOnlyError,
    ClusterDownError,
    MasterDownError,
    TryAgainError,
    AskError,  # and MovedError, which is one
)

_WRONG_TYPE = (
    "a key of the queue holds another type than it should, as somebody set it by hand: find it with redis-cli --scan "
    "--pattern 'edworkers:{QUEUE}:*' and TYPE, and delete it"
)

Result = TypeVar("Result")

CONNECTION_ERRORS = (redis.ConnectionError, redis.TimeoutError, OSError, asyncio.TimeoutError)


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


class _Finding:
    """Connects to the server that has the key now: which one that is, is asked anew each time."""

    def __init__(self, *, place: Whereabouts | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.place = place

    async def connect_check_health(self: Any, check_health: bool = True, retry_socket_connect: bool = True) -> None:  # noqa: FBT001, FBT002 - as redis-py calls it
        if self.place is None or self.is_connected:
            await super().connect_check_health(check_health, retry_socket_connect)  # type: ignore[misc]
            return
        self.host, self.port = await find_host(self.place)
        await super().connect_check_health(check_health, retry_socket_connect)  # type: ignore[misc]
        if self.place.must_be_master:
            await self._check_role()

    async def _check_role(self: Any) -> None:
        await self.send_command("ROLE", check_health=False)
        role = await self.read_response()
        if role[0] != b"master":
            await self.disconnect(nowait=True)
            raise _no_master(self.host, self.port)


class _Connection(_Finding, _PackedByHiredis, redis.asyncio.Connection):
    pass


class _TLSConnection(_Finding, _PackedByHiredis, redis.asyncio.SSLConnection):
    pass


class _BlockingFinding:
    """As `_Finding`, for a thread."""

    def __init__(self, *, place: Whereabouts | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.place = place

    def connect_check_health(self: Any, check_health: bool = True, retry_socket_connect: bool = True) -> None:  # noqa: FBT001, FBT002 - as redis-py calls it
        if self.place is None or self._sock:
            super().connect_check_health(check_health, retry_socket_connect)  # type: ignore[misc]
            return
        self.host, self.port = self.place.ask(ask)
        super().connect_check_health(check_health, retry_socket_connect)  # type: ignore[misc]
        if self.place.must_be_master:
            self._check_role()

    def _check_role(self: Any) -> None:
        self.send_command("ROLE", check_health=False)
        if self.read_response()[0] != b"master":
            self.disconnect()
            raise _no_master(self.host, self.port)


class _BlockingConnection(_BlockingFinding, redis.Connection):
    pass


class _BlockingTLSConnection(_BlockingFinding, redis.SSLConnection):
    pass


def _no_master(host: str, port: int) -> Exception:
    return redis.ConnectionError(f"{host}:{port} is no master any more, or not yet")


async def find_host(place: Whereabouts) -> Host:
    """Ask where the server of a key is. Raises redis.ConnectionError, or what refuses us."""
    return await place.ask_async(ask_async)


async def ask_async(address: RedisAddress, question: Question) -> Any:
    """Ask one question on a connection of its own. Raises what redis-py raises."""
    pool: Any = connection_pool(address)
    connection = pool.make_connection()
    try:
        await connection.connect()
        await connection.send_command(*question, check_health=False)
        return await connection.read_response(timeout=CONNECT_TIMEOUT_SECONDS)
    finally:
        await connection.disconnect(nowait=True)


def ask(address: RedisAddress, question: Question) -> Any:
    """Ask one question on a connection of its own, in a thread that may wait. Raises what redis-py raises."""
    connection = blocking_connection(address, CONNECT_TIMEOUT_SECONDS)
    try:
        connection.connect()
        connection.send_command(*question, check_health=False)
        return connection.read_response()
    finally:
        connection.disconnect()


def _options(address: RedisAddress) -> dict[str, Any]:
    host = address.hosts[0]
    return {
        "host": host.name,
        "port": host.port,
        "username": address.username or None,
        "password": address.password or None,
        "db": address.database,
        "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": 0,
        "protocol": 3,
        # Neither says anything that we need, and a user of Redis would need rights for them.
        "driver_info": None,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        **address.options,
    }


def connection_pool(address: RedisAddress | str, key: str = "") -> "redis.asyncio.ConnectionPool":
    """Say how to connect to the server that has a key; nothing is opened yet."""
    to = parse_address(address) if isinstance(address, str) else address
    options: dict[str, Any] = {"socket_timeout": SOCKET_TIMEOUT_SECONDS, **_options(to)}
    return redis.asyncio.ConnectionPool(
        connection_class=_TLSConnection if to.tls else _Connection,
        place=whereabouts(to, key),
        retry=AsyncRetry(NoBackoff(), 0),
        **options,
    )


def connect(address: RedisAddress | str, key: str = "") -> "redis.asyncio.Redis":
    """Make a client of one connection to the server that has a key, opened at its first command."""
    client = redis.asyncio.Redis(connection_pool=connection_pool(address, key), single_connection_client=True)
    client.auto_close_connection_pool = True
    return client


def blocking_connection(address: RedisAddress | str, timeout_seconds: float, key: str = "") -> Any:
    """Make a connection for a thread, whose replies may take up to `timeout_seconds`; nothing is opened yet."""
    to = parse_address(address) if isinstance(address, str) else address
    kind: Any = _BlockingTLSConnection if to.tls else _BlockingConnection
    options = {**_options(to), "socket_timeout": timeout_seconds}
    return kind(place=whereabouts(to, key), retry=Retry(NoBackoff(), 0), **options)


def explain(error: BaseException) -> str:
    """Say in a few words why Redis can't be used."""
    tls = error if isinstance(error, ssl.SSLError) else error.__context__
    if isinstance(tls, ssl.SSLCertVerificationError):
        return f"the certificate of Redis can't be trusted: {tls.verify_message}"
    if isinstance(tls, ssl.SSLError):
        return f"TLS failed: {tls.reason or tls}"
    text = (str(error) or type(error).__name__).removeprefix("Error ").strip()
    if isinstance(error, AuthenticationError):
        return f"the user or the password is wrong or missing ({text})"
    if isinstance(error, AskError):
        return f"slot {error.slot_id} of the cluster {'has moved' if isinstance(error, MovedError) else 'moves'}"
    return f"{_WRONG_TYPE} ({text})" if "WRONGTYPE" in text else text


def is_outage(error: BaseException) -> bool:
    """Whether it is worth trying again: Redis is away, starting or full or somewhere else, not wrongly addressed."""
    if isinstance(error, AuthenticationError | NoPermissionError):
        return False
    # Before Redis 7, what a script met with stands inside of another error.
    return isinstance(error, (*CONNECTION_ERRORS, *_PASSING_TYPES)) or _PASSING.search(str(error)) is not None


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
