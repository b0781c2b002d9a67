"""Records in a database what became of jobs, off their way: no job waits for it, and none depends on it.

Jobs that are done or cancelled are kept in memory until they are written: so many, and the oldest go first while the
database is away. Errors are not: the dead letters of the queue are their outbox, and a mark in Redis says up to when
they are in the ledger. So what a runner that is killed has not written yet, the next one finds.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Sequence
from contextlib import suppress

from edworkers.core.errors import DatabaseUnavailableError, LedgerError, QueueUnavailableError
from edworkers.pipeline.claim import Claimed
from edworkers.ports import DeadLetters, Finished, LedgerBook, Settlement, Unrecorded
from edworkers.telemetry import log

BATCH = 500
MOST_KEPT = 10_000
GATHER_SECONDS = 1.0
"""How long to gather before a write, so that a busy runner writes once a second."""
LOOK_SECONDS = 5.0
"""How often to look, in Redis only, for errors that others left unwritten."""
LONGEST_PAUSE_SECONDS = 60.0
CLOSE_SECONDS = 3.0
_NOTHING = Unrecorded((), 0, is_all=True)
_OUTCOMES = {"ack": "done", "cancel": "cancelled", "bury": "buried"}


class Ledger:
    """Gathers what a runner settles, and writes it by a task of its own (`run`)."""

    def __init__(self, queue: str, book: LedgerBook, dead: DeadLetters) -> None:
        self.dropped = 0
        """How many finished jobs were not recorded, as the database was away for too long."""
        self._queue = queue
        self._book = book
        self._dead = dead
        self._ending: dict[str, Finished] = {}
        self._finished: deque[Finished] = deque()
        self._seen: dict[tuple[str, int], None] = {}
        self._news = asyncio.Event()
        self._over = asyncio.Event()
        self._looks_at = 0.0
        self._failures = 0
        self._told = ""
        self._task: asyncio.Task[None] | None = None

    # What the runner tells; neither waits for anything.

    def note(self, claimed: Claimed, made: Settlement, *, now: int, ran: float | None) -> None:
        """Take note of a job that is about to end; `now` is in Unix ms, `ran` in seconds."""
        outcome = _OUTCOMES.get(made.verb)
        if outcome is None:
            return
        job = claimed.job
        self._ending[made.receipt] = Finished(
            self._queue,
            claimed.id,
            outcome,
            now,
            None if job is None else job.type,
            made.begun,
            None if job is None else job.time,
            None if ran is None else now - round(ran * 1000),
            ran,
            claimed.group or None,
        )

    def settled(self, settlements: Sequence[Settlement], lost: Sequence[str]) -> None:
        """Hear what the queue took; what was `lost` has not ended, or another runner has ended it."""
        for made in settlements:
            finished = self._ending.pop(made.receipt, None)
            if finished is None or made.receipt in lost:
                continue
            if finished.outcome == "buried":
                self._looks_at = 0.0
            else:
                self._keep(finished)
            self._news.set()

    def _keep(self, finished: Finished) -> None:
        self._finished.append(finished)
        if len(self._finished) > MOST_KEPT:
            self._finished.popleft()
            self.dropped += 1

    def _put_back(self, finished: Sequence[Finished]) -> None:
        """Keep what couldn't be written, as far as there is room beside what has come meanwhile."""
        room = max(MOST_KEPT - len(self._finished), 0)
        kept = finished[-room:] if room else ()
        self._finished.extendleft(reversed(kept))
        self.dropped += len(finished) - len(kept)

    # Its own task.

    def open(self) -> None:
        """Begin to write."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Write what is left, as far as that is soon done, and end. Errors that are left the next runner finds."""
        self._over.set()
        self._news.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=CLOSE_SECONDS)
            if not self._task.done():
                await self._book.close()  # a database that doesn't answer: what waits for it fails by this
                await asyncio.wait([self._task], timeout=1)
                self._task.cancel()
                await asyncio.gather(self._task, return_exceptions=True)
        await self._book.close()
        await _at_most(1, self._give_up_the_turn())
        if self._finished:
            log.warning(
                "ledger.incomplete",
                queue=self._queue,
                jobs=len(self._finished),
                reason=self._told or "the database was too slow",
                then="these finished jobs are not recorded; errors are caught up by the next runner",
            )

    async def _run(self) -> None:
        while not self._over.is_set():
            await self._wait()
            await self._try_to_write()
        self._looks_at = 0.0
        await self._try_to_write()

    async def _wait(self) -> None:
        """Wait until it is time to write or to look, or over."""
        if self._failures:
            await _happens(self._over, min(2.0 ** (self._failures - 1), LONGEST_PAUSE_SECONDS))
        elif await _happens(self._news, LOOK_SECONDS):
            await _happens(self._over, GATHER_SECONDS)

    async def _try_to_write(self) -> None:
        try:
            while await self._write_some():
                pass
        except (DatabaseUnavailableError, LedgerError) as error:
            await self._failed(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the jobs go on, and so does the ledger
            await self._failed(LedgerError(f"{type(error).__name__}: {error}"))
        else:
            self._succeeded()

    async def _failed(self, error: Exception) -> None:
        self._failures += 1
        reason = str(error)
        if self._told != reason:
            self._told = reason
            log.error(
                "ledger.failed",
                queue=self._queue,
                reason=reason,
                then="jobs go on; it is tried again, and errors are caught up",
            )
        await self._give_up_the_turn()

    def _succeeded(self) -> None:
        if self._failures:
            log.info("ledger.caught_up", queue=self._queue, dropped=self.dropped)
        self._failures, self._told = 0, ""

    async def _give_up_the_turn(self) -> None:
        """Let another runner write errors: it may reach the database, or live longer."""
        with suppress(QueueUnavailableError):  # then it ends by itself
            await self._dead.recorded(0, is_over=True)

    async def _write_some(self) -> bool:
        """Write one batch; returns whether there is more."""
        self._news.clear()
        found = await self._look()
        letters = [letter for letter in found.letters if (letter.job.id, letter.job.finished_at) not in self._seen]
        taken = [self._finished.popleft() for _ in range(min(BATCH, len(self._finished)))]
        try:
            if taken or letters:
                await self._book.write(taken, letters)
        except BaseException:
            self._put_back(taken)
            self._looks_at = 0.0
            raise
        self._seen |= dict.fromkeys((letter.job.id, letter.job.finished_at) for letter in letters)
        await self._note_mark(found.mark)
        if letters and not found.is_all:
            self._looks_at = 0.0
        return bool(self._finished or (letters and not found.is_all))

    async def _look(self) -> Unrecorded:
        loop = asyncio.get_running_loop()
        if loop.time() < self._looks_at:
            return _NOTHING
        try:
            found = await self._dead.unrecorded(BATCH)
        except QueueUnavailableError:
            return _NOTHING  # the runner tells of it
        self._looks_at = loop.time() + LOOK_SECONDS
        return found

    async def _note_mark(self, mark: int) -> None:
        if mark == 0:
            return
        with suppress(QueueUnavailableError):  # else they are found again, and are there already
            await self._dead.recorded(mark)
            self._seen = {key: None for key in self._seen if key[1] > mark}


async def _at_most(seconds: float, work: Awaitable[None]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await work


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, but no longer than this; returns whether it happened."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
