"""Limits over windows of time."""

from typing import NamedTuple, Protocol


class Grant(NamedTuple):
    """What a limiter allowed."""

    reservation: str
    """Names the reservation when part of it is given back."""
    granted: int
    retry_ms: int
    """When `granted` is 0: how long until there may be room."""
    window: str = ""
    """When `granted` is 0: the name of the window that is used up."""


class Usage(NamedTuple):
    """How much of one window is used."""

    window: str
    used: int
    limit: int
    resets_at: int
    """Unix ms."""


class Limiter(Protocol):
    """Several windows at once, shared by every runner."""

    async def reserve(self, count: int, *, whole: bool = False) -> Grant:
        """Take up to `count` from every window, or as many as the tightest allows; with `whole`, all or nothing."""
        ...

    async def adjust(self, reservation: str, used: int) -> None:
        """Count what a reservation really used, be it less or more than was reserved."""
        ...

    async def refund(self, reservation: str, count: int) -> None:
        """Give back `count` of a reservation that were not used."""
        ...

    async def usage(self) -> list[Usage]:
        """Tell how much of each window is used."""
        ...
