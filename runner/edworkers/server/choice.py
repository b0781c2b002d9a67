"""Which jobs are meant by an operation on many, and what can be done to jobs in which state."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, NamedTuple

from edworkers.core.errors import EdworkersError
from edworkers.core.lifecycle import State
from edworkers.ports.books import BulkOperation
from edworkers.ports.browse import Wanted

MOST_IDS = 1000
"""How many jobs can be named one by one."""
ACTIONS: Mapping[str, frozenset[State]] = {
    "replay": frozenset({State.DEAD}),
    "drop": frozenset({State.DEAD}),
    "cancel": frozenset({State.PENDING, State.DELAYED, State.INFLIGHT}),
}
"""What can be done to many jobs, and in which states."""
_WORDS = {
    "text": "with “{}”",
    "type": "of type {}",
    "group": "of group {}",
    "error_kind": "failed by {}",
    "fingerprint": "of the cause {}",
    "before": "until {}",
    "after": "since {}",
}


class BulkRefusedError(EdworkersError):
    """An operation that makes no sense, or can't be changed any more."""


class Choice(NamedTuple):
    """Which jobs of a queue are meant: those with the ids, or else those that are wanted."""

    state: State
    ids: tuple[str, ...] = ()
    wanted: Wanted = Wanted()

    def in_words(self) -> str:
        """Say which jobs are meant: `3 dead jobs`, `dead jobs failed by time-out`."""
        if self.ids:
            return f"{self.state} job {self.ids[0]}" if len(self.ids) == 1 else f"{len(self.ids)} {self.state} jobs"
        asked = [_WORDS[name].format(value) for name, value in _given(self.wanted).items()]
        return " ".join([f"{self.state} jobs" if asked else f"all {self.state} jobs", *asked])

    def as_fields(self) -> dict[str, Any]:
        """Write it as an operation keeps it."""
        return {"ids": list(self.ids)} if self.ids else _given(self.wanted)

    @classmethod
    def of(cls, operation: BulkOperation) -> "Choice":
        """Read it from an operation. Raises ValueError for one that asks for what isn't known here."""
        ids = tuple(operation.wanted.get("ids", ()))
        unknown = sorted(set(operation.wanted) - {"ids"} - {field.name for field in fields(Wanted)})
        if unknown:
            raise ValueError(f"it asks for {', '.join(unknown)}, of which this server knows nothing")
        return cls(State(operation.state), ids, Wanted() if ids else Wanted(**operation.wanted))


def _given(wanted: Wanted) -> dict[str, Any]:
    return {name: value for name, value in asdict(wanted).items() if value is not None}


def check_choice(action: str, choice: Choice) -> None:
    """Refuse what makes no sense. Raises BulkRefusedError."""
    states = ACTIONS.get(action)
    if states is None:
        raise BulkRefusedError(f"{action!r} can't be done to many jobs; {', '.join(ACTIONS)} can")
    if choice.state not in states:
        raise BulkRefusedError(f"{action} is for jobs that are {' or '.join(sorted(states))}, not {choice.state}")
    if len(choice.ids) > MOST_IDS:
        raise BulkRefusedError(f"{len(choice.ids)} jobs are named, and {MOST_IDS} can be: say by a filter which")


def in_words(operation: BulkOperation) -> str:
    """Say which jobs an operation is for."""
    if operation.about:
        return operation.about
    try:
        return Choice.of(operation).in_words()
    except ValueError:
        return f"{operation.state} jobs"
