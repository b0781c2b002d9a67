"""A job's life as a line of waits and attempts, with how long each took; pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from edworkers.core.lifecycle import State
from edworkers.ports.browse import JobDetail, PastAttempt
from edworkers.ports.control import JobRecord
from edworkers.server.dashboard.jobs.lives import Life, lives_of

OUTCOMES = {
    "retry": " failed",
    "defer": " put off, at no cost",
    "bury": " failed for good",
    "lost": ": its runner was lost",
}
"""What is said of an attempt, by how it ended."""
_REFUSALS = {"expired": "Expired before it began", "poison": "Given up, and not begun again"}
"""What is said of a burial before an attempt began, by the kind of its error, where that isn't a refusal."""
_ENDS = {State.DONE: "Done", State.DEAD: "Put into the dead letters", State.CANCELLED: "Cancelled"}
_WIDTH = 1000
_LEAST = 8
"""Of a strip a thousand wide, so that what was short can be seen."""


@dataclass(frozen=True, slots=True)
class Span:
    """A wait or an attempt, or a moment between two; times are Unix ms."""

    kind: str
    """`moment`, `wait` or `attempt`."""
    title: str
    tone: str
    """How it went: `done`, `dead`, `retry`, `inflight`, `delayed`, `pending`, `cancelled`."""
    at: int | None
    until: int | None = None
    """When it ended; None for a moment, and for what lasts or isn't known."""
    lasts: bool = False
    """Whether it isn't over yet."""
    error: Mapping[str, Any] | None = None

    @property
    def seconds(self) -> float | None:
        """How long it took; None where that isn't known, or it isn't over."""
        return None if self.at is None or self.until is None else max(0, self.until - self.at) / 1000


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of the strip that shows all at a glance, from 0 to 1000 in width."""

    x: int
    width: int
    tone: str
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Story:
    """A job's life in the order in which it went."""

    before: Sequence[Span]
    """What was before it was last replayed; empty where it never was."""
    spans: Sequence[Span]
    """What has been since then, or since it was enqueued."""


def story_of(detail: JobDetail) -> Story:
    """Tell a job's life."""
    record = detail.record
    *earlier, current = lives_of(detail)
    enqueued = [] if record.queued_at is None else [Span("moment", "Enqueued", "pending", record.queued_at)]
    before = list(chain.from_iterable([*_life(life, record), _replayed()] for life in earlier))[:-1]
    opening = [_replayed()] if earlier else enqueued
    line = [*opening, *_life(current, record)]
    return Story(list(_with_waits([*enqueued, *before])) if earlier else [], [*_with_waits(line), *_rest(record, line)])


def _replayed() -> Span:
    return Span("moment", "Replayed", "pending", None)


def _life(life: Life, record: JobRecord) -> Iterator[Span]:
    if life.missing:
        told = f"{life.missing} earlier attempt{'' if life.missing == 1 else 's'}, of which nothing is kept"
        yield Span("moment", told, "retry", None)
    for attempt, number in life.tried:
        yield _refusal(attempt) if number is None else _attempt(attempt, number)
    if life.running is not None:
        yield _latest(record, life.running)


def _refusal(attempt: PastAttempt) -> Span:
    title = _REFUSALS.get(str((attempt.error or {}).get("kind")), "Refused before it began")
    return Span("moment", title, "dead", attempt.ended_at, error=attempt.error)


def _attempt(attempt: PastAttempt, number: int) -> Span:
    tone = {"bury": "dead", "defer": "delayed"}.get(attempt.outcome, "retry")
    title = f"Attempt {number}{OUTCOMES.get(attempt.outcome, f' {attempt.outcome}')}"
    return Span("attempt", title, tone, attempt.started_at, attempt.ended_at, error=attempt.error)


def _latest(record: JobRecord, number: int) -> Span:
    title = f"Attempt {number}"
    if record.state is State.INFLIGHT:
        return Span("attempt", f"{title} runs", "inflight", record.started_at, lasts=True)
    if record.state is State.CANCELLED:
        return Span("attempt", f"{title} was cancelled", "cancelled", record.started_at, record.finished_at)
    return Span("attempt", f"{title} did it", "done", record.started_at, record.finished_at)


def _with_waits(line: Sequence[Span]) -> Iterator[Span]:
    """Put the waits between what is known; when a job was replayed isn't."""
    ended: int | None = None
    for span in line:
        if span.kind == "attempt" and span.at is not None and ended is not None and span.at > ended:
            yield Span("wait", "Waited", "wait", ended, span.at)
        yield span
        ended = span.until if span.kind == "attempt" else span.at


def _rest(record: JobRecord, line: Sequence[Span]) -> Iterator[Span]:
    """Tell how it ended, or for what it waits."""
    ends = [span.until or span.at for span in line if span.until or span.at]
    since = ends[-1] if ends else None
    if record.state in _ENDS:
        yield Span("moment", _ENDS[record.state], str(record.state), record.finished_at)
    elif record.state is State.DELAYED:
        yield Span("wait", "Waits until it is due", "delayed", since, record.due_at, lasts=True)
    elif record.state is State.PENDING:
        yield Span("wait", "Waits for a runner", "pending", since, lasts=True)
    elif record.started_at is None:
        yield Span("attempt", "Runs", "inflight", since, lasts=True)


def strip_of(spans: Sequence[Span], now: int) -> list[Bar]:
    """Lay waits and attempts side by side, as wide as they were long; what was short is widened to be seen."""
    long = [(span, _duration(span, now)) for span in spans if span.kind != "moment"]
    total = sum(milliseconds for _, milliseconds in long)
    if not total or len(long) * _LEAST > _WIDTH:
        return []
    free = _WIDTH - len(long) * _LEAST
    bars: list[Bar] = []
    x = 0
    for span, milliseconds in long:
        width = _LEAST + free * milliseconds // total
        bars.append(Bar(x, width, span.tone, span.kind, span.title))
        x += width
    return bars


def _duration(span: Span, now: int) -> int:
    if span.at is None:
        return 0
    return max(0, (span.until if span.until is not None else now) - span.at)
