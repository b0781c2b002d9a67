"""One connection on which several calls may be under way at once."""

import asyncio
import math
from collections import deque
from typing import Any

import redis
from redis.exceptions import NoPermissionError

from edworkers.adapters.redis.address import RedisAddress
from edworkers.adapters.redis.connection import SOCKET_TIMEOUT_SECONDS, connection_pool, is_outage
from edworkers.adapters.redis.safety import danger, read_info
from edworkers.telemetry import log


class Pipe:
    """Sends a call without waiting for the replies to those before it: Redis answers in order.

    So Redis works on one call while this process makes the next. When the connection breaks, every call under way
    raises; whether it happened isn't known then. `timeout_seconds` is how long Redis may say nothing at all.
    """

    def __init__(self, address: RedisAddress | str, timeout_seconds: float = SOCKET_TIMEOUT_SECONDS) -> None:
        self._pool: Any = connection_pool(address)
        self._timeout = timeout_seconds
        self._connection: Any = None
        self._connecting = asyncio.Lock()
        self._under_way: deque[asyncio.Future[Any]] = deque()
        self._answered = 0
        self._watch: asyncio.TimerHandle | None = None
        self._reading: asyncio.Task[None] | None = None
        self._is_closed = False

    async def execute_command(self, *words: Any) -> Any:
        """Send a command and wait for its reply.

        A reply for which nobody waits any more is read all the same: those to other calls come after it.
        """
        connection: Any = self._connection or await self._connect()
        loop = asyncio.get_running_loop()
        try:
            connection.write(words)
        except redis.ConnectionError as error:
            self._break(error)  # its reader hasn't noticed yet
            raise
        reply: asyncio.Future[Any] = loop.create_future()
        self._under_way.append(reply)
        if self._watch is None:
            self._watch = loop.call_later(self._timeout, self._look, self._answered)
        return await reply

    async def _connect(self) -> Any:
        async with self._connecting:
            if self._is_closed:
                raise redis.ConnectionError("the connection was closed")
            if self._connection is None:
                connection = self._pool.make_connection()
                await self._open(connection)
                self._connection = connection
                self._reading = asyncio.get_running_loop().create_task(self._read(connection))
        return self._connection

    async def _open(self, connection: Any) -> None:
        # Under its own time-out it sends by `wait_for`, which before Python 3.12 may lose a cancellation.
        connection.socket_timeout = None
        try:
            async with asyncio.timeout(self._timeout):
                await connection.connect()
                await _look_for_danger(connection)
        except BaseException:
            connection.abort()
            raise

    async def _read(self, connection: Any) -> None:
        """Hand each reply to the call that has waited longest, until the connection breaks."""
        try:
            while connection is self._connection:
                answer = await _answer(connection)
                if connection is not self._connection:
                    break  # given up meanwhile: whoever waits now waits for the replies of another connection
                self._answered += 1
                _give(self._under_way.popleft(), answer)
                if isinstance(answer, redis.ResponseError) and _sends_elsewhere(answer):
                    # A server that became a replica, say: the next call asks anew where to connect to.
                    self._break(redis.ConnectionError(f"given up for what another call was told: {answer}"))
        except Exception as error:  # noqa: BLE001 - whatever broke the connection, no call may wait for ever
            self._fail(connection, error)
        await connection.disconnect(nowait=True)

    def _look(self, answered: int) -> None:
        """Break with a Redis that has answered nothing since the last look, and was asked something."""
        self._watch = None
        if not self._under_way:
            return
        if answered == self._answered:
            self._break(redis.TimeoutError(f"no answer within {self._timeout:g} s"))
        else:
            self._watch = asyncio.get_running_loop().call_later(self._timeout, self._look, self._answered)

    def _break(self, error: Exception) -> None:
        connection = self._connection
        if connection is not None:
            self._fail(connection, error)
            connection.abort()

    def _fail(self, connection: Any, error: Exception) -> None:
        if connection is not self._connection:
            return
        self._connection = None
        under_way, self._under_way = self._under_way, deque()
        for reply in under_way:
            _give(reply, error)

    async def close(self) -> None:
        """Close the connection for good; calls under way raise."""
        self._is_closed = True
        self._break(redis.ConnectionError("the connection was closed"))
        if self._watch is not None:
            self._watch.cancel()
        if self._reading is not None:
            await self._reading


async def _look_for_danger(connection: Any) -> None:
    """Say that this Redis could lose jobs: it may be another one than at the start, or set otherwise.

    Work goes on: what is run and settled is safe, and what waits is no safer if nobody takes it.
    """
    await connection.send_command("INFO", check_health=False)
    try:
        reason = danger(read_info(await connection.read_response()))
    except NoPermissionError:
        return
    if reason is not None:
        log.error("redis.unsafe", reason=reason)


async def _answer(connection: Any) -> Any:
    try:
        return await connection.read_response(timeout=math.inf)
    except redis.ResponseError as error:
        return error


def _sends_elsewhere(answer: redis.ResponseError) -> bool:
    return is_outage(answer) and not isinstance(answer, redis.OutOfMemoryError)


def _give(reply: "asyncio.Future[Any]", answer: Any) -> None:
    if reply.done():
        return
    if isinstance(answer, Exception):
        reply.set_exception(answer)
    else:
        reply.set_result(answer)
