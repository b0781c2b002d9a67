"""What has to go on whether or not runners are up: delayed jobs, lost runners, follow-up jobs, old records.

Any number of runners and keepers do this at once, and none of them leads. Each step is one script, so that whoever is
killed leaves nothing half done, and whoever comes second finds nothing left to do.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from edworkers.core.errors import QueueUnavailableError
from edworkers.core.queue_age import QueueAge, left_the_list
from edworkers.core.stats import KeeperStats
from edworkers.ports import Depths, KeptQueue
from edworkers.telemetry import log

BATCH = 500
INTERVAL_SECONDS = 1.0
ROUNDS_A_REPAIR = 30
"""What people break is looked for more rarely than what runners leave."""
_MOST_BATCHES = 200
"""Of one step in one round: what producers and runners add meanwhile mustn't hold up the steps that follow."""
_MOST_REPAIRS = 20

OnSample = Callable[[Depths], None]


class Keeper:
    """Keeps one queue, round after round; `on_sample`, if given, hears how it stands after each.

    What rounds did is added to `stats`.
    """

    def __init__(
        self, name: str, queue: KeptQueue, on_sample: OnSample | None = None, stats: KeeperStats | None = None
    ) -> None:
        self.queue = queue
        self._name = name
        self._on_sample = on_sample
        self._stats = stats or KeeperStats(name)
        self._age = QueueAge()
        self._rounds = itertools.count()
        self._failing: dict[str, str] = {}

    async def keep(self) -> int:
        """Do one round; returns how many things it moved or mended.

        A step that fails is told once, and doesn't hold up the others.
        """
        moved = 0
        if next(self._rounds) % ROUNDS_A_REPAIR == 0:
            moved += await self._try("repair", self._repair)
        queue = self.queue
        steps = {
            "promote": queue.promote,
            "reap": queue.reap,
            "sort": queue.sort,
            "forward": queue.forward,
            "trim": queue.trim,
        }
        for verb, step in steps.items():
            moved += await self._try(verb, self._batches_of(verb, step))
        if self._on_sample is not None:
            await self._try("sample", self._sample)
        self._stats.rounds += 1
        return moved

    async def _try(self, verb: str, step: Callable[[], Awaitable[int]]) -> int:
        try:
            count = await step()
        except QueueUnavailableError as error:
            self._tell_failed(verb, str(error))
            return 0
        except Exception as error:  # noqa: BLE001 - whatever it is, the other steps and queues are to go on
            self._tell_failed(verb, f"{type(error).__name__}: {error}", exc_info=error)
            return 0
        self._failing.pop(verb, None)
        self._stats.moved[verb] += count
        return count

    def _tell_failed(self, verb: str, reason: str, exc_info: Exception | None = None) -> None:
        self._stats.failures[verb] += 1
        if self._failing.get(verb) != reason:
            log.error(
                "keeper.failed", queue=self._name, step=verb, reason=reason, then="trying again", exc_info=exc_info
            )
        self._failing[verb] = reason

    def _batches_of(self, verb: str, step: Callable[[int], Awaitable[int]]) -> Callable[[], Awaitable[int]]:
        async def exhaust() -> int:
            moved = 0
            for _ in range(_MOST_BATCHES):
                count = await step(BATCH)
                moved += count
                if count and verb == "reap":
                    log.warning("lease.reaped", queue=self._name, jobs=count, reason="their runners stopped renewing")
                # What is sorted at once is bounded by its bytes as well.
                if count < BATCH and not (count and verb == "sort"):
                    break
            return moved

        return exhaust

    async def _repair(self) -> int:
        """Look as long as there is something to mend: a look sees only a part of a long queue."""
        mended = 0
        for _ in range(_MOST_REPAIRS):
            count = await self.queue.repair(BATCH)
            mended += count
            if count == 0:
                break
        return mended

    async def _sample(self) -> int:
        depths = await self.queue.sample()
        left = left_the_list(depths.inflight, depths.totals)
        now = asyncio.get_running_loop().time()
        reckoned = self._age.oldest_seconds(now, left=left, waiting=depths.pending)
        # An urgent job is at the front, and not the oldest: whichever is more is nearer to the truth.
        told = depths.oldest_seconds or 0.0
        if self._on_sample is not None:
            self._on_sample(replace(depths, oldest_seconds=max(told, reckoned)))
        return 0


async def keep_forever(
    queues: Callable[[], Sequence[tuple[str, KeptQueue]]],
    interval_seconds: float = INTERVAL_SECONDS,
    on_sample: OnSample | None = None,
    kept: dict[str, KeeperStats] | None = None,
) -> None:
    """Begin a round of every queue each `interval_seconds` until cancelled; which they are is asked anew each time.

    A queue whose round takes longer, as where its Redis is away, doesn't keep the others waiting. What the rounds did
    is added to `kept`, by queue.
    """
    keepers: dict[str, Keeper] = {}
    told: dict[str, KeeperStats] = {} if kept is None else kept
    rounds: dict[str, asyncio.Task[int]] = {}
    try:
        while True:
            for name, queue in queues():
                if name not in keepers or keepers[name].queue is not queue:
                    keepers[name] = Keeper(name, queue, on_sample, told.setdefault(name, KeeperStats(name)))
                if name not in rounds or rounds[name].done():
                    rounds[name] = asyncio.create_task(keepers[name].keep())
            await asyncio.sleep(interval_seconds)
    finally:
        for task in rounds.values():
            task.cancel()
        await asyncio.gather(*rounds.values(), return_exceptions=True)


async def keep(name: str, queue: KeptQueue) -> int:
    """Do one round for a queue, with all that is done more rarely; returns how many things it moved or mended."""
    return await Keeper(name, queue).keep()
