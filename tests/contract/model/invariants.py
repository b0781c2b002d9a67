"""What must be true of a queue at any time, and from one moment to the next, whatever was done to it."""

from collections import Counter

from tests.contract.model.jobs import Phase
from tests.contract.model.model import Model
from tests.contract.model.view import Seen, View

from edworkers.core.lifecycle import TRANSITIONS, State

GONE = (State.DONE, State.CANCELLED, None)
"""A job's bytes are kept in none of these states."""
MOVES = {(move.source, move.target) for move in TRANSITIONS} | {(state, state) for state in (*State, None)}
LEAPS = MOVES | {(first, last) for first, middle in MOVES for again, last in MOVES if middle is again}
"""Where two moves, as a release and the next claim, may come in one call."""


def check(view: View, model: Model) -> None:
    """Hold one look at a queue against the promises."""
    assert set(view.inflight) == view.lease, "a receipt without its lease, or a lease without its job"
    assert view.delayed == set(view.entries), "a delayed id without its entry, or an entry without its time"
    assert sum(view.dead.values()) + sum(view.finished.values()) == view.totals.get("recordBytes", 0)
    assert Counter(view.grouped.values()) == Counter(view.running), "a group's running jobs are miscounted"
    _check_causes(view)
    _check_places(view, model)
    _check_attempts(view, model)
    _check_holders(view, model)


def _check_causes(view: View) -> None:
    """Find each dead job that has a fingerprint counted under it, once, and nothing else."""
    assert Counter(view.fingerprints.values()) == Counter(view.causes), "dead jobs of one cause are miscounted"
    assert 0 not in view.causes.values(), "a cause without a job is kept"
    buried = {job_id: record.fingerprint for job_id, record in view.records.items() if record.fingerprint}
    assert view.fingerprints.keys() <= view.dead.keys(), "a job that isn't dead is counted"
    assert buried.items() <= view.fingerprints.items(), "a dead job isn't counted under its cause"


def _check_places(view: View, model: Model) -> None:
    """Find each job in its one place, byte for byte."""
    found = Counter(view.payloads())
    expected = Counter(job.payload for job in model.jobs if job.state not in GONE)
    assert found == expected, f"lost: {expected - found}, too many: {found - expected}"


def _check_attempts(view: View, model: Model) -> None:
    begun = {job.payload: job.begun for job in model.jobs}
    for seen in _all(view):
        assert seen.attempts <= begun[seen.payload], f"an attempt was counted that wasn't begun: {seen}"


def _check_holders(view: View, model: Model) -> None:
    """Let no id, and no unique key, be in two runners' hands at once."""
    begun = [held for held in model.held.values() if held.phase is Phase.STARTED and held.receipt in view.lease]
    for what in ([held.id for held in begun], [held.job.key for held in begun if held.job.key]):
        assert len(set(what)) == len(what), f"two runners have {what}"
    waiting = [(known.unique, job_id) for job_id, known in model.known.items() if known.unique]
    admitted = {pair for pair in waiting if model.known[pair[1]].job.state not in {*GONE, State.DEAD}}
    keys = [key for key, _ in admitted]
    assert len(set(keys)) == len(keys), f"two that wait or run have the same unique key: {admitted}"
    alive = {(job.key, job.id) for job in model.jobs if job.state not in {*GONE, State.DEAD}}
    for key, job_id in view.unique.items():
        assert (key, job_id) in alive, f"the key {key} is kept for {job_id}, which neither waits nor runs"


def _all(view: View) -> list[Seen]:
    lists = (view.pending, view.arrived, *view.lines.values(), view.inflight.values(), view.entries.values())
    return [seen for seens in lists for seen in seens]


def states(view: View) -> dict[bytes, State | None]:
    """Say of each job that lies somewhere in which state that is."""
    waiting = [*view.pending, *view.arrived, *(seen for line in view.lines.values() for seen in line)]
    return {
        **{seen.payload: State.PENDING for seen in waiting},
        **{seen.payload: State.INFLIGHT for seen in view.inflight.values()},
        **{seen.payload: State.DELAYED for seen in view.entries.values()},
        **{record.payload: State.DEAD for record in view.records.values() if record.payload is not None},
    }


def check_moves(before: View, after: View, model: Model) -> None:
    """Let jobs move only as the life cycle says, and none lose what was counted of it."""
    old, new = states(before), states(after)
    for job in model.jobs:
        source, target = old.get(job.payload), new.get(job.payload)
        targets = GONE if target is None else (target,)
        sources = GONE if source is None and target is None else (source,)
        assert any((a, b) in LEAPS for a in sources for b in targets), (
            f"{job.payload!r} moved from {source} to {target}"
        )
    counted = {seen.payload: (seen.deliveries, seen.attempts) for seen in _all(before)}
    for seen in _all(after):
        deliveries, attempts = counted.get(seen.payload, (0, 0))
        assert seen.deliveries >= deliveries, f"deliveries went back: {seen}"
        assert seen.attempts >= attempts, f"attempts went back: {seen}"
