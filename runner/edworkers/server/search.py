"""Finds jobs in many queues and states, in steps: none takes long, and each says how far the search is.

A search goes through its places, a queue and a state each, one after the other. Between two steps all that there is to
know is in a token, so that whoever asks may stop, or go on later, at any server.
"""

import asyncio
import base64
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from edworkers.core.lifecycle import State
from edworkers.ports.browse import JobDetail, JobSummary, Wanted
from edworkers.server.platform import ServedQueue
from edworkers.server.sight import Sight

STATES = (State.DEAD, State.INFLIGHT, State.PENDING, State.DELAYED, State.DONE, State.CANCELLED)
"""In which order jobs are looked for: what people look for has most often failed."""
LOOKED_AT_ONCE = 1000
"""How many jobs one step looks at."""
ENOUGH = 100
"""After how many that it found a step ends before: what is shown takes longer than what is only looked at."""

_LOOKED_AT_IN_ONE_CALL = 250
_ID = re.compile(r"[!-~]{1,128}")
_LONGEST_TOKEN = 4096
_ALL = Sight(None)


class Hit(NamedTuple):
    """A job that was found."""

    queue: str
    job: JobSummary


@dataclass(frozen=True, slots=True)
class Step:
    """How far a search is."""

    hits: Sequence[Hit]
    """What this step found."""
    looked_at: int
    """How many jobs have been looked at since the search began."""
    total: int
    """How many there were to look at when it began."""
    next: str | None
    """A token with which it goes on; None where it is over."""


class _Mark(BaseModel):
    """Where a search is."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    place: str
    cursor: str | None = None
    looked_at: int = Field(ge=0)
    total: int = Field(ge=0)

    def as_token(self) -> str:
        return base64.urlsafe_b64encode(self.model_dump_json().encode()).decode().rstrip("=")

    @classmethod
    def read(cls, token: str) -> "_Mark":
        """Read a token. Raises ValueError for what is none."""
        try:
            padded = token[:_LONGEST_TOKEN] + "=" * (-len(token) % 4)
            return cls.model_validate_json(base64.b64decode(padded, altchars=b"-_", validate=True))
        except ValueError as error:
            raise ValueError("this is no place where a search could go on: begin it anew") from error


@dataclass(frozen=True, slots=True)
class JobSearch:
    """One search. Everything raises QueueUnavailableError."""

    queues: Mapping[str, ServedQueue]
    """Where to look, by name."""
    wanted: Wanted
    states: Collection[State] = STATES
    sight: Sight = _ALL
    """What whoever searches may see: they find nothing by a text that is hidden from them."""

    async def step(self, token: str | None = None, at_most: int = LOOKED_AT_ONCE) -> Step:
        """Look at up to so many more jobs; begin without a token.

        Raises ValueError for a token that is none of this search.
        """
        places = self._places()
        mark = await self._begin(places) if token is None else _Mark.read(token)
        if mark is None:
            return Step((), 0, 0, None)
        if mark.place not in places:
            raise ValueError("the search is at a queue that is not looked through any more: begin it anew")
        return await self._look(list(places), mark, at_most)

    def _places(self) -> dict[str, tuple[str, State]]:
        states = [state for state in STATES if state in self.states]
        return {f"{state}/{queue}": (queue, state) for state in states for queue in self.queues}

    async def _begin(self, places: Mapping[str, tuple[str, State]]) -> _Mark | None:
        if not places:
            return None
        return _Mark(place=next(iter(places)), looked_at=0, total=await self.count())

    async def count(self) -> int:
        """Count the jobs that there are to look at; those that are done and cancelled are counted together."""
        both = State.DONE in self.states and State.CANCELLED in self.states
        places = [(queue, state) for queue, state in self._places().values() if not (both and state is State.CANCELLED)]
        pages = await asyncio.gather(*(self.queues[queue].browser.page(state, None, 1) for queue, state in places))
        return sum(page.total for page in pages)

    async def _look(self, names: Sequence[str], mark: _Mark, at_most: int) -> Step:
        """Look at up to a step's number of jobs, in as many places as that takes."""
        places = self._places()
        at, cursor, looked_at, hits = names.index(mark.place), mark.cursor, 0, list[Hit]()
        while at < len(names) and looked_at < at_most and len(hits) < ENOUGH:
            queue, state = places[names[at]]
            count = min(_LOOKED_AT_IN_ONE_CALL, at_most - looked_at)
            found = await self.queues[queue].browser.search(state, self.wanted, cursor, count)
            hits += [Hit(queue, job) for job in found.jobs if self.sight.finds(job, self.wanted.text)]
            looked_at += found.looked_at
            cursor = found.next
            at += cursor is None
        seen = mark.looked_at + looked_at
        if at == len(names):
            return Step(hits, seen, seen, None)  # some may have gone on meanwhile
        total = max(mark.total, seen)
        return Step(hits, seen, total, _Mark(place=names[at], cursor=cursor, looked_at=seen, total=total).as_token())


async def find_by_id(queues: Mapping[str, ServedQueue], job_id: str) -> list[tuple[str, JobDetail]]:
    """Look up a job in every queue; empty for what can't be an id. Raises QueueUnavailableError."""
    if _ID.fullmatch(job_id) is None:
        return []
    found = await asyncio.gather(*(served.browser.detail(job_id) for served in queues.values()))
    return [(name, detail) for name, detail in zip(queues, found, strict=True) if detail is not None]
