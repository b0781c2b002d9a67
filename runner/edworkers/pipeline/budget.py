"""What a claimed job needs beyond a slot: room in the limits of its group, and in those that count tokens.

Only a job that has been read says what it needs, so that this is reserved after its claim. One for which there is no
room goes back to where it was.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from edworkers.core.limits import MINUTE_MS, Limited
from edworkers.core.outcome import Done, Outcome
from edworkers.core.settings import Window
from edworkers.core.verdict import Bury
from edworkers.pipeline.claim import Claimed
from edworkers.ports import Grant, Limiter
from edworkers.telemetry import log

MakeLimiter = Callable[[str, Sequence[Window]], Limiter]
"""Gives the limiter of a name; those of one name share what is used."""


_LONGEST_WAIT_MS = 60_000
"""Until it is asked again: a limit may be raised meanwhile."""
_TOKENS_WAIT_MS = 5_000
"""The same, where a minute's tokens are used up: of what running jobs have reserved, part is given back soon."""
_MOST_TOLD = 10_000


class Refusal(NamedTuple):
    """Why a job can't be run now."""

    grant: Grant
    """Says which limit is used up, and how long until there may be room."""
    wait_ms: int
    """How long to wait before it is asked again."""
    is_of_group: bool
    """Whether it is so for the job's group alone, or for the whole queue."""


@dataclass(frozen=True, slots=True)
class _Taken:
    limiter: Limiter
    reservation: str
    count: int
    is_tokens: bool


class Budget:
    """The limits of one queue that can be known only of a job that has been read."""

    on_room: Callable[[], None] = staticmethod(lambda: None)
    """Called when something was given back, so that there may be room for a job that was refused."""

    def __init__(self, limits: Sequence[Limited], make_limiter: MakeLimiter) -> None:
        self._limits = limits
        self._make_limiter = make_limiter
        self._taken: dict[str, list[_Taken]] = {}
        self._returning: set[asyncio.Task[None]] = set()
        self._told: set[tuple[str, str]] = set()

    async def take(self, read: Sequence[Claimed]) -> list[tuple[Claimed, Refusal | None]]:
        """Reserve what each job needs that may run; all of it, or nothing, and then say why."""
        runnable = [claimed for claimed in read if claimed.is_runnable]
        refusals = await asyncio.gather(*(self._take(claimed) for claimed in runnable))
        refused = {claimed.receipt: refusal for claimed, refusal in zip(runnable, refusals, strict=True)}
        return [(claimed, refused.get(claimed.receipt)) for claimed in read]

    async def _take(self, claimed: Claimed) -> Refusal | None:
        taken = self._taken[claimed.receipt] = list[_Taken]()
        for limited, count in self._needs_of(claimed):
            limiter = self._make_limiter(limited.of(claimed.group), limited.windows)
            grant = await limiter.reserve(count, whole=True)
            if not grant.granted:
                self.settle(claimed, None)
                return self._refuse(claimed, limited, grant)
            taken.append(_Taken(limiter, grant.reservation, count, limited.counts == "tokens"))
            if self._told and limited.per == "group":
                self._told -= {(claimed.group, window.name) for window in limited.windows}
        return None

    def _needs_of(self, claimed: Claimed) -> list[tuple[Limited, int]]:
        """Say what a job needs; one whose needs can't be told, for its handler's estimate fails, is not to be run."""
        try:
            return [(limited, count) for limited in self._limits if (count := _needs(claimed, limited))]
        except Exception as error:  # noqa: BLE001 - a fault in a handler's own estimate is that job's, not the runner's
            message = f"the handler's estimate of tokens failed: {type(error).__name__}: {error}"
            claimed.refusal = Bury({"kind": "check", "message": message})
            return []

    def _refuse(self, claimed: Claimed, limited: Limited, grant: Grant) -> Refusal:
        is_of_group = limited.per == "group"
        if is_of_group:
            self._tell(claimed.group, grant)
        is_short = limited.counts == "tokens" and grant.retry_ms < 2 * MINUTE_MS
        wait_ms = min(max(grant.retry_ms, 1), _TOKENS_WAIT_MS if is_short else _LONGEST_WAIT_MS)
        return Refusal(grant, wait_ms, is_of_group)

    def _tell(self, group: str, grant: Grant) -> None:
        """Say once of a group that a limit of its own is used up; it is asked again and again."""
        if len(self._told) > _MOST_TOLD:
            self._told.clear()
        if (group, grant.window) not in self._told:
            self._told.add((group, grant.window))
            opens = round(grant.retry_ms / 1000, 1)
            log.info("limit.reached", window=grant.window, group=group, opens_in_seconds=opens)

    def settle(self, claimed: Claimed, outcome: Outcome | None) -> None:
        """Count what a job really used; one that was not begun, whose `outcome` is None, gives everything back."""
        for taken in self._taken.pop(claimed.receipt, ()):
            if outcome is None:
                self._later(taken.limiter.refund(taken.reservation, taken.count))
            elif taken.is_tokens and isinstance(outcome, Done) and outcome.tokens is not None:
                self._later(taken.limiter.adjust(taken.reservation, max(outcome.tokens, 0)))

    def forget(self, receipt: str) -> None:
        """Leave as it is what was reserved for a job whose lease was lost: it may have been used."""
        self._taken.pop(receipt, None)

    def _later(self, call: Coroutine[None, None, None]) -> None:
        """Let nobody wait for it: where it fails, quota is wasted or exceeded by one job's error of estimate."""
        task = asyncio.get_running_loop().create_task(call)
        self._returning.add(task)
        task.add_done_callback(self._returned)

    def _returned(self, task: "asyncio.Task[None]") -> None:
        self._returning.discard(task)
        self.on_room()

    async def close(self) -> None:
        """Wait until everything is counted."""
        await asyncio.gather(*self._returning)


def _needs(claimed: Claimed, limited: Limited) -> int:
    """Say how much of a limit a job needs: no more than there is of it, or it could never run."""
    if limited.per == "group" and not claimed.group:
        return 0
    if limited.counts == "jobs":
        return 1
    return min(claimed.tokens, *(window.limit for window in limited.windows))
