"""Notices a handler that blocks the event loop, and ends the process if it doesn't stop.

A blocked loop can't time anything out by itself: its cancellations wait behind the handler that blocks. `guard` is
called from the lifeline's thread, which goes on.
"""

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence

from edworkers.pipeline.handle import Attempt
from edworkers.pipeline.runner import Exit, Runner
from edworkers.ports import Settlement
from edworkers.telemetry import log

BEAT_SECONDS = 0.25
NOTICE_SECONDS = 1.0


class Watchdog:
    """Watches one runner's event loop."""

    def __init__(
        self,
        runner: Runner,
        *,
        settle: Callable[[Sequence[Settlement]], None],
        end_process: Callable[[int], None],
        grace_seconds: float = 5,
    ) -> None:
        self._runner = runner
        self._settle = settle
        self._end_process = end_process
        self._grace = grace_seconds
        self._told = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> None:
        """Begin to watch the running loop; called from its thread."""
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()
        self._beat()

    def _beat(self) -> None:
        self._beat_at = time.monotonic()
        if self._loop is not None:
            self._loop_time = self._loop.time()
            self._loop.call_later(BEAT_SECONDS, self._beat)

    @property
    def blocked_seconds(self) -> float:
        """For how long the loop has done nothing but one thing."""
        if self._loop is None:
            return 0.0
        return max(time.monotonic() - self._beat_at - BEAT_SECONDS, 0.0)

    def guard(self) -> None:
        """Look once; called from another thread."""
        if self.blocked_seconds < NOTICE_SECONDS:
            self._told = False
            return
        culprit = self._culprit()
        if not self._told:
            self._told = True
            self._tell(culprit)
        suspects = list(self._runner.running.values()) if culprit is None else [culprit]
        if suspects and all(self._is_overdue(suspect) for suspect in suspects):
            self._end(suspects)

    def _culprit(self) -> Attempt | None:
        """Find the job that blocks; None where it does so from a task that its handler made."""
        task = asyncio.current_task(self._loop)
        return next((a for a in list(self._runner.running.values()) if a.task is task), None)

    def _is_overdue(self, culprit: Attempt) -> bool:
        now = self._loop_time + self.blocked_seconds
        return now > culprit.deadline + self._grace

    def _tell(self, culprit: Attempt | None) -> None:
        frame = sys._current_frames().get(self._thread_id)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        where = "".join(traceback.format_stack(frame)[-3:]) if frame is not None else "unknown"
        log.warning(
            "loop.blocked",
            queue=self._runner.pool.queue,
            job=culprit.id if culprit is not None else None,
            seconds=round(self.blocked_seconds, 1),
            where=where,
            advice="await instead of blocking, or move the work to a thread: asyncio.to_thread(…)",
        )

    def _end(self, culprits: Sequence[Attempt]) -> None:
        for culprit in culprits:
            log.error(
                "handler.stuck",
                queue=self._runner.pool.queue,
                job=culprit.id,
                reason=f"the handler has blocked the event loop for {self.blocked_seconds:.1f} s, past its time",
                then="the runner gives its other jobs back and ends, to be started anew",
            )
        try:
            self._settle(self._runner.give_everything_up(culprits))
        finally:
            self._end_process(Exit.STUCK)
