"""The handlers of `scheduled`, in runners that kill themselves at the step CRASH_AT, once; for tests."""

import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from edworkers.handlers import scheduled
from edworkers.handlers.scheduled import notification_batch, notification_rows
from edworkers.ports import Handle, Handler


def crash_at(step: str) -> None:
    if os.environ["CRASH_AT"] == step:
        try:
            Path(os.environ["CRASH_ONCE"]).touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


def crashing(function: Callable[..., Awaitable[Any]], name: str) -> Callable[..., Awaitable[Any]]:
    """Make a function crash before or after its work."""

    async def run(*arguments: Any) -> Any:
        crash_at(f"before {name}")
        returned = await function(*arguments)
        crash_at(f"after {name}")
        return returned

    return run


def patch(module: Any, function: str, name: str) -> None:
    setattr(module, function, crashing(getattr(module, function), name))


patch(notification_rows, "choose", "the claim, in its transaction")
patch(notification_batch, "claim_batch", "the claim")
patch(notification_batch, "read_batch", "reading")
patch(notification_rows, "mark", "the mark, in its transaction")
patch(notification_batch, "mark_sent", "the mark")


def crashing_handler(handler: Handler[Any]) -> Handler[Any]:
    assert handler.open is not None
    opens = handler.open

    @asynccontextmanager
    async def opened(env: Mapping[str, str]) -> AsyncGenerator[Handle]:
        async with opens(env) as handle:
            yield crashing(handle, f"{handler.type} as a whole")

    return replace(handler, open=opened)


MODULE = replace(scheduled.MODULE, handlers=tuple(crashing_handler(each) for each in scheduled.MODULE.handlers))
