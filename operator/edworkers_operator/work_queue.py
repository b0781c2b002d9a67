"""Which pools are to be looked at: each key once, however often it was asked for, and later again where it failed."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 60.0


def backoff_seconds(failures: int, roll: float) -> float:
    """Say how long to wait after so many failures in a row; `roll` (0 to 1) spreads keys that failed together."""
    return float(min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** min(failures - 1, 20)) * (0.75 + 0.5 * roll))


class WorkQueue(Generic[K]):
    """Keys to be worked on; one key is never worked on twice at once."""

    def __init__(
        self,
        work: Callable[[K], Awaitable[float | None]],
        on_failure: Callable[[K, Exception], None],
        rest_seconds: float = 0,
    ) -> None:
        """Take what is to be done for a key: it returns after how many seconds to do it again without being asked.

        A key rests after its work, so that two who undo each other's changes don't do so as fast as they can.
        """
        self._work = work
        self._on_failure = on_failure
        self._rest_seconds = rest_seconds
        self._ready: asyncio.Queue[K] = asyncio.Queue()
        self._waiting: set[K] = set()
        self._running: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}

    def add(self, key: K) -> None:
        """Ask for a key to be worked on, now or as soon as it isn't being worked on."""
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        if key in self._running:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)

    def add_later(self, key: K, seconds: float) -> None:
        """Ask for a key to be worked on after so long, or at the next `add` before that."""
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self.add, key)

    @property
    def depth(self) -> int:
        """How many keys wait."""
        return len(self._waiting)

    async def run(self, workers: int) -> None:
        """Work until cancelled, on so many keys at once."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._run_worker())

    async def _run_worker(self) -> None:
        while True:
            key = await self._ready.get()
            self._waiting.discard(key)
            self._running.add(key)
            try:
                await self._work_on(key)
            finally:
                asyncio.get_running_loop().call_later(self._rest_seconds, self._end_rest, key)

    def _end_rest(self, key: K) -> None:
        self._running.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    async def _work_on(self, key: K) -> None:
        try:
            seconds = await self._work(key)
        except Exception as error:  # noqa: BLE001 - whatever went wrong with one pool must not stop the others
            self._failures[key] = self._failures.get(key, 0) + 1
            self._on_failure(key, error)
            self.add_later(key, backoff_seconds(self._failures[key], random.random()))  # noqa: S311 - spreads load
        else:
            self._failures.pop(key, None)
            if seconds is not None:
                self.add_later(key, seconds)
