"""A streamed answer of the Gemini stand-in: server-sent events, one a piece, and what goes wrong in their middle."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from edworkers.standins.gemini_faults import Fault, Json
from edworkers.standins.serving import hang_up

BeforePiece = Callable[[int], Awaitable[Any]]
"""Is given the number of a piece, from 0, and returns when that, or what comes in its place, may be sent."""


def event(body: str) -> str:
    """Write a server-sent event, with the line ends that the service uses."""
    return f"data: {body}\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Breach:
    """What comes after the first piece: `instead` of the others, unless the fault is that they come late."""

    fault: Fault
    instead: str | None

    async def sends_the_rest(self) -> bool:
        """Say whether the other pieces come, when they do."""
        if self.fault.kind == "slow":
            await asyncio.sleep(float(self.fault.argument))
        return self.fault.kind == "slow"


async def events(
    responses: Iterable[Json], request: Request, before_piece: BeforePiece | None, breach: Breach | None
) -> AsyncIterator[str]:
    """Send the pieces."""
    for number, response in enumerate(responses):
        if before_piece is not None:
            await before_piece(number)
        if number == 1 and breach is not None and not await breach.sends_the_rest():
            break
        yield event(json.dumps(response))
    if breach is not None and breach.instead is not None:
        yield event(breach.instead)
    if breach is not None and breach.fault.kind == "drop":
        hang_up(request.scope)
        await asyncio.Event().wait()  # until it is seen that the connection is gone
