"""The states of a job and what moves it between them."""

from enum import StrEnum


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
        """Whether nothing but a replay moves the job on."""
        return self in {State.DONE, State.DEAD, State.CANCELLED}


class Move(StrEnum):
    """What moves a job; each is a verb of the queue."""

    CLAIM = "claim"
    ACK = "ack"
    RETRY = "retry"
    DEFER = "defer"
    BURY = "bury"
    CANCEL = "cancel"
    RELEASE = "release"
    REAP = "reap"
    PROMOTE = "promote"
    REPLAY = "replay"


TRANSITIONS: dict[tuple[State, Move], State] = {
    (State.PENDING, Move.CLAIM): State.INFLIGHT,
    (State.INFLIGHT, Move.ACK): State.DONE,
    (State.INFLIGHT, Move.RETRY): State.DELAYED,
    (State.INFLIGHT, Move.DEFER): State.DELAYED,
    (State.INFLIGHT, Move.BURY): State.DEAD,
    (State.INFLIGHT, Move.CANCEL): State.CANCELLED,
    (State.INFLIGHT, Move.RELEASE): State.PENDING,
    (State.INFLIGHT, Move.REAP): State.PENDING,
    (State.DELAYED, Move.PROMOTE): State.PENDING,
    (State.DELAYED, Move.CANCEL): State.CANCELLED,
    (State.DEAD, Move.REPLAY): State.PENDING,
}


def diagram() -> str:
    """Draw the table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> pending: LPUSH"]
    lines += [f"    {source} --> {target}: {move}" for (source, move), target in TRANSITIONS.items()]
    lines += [f"    {state} --> [*]" for state in State if state.is_final]
    return "\n".join(lines)
