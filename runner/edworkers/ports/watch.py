"""What those who follow jobs until their end ask of a queue, for many jobs at once."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from edworkers.ports.control import JobRecord


class Piece(NamedTuple):
    """A part of the text that a handler writes while it works."""

    at: str
    """Its place in the text; later ones follow."""
    text: str
    restart: bool = False
    """Whether a new text begins with it, in the place of all that came before."""


class Glimpse(NamedTuple):
    """How one job stands."""

    record: JobRecord
    """Without its result, error and payload."""
    pieces: Sequence[Piece] = ()
    """Of its text, those that are new."""


class JobWatch(Protocol):
    """What those who follow jobs of one queue ask of it."""

    async def look(self, jobs: Mapping[str, str]) -> Mapping[str, Glimpse]:
        """Look at many jobs in one step; to each id belongs the place of the last piece of text known, or nothing.

        Leaves out those of which there is no record, and those that move in this moment. Raises QueueUnavailableError.
        """
        ...
