"""What a server does besides answering: it watches jobs for those who wait, samples queues, carries on operations."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from edworkers.server.bulk import BulkRunner
from edworkers.server.platform import Platform
from edworkers.server.sampler import Sampler
from edworkers.server.watcher import Watcher
from edworkers.telemetry import log

_PAUSE_SECONDS = 5.0
_END_SECONDS = 2.0


class Background:
    """The tasks of one server."""

    def __init__(self, platform: Platform, stopping: asyncio.Event, *, is_wanted: bool) -> None:
        self.watcher = Watcher(platform)
        self._stopping = stopping
        self._works: dict[str, Callable[[], Awaitable[None]]] = {"watch": self.watcher.run}
        if is_wanted:
            self._works |= _more(platform)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Do all of it in the block."""
        tasks = [asyncio.create_task(_keep_on(name, work)) for name, work in self._works.items()]
        try:
            yield
        finally:
            self._stopping.set()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_END_SECONDS)


def _more(platform: Platform) -> dict[str, Callable[[], Awaitable[None]]]:
    return {"sample": Sampler(platform).run, "operate": BulkRunner(platform, platform.new_id()).run}


async def _keep_on(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Begin again with what has failed: a server without it would answer, and nobody would notice."""
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001 - whatever it is, the others go on
            log.exception("background.failed", work=name, again_in_seconds=_PAUSE_SECONDS)
        await asyncio.sleep(_PAUSE_SECONDS)
