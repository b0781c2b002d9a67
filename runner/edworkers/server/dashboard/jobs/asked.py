"""What a form or an address asks for: which jobs, by filter or by name."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Protocol

from edworkers.core.lifecycle import State
from edworkers.ports.browse import Wanted
from edworkers.server.search import STATES

LONGEST_TEXT = 200
WITHIN = {"1h": (3_600_000, "the last hour"), "24h": (86_400_000, "the last 24 hours"), "7d": (604_800_000, "7 days")}
"""Spans of time that can be chosen: how many ms, and in words."""


class Given(Protocol):
    """Fields of a query or a form."""

    def get(self, key: str, /) -> object:
        """Give the value of a field; None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for."""

    wanted: Wanted
    queue: str | None
    """The only queue to look in; None for all."""
    state: State | None
    """The only state to look for; None for all."""
    within: str = ""

    @property
    def states(self) -> Collection[State]:
        """In which states to look."""
        return STATES if self.state is None else (self.state,)

    @property
    def is_only_text(self) -> bool:
        """Whether nothing but a text is asked for, which may be an id."""
        only = self.wanted.text is not None and self.wanted == Wanted(text=self.wanted.text)
        return only and self.state is None and self.queue is None

    def as_fields(self) -> dict[str, str]:
        """Write it as fields of an address or a form; its span of time stands as the moment when that begins."""
        given = {name: str(value) for name, value in asdict(self.wanted).items() if value is not None}
        given |= {"queue": self.queue} if self.queue else {}
        return given | ({"state": str(self.state)} if self.state else {})


def read_asked(given: Given, queues: Collection[str], now: int) -> Asked:
    """Read what is asked for; what can't be is left out. `now` is in Unix ms."""
    queue, state, within = _text(given, "queue"), _text(given, "state"), _text(given, "within") or ""
    wanted = read_wanted(given)
    if within in WITHIN and wanted.after is None:
        wanted = replace(wanted, after=now - WITHIN[within][0])
    return Asked(
        wanted,
        queue if queue in queues else None,
        State(state) if state in set(State) else None,
        within if within in WITHIN else "",
    )


def read_wanted(given: Given) -> Wanted:
    """Read a filter, whose fields are called as in `Wanted`; an empty one asks for nothing."""
    return Wanted(
        text=_text(given, "text"),
        type=_text(given, "type"),
        group=_text(given, "group"),
        error_kind=_text(given, "error_kind"),
        fingerprint=_text(given, "fingerprint"),
        before=_moment(given, "before"),
        after=_moment(given, "after"),
    )


def _moment(given: Given, name: str) -> int | None:
    value = _text(given, name)
    return int(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 16 else None


def _text(given: Given, name: str) -> str | None:
    value = given.get(name)
    return value.strip()[:LONGEST_TEXT] or None if isinstance(value, str) else None


def by_place(named: Collection[str]) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """Sort jobs that are named as `queue state id` by queue and state; what isn't so is left out."""
    places: dict[tuple[str, str], tuple[str, ...]] = {}
    for words in named:
        queue, _, rest = words.partition(" ")
        state, _, job_id = rest.partition(" ")
        if job_id and state in set(State):
            places[queue, state] = (*places.get((queue, state), ()), job_id)
    return places
