"""The text that a handler writes while it works, sent on in pieces that are neither late nor many."""

import asyncio
from collections.abc import Awaitable, Callable

from edworkers.core.written_text import MAX_TEXT_BYTES, cut_to
from edworkers.telemetry import log

PAUSE_SECONDS = 0.05
"""Between two calls; what comes meanwhile goes with the next."""

Send = Callable[[bytes, bool], Awaitable[bool]]
"""Takes a piece (UTF-8) and whether the text begins with it; False if nobody wants more."""


class Emitted:
    """The text of one attempt on its way to those who follow it."""

    def __init__(self, send: Send, job_id: str) -> None:
        self._send = send
        self._job_id = job_id
        self._waiting = bytearray()
        self._room = MAX_TEXT_BYTES
        self._is_over = False
        self._hurry = asyncio.Event()
        self._flow: asyncio.Task[None] | None = None

    def add(self, text: str) -> None:
        """Take the next piece. Raises TypeError for what is no text."""
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - handlers aren't all typed
            raise TypeError(f"a job emits text (str), not {type(text).__name__}")
        piece = text.encode(errors="replace")  # half of a surrogate pair can't be sent
        if self._is_over or not piece or self._room <= 0:
            return
        self._waiting += cut_to(piece, self._room)
        self._room -= len(piece)
        if self._flow is None or self._flow.done():
            self._flow = asyncio.create_task(self._flowing(begins=self._flow is None))

    async def _flowing(self, *, begins: bool) -> None:
        try:
            while self._waiting and not self._is_over:
                piece, self._waiting = bytes(self._waiting), bytearray()
                self._is_over = not await self._send(piece, begins)
                begins = False
                await self._pause()
        except Exception as error:  # noqa: BLE001 - the job goes on: its result has the text
            self._is_over = True
            log.warning("job.text_unsent", job=self._job_id, reason=f"{type(error).__name__}: {error}")

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(PAUSE_SECONDS):
                await self._hurry.wait()
        except TimeoutError:
            pass

    async def end(self) -> None:
        """Send the rest, before the job ends."""
        self._hurry.set()
        if self._flow is not None:
            await self._flow

    def abandon(self) -> None:
        """Send nothing more: the attempt is ended from outside."""
        self._is_over = True
        if self._flow is not None:
            self._flow.cancel()
