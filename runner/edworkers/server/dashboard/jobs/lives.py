"""Which attempts a job has had since it came on the list, or was put back on it, and their numbers; pure.

A replay gives a job all its attempts anew: its record counts those since then, and so are they numbered here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from edworkers.core.lifecycle import State
from edworkers.ports.browse import JobDetail, PastAttempt
from edworkers.ports.control import JobRecord


class Tried(NamedTuple):
    """An attempt that has ended, or the job's burial before one began."""

    attempt: PastAttempt
    number: int | None
    """From 1, as the job's record counts; one that cost nothing has that of the next. None where none began."""


@dataclass(frozen=True, slots=True)
class Life:
    """What became of a job from its coming on the list until it was buried, or until now."""

    tried: Sequence[Tried] = ()
    missing: int = 0
    """How many earlier attempts there were, of which nothing is kept."""
    running: int | None = None
    """The number of the attempt that the record itself tells of: the one that runs, or that did the job."""


def lives_of(detail: JobDetail) -> list[Life]:
    """Part a job's attempts by its replays; the last part is as it is now."""
    record, parts = detail.record, _parts(detail)
    forgotten = detail.past[0].number - 1 if detail.past else 0
    earlier = [_earlier(part, forgotten if at == 0 else 0) for at, part in enumerate(parts[:-1])]
    return [*earlier, _current(record, parts[-1], 0 if earlier else forgotten)]


def _parts(detail: JobDetail) -> list[list[PastAttempt]]:
    parts: list[list[PastAttempt]] = [[]]
    for attempt in detail.past:
        parts[-1].append(attempt)
        if attempt.outcome == "bury":
            parts.append([])
    if detail.record.state is State.DEAD and not parts[-1] and len(parts) > 1:
        parts.pop()
    return parts


def _earlier(part: Sequence[PastAttempt], forgotten: int) -> Life:
    return Life(_numbered(part, forgotten, is_begun=_is_begun(part)), forgotten)


def _current(record: JobRecord, part: Sequence[PastAttempt], forgotten: int) -> Life:
    runs = _tells_of_one(record, part)
    failed = sum(attempt.outcome == "retry" for attempt in part)
    missing = max(forgotten, record.attempts - len(part) - runs, 0)
    is_dead = record.state is State.DEAD
    is_begun = _is_begun(part) if missing else record.attempts > failed
    first = max(record.attempts - failed - (is_dead and is_begun) - runs, 0) if missing else 0
    tried = _numbered(part, first, is_begun=is_begun, most=record.attempts)
    return Life(tried, missing, (record.attempts or first + failed + 1) if runs else None)


def _tells_of_one(record: JobRecord, part: Sequence[PastAttempt]) -> bool:
    if record.started_at is None or record.state not in (State.INFLIGHT, State.DONE, State.CANCELLED):
        return False
    # What is cancelled while it waits was begun last by an attempt that is among those that have ended.
    return record.state is not State.CANCELLED or not part or part[-1].started_at != record.started_at


def _is_begun(part: Sequence[PastAttempt]) -> bool:
    """Whether the last of these, a burial, was one of an attempt of its own."""
    started = [attempt.started_at for attempt in part[-2:]]
    return bool(started) and started[-1] is not None and (len(started) == 1 or started[0] != started[1])


def _numbered(part: Sequence[PastAttempt], first: int, *, is_begun: bool, most: int = 0) -> list[Tried]:
    """Give attempts their numbers after the `first` ones, which are missing; `most` were begun, where that is known."""
    tried: list[Tried] = []
    failed = first
    for attempt in part:
        number = min(failed + 1, most) if most else failed + 1
        tried.append(Tried(attempt, None if attempt.outcome == "bury" and not is_begun else number))
        failed += attempt.outcome == "retry"
    return tried
