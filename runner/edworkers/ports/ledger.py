"""What a ledger is told, and from where."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class Finished(NamedTuple):
    """A job that has come to its end; times are Unix ms. What it was given and what it gave are not in it."""

    queue: str
    id: str
    outcome: str
    """`done`, `buried` or `cancelled`."""
    finished_at: int
    type: str | None = None
    attempts: int = 0
    queued_at: int | None = None
    started_at: int | None = None
    seconds: float | None = None
    """How long the last attempt ran; None where none did."""
    group: str | None = None


class DeadLetter(NamedTuple):
    """A job that was buried, with its error and what it was given."""

    job: Finished
    error: dict[str, Any]
    """`kind` and `message`; `traceback` where there is one."""
    payload: bytes


class Unrecorded(NamedTuple):
    """Dead letters that may not be in the ledger yet."""

    letters: Sequence[DeadLetter]
    """The oldest first."""
    mark: int
    """Up to when (Unix ms) all are in the ledger, once these are; 0 where there is nothing to note."""
    is_all: bool
    """Whether there are no more."""


class DeadLetters(Protocol):
    """The dead letters of one queue, as its ledger reads them: they are what can't be lost meanwhile."""

    async def unrecorded(self, at_most: int) -> Unrecorded:
        """Find those that aren't in the ledger; none while another runner is at it.

        Raises QueueUnavailableError.
        """
        ...

    async def recorded(self, mark: int, *, is_over: bool = False) -> None:
        """Note that all up to `mark` are in the ledger; `is_over` lets another runner go on with the next ones.

        Raises QueueUnavailableError.
        """
        ...


class LedgerBook(Protocol):
    """Where the ledger is kept."""

    async def write(self, finished: Sequence[Finished], letters: Sequence[DeadLetter]) -> None:
        """Write all, or nothing; what is there already is left as it is.

        Raises DatabaseUnavailableError, and LedgerError where it can't be written as the database is.
        """
        ...

    async def close(self) -> None:
        """Close its connection, if there is one; the next `write` opens another."""
        ...
