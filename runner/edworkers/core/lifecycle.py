"""The states of a job and what moves it between them."""

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """Where a job is; the names are those of the Redis keys."""

    PENDING = "pending"
    INFLIGHT = "inflight"
    DELAYED = "delayed"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing but a replay by hand moves the job on."""
        return self in {State.DONE, State.DEAD, State.CANCELLED}


class Move(StrEnum):
    """What moves a job; each is a verb of the queue. A plain LPUSH is an `enqueue` too."""

    ENQUEUE = "enqueue"
    CLAIM = "claim"
    ACK = "ack"
    RETRY = "retry"
    DEFER = "defer"
    BURY = "bury"
    CANCEL = "cancel"
    DUPLICATE = "duplicate"
    RELEASE = "release"
    REAP = "reap"
    PROMOTE = "promote"
    REPLAY = "replay"
    DROP = "drop"


class Transition(NamedTuple):
    """One way from state to state; None is where a job isn't yet, or is no more."""

    source: State | None
    move: Move
    target: State | None


TRANSITIONS = (
    Transition(None, Move.ENQUEUE, State.PENDING),
    Transition(None, Move.ENQUEUE, State.DELAYED),
    Transition(State.PENDING, Move.CLAIM, State.INFLIGHT),
    Transition(State.INFLIGHT, Move.ACK, State.DONE),
    Transition(State.INFLIGHT, Move.RETRY, State.DELAYED),
    Transition(State.INFLIGHT, Move.DEFER, State.DELAYED),
    Transition(State.INFLIGHT, Move.BURY, State.DEAD),
    Transition(State.INFLIGHT, Move.CANCEL, State.CANCELLED),
    Transition(State.INFLIGHT, Move.DUPLICATE, None),
    Transition(State.INFLIGHT, Move.RELEASE, State.PENDING),
    Transition(State.INFLIGHT, Move.REAP, State.PENDING),
    Transition(State.INFLIGHT, Move.REAP, State.DELAYED),
    Transition(State.DELAYED, Move.PROMOTE, State.PENDING),
    Transition(State.DELAYED, Move.CANCEL, State.CANCELLED),
    Transition(State.DEAD, Move.REPLAY, State.PENDING),
    Transition(State.DEAD, Move.DROP, None),
)
"""A lost runner's job goes back to the front the first time, and waits a while after that."""


def diagram() -> str:
    """Draw the table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2"]
    lines += [f"    {source or '[*]'} --> {target or '[*]'}: {move}" for source, move, target in TRANSITIONS]
    lines += [f"    {state} --> [*]" for state in State if state.is_final]
    return "\n".join(lines)
