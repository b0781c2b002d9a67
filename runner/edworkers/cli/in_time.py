"""Ports whose every call ends within a time, whatever the server behind them does; one request's calls share it."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from edworkers.core.errors import QueueUnavailableError
from edworkers.server.time_limit import time_limit

Port = TypeVar("Port")


class _InTime:
    def __init__(self, port: object, seconds: float) -> None:
        self._port = port
        self._seconds = seconds

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        call: Callable[..., Awaitable[Any]] = getattr(self._port, name)
        seconds = self._seconds

        async def ask(*args: Any, **more: Any) -> Any:
            try:
                async with time_limit(seconds):
                    return await call(*args, **more)
            except TimeoutError as error:
                raise QueueUnavailableError(f"Redis can't be used: no answer within {seconds:g} s") from error

        self.__dict__[name] = ask
        return ask


def in_time(port: Port, seconds: float) -> Port:
    """Give a port whose async methods raise QueueUnavailableError where they take longer; it has no other members.

    What is asked within one request takes no longer in all, until its answer has begun.
    """
    return cast("Port", _InTime(port, seconds))
