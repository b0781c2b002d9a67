"""A proxy before Redis that breaks connections on request, each in its own way; what is on its way then is lost."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from enum import StrEnum

_PART = 65536
_JOB = b'"nr":'
"""Stands in every job of a run."""
_CHOOSE_AGAIN_SECONDS = 0.5


class Cut(StrEnum):
    """Where a connection is cut."""

    BEFORE_REPLY = "after the request, before its reply"
    """What was asked is done, and who asked never knows."""
    BEFORE_JOBS = "before a reply that brings jobs"
    """The jobs are claimed, and whoever holds them doesn't know."""
    MID_REQUEST = "in the middle of a request"
    MID_REPLY = "in the middle of a reply"


class Link:
    """One client's connection, and the one to Redis that belongs to it."""

    def __init__(self, proxy: "Proxy", client: asyncio.StreamWriter) -> None:
        self.cut: Cut | None = None
        self._proxy = proxy
        self._client = client
        self._redis: asyncio.StreamWriter | None = None
        self._reply_is_doomed = False

    async def serve(self, client_reader: asyncio.StreamReader, port: int) -> None:
        """Pass everything on, both ways, until one side or a cut ends it."""
        try:
            redis_reader, self._redis = await asyncio.open_connection("127.0.0.1", port)
            there = asyncio.create_task(self._pump(client_reader, self._redis, is_reply=False))
            back = asyncio.create_task(self._pump(redis_reader, self._client, is_reply=True))
            _, others = await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            for other in others:
                other.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
        except OSError:
            pass  # Redis is down, and so is its proxy
        finally:
            self.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_reply: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(_PART):
                await self._proxy.let_pass()
                kept = self._kept(data, is_reply=is_reply)
                writer.write(data[:kept])
                await writer.drain()
                if kept < len(data):
                    return

    def _kept(self, data: bytes, *, is_reply: bool) -> int:
        """Say how many bytes are passed on: fewer where the connection is to be cut now."""
        match self.cut:
            case Cut.BEFORE_REPLY if not is_reply:
                self._reply_is_doomed = True
                return len(data)
            case Cut.BEFORE_REPLY if self._reply_is_doomed:
                kept = 0
            case Cut.BEFORE_JOBS if is_reply and _JOB in data:
                kept = 0
            case Cut.MID_REQUEST if not is_reply:
                kept = len(data) // 2
            case Cut.MID_REPLY if is_reply:
                kept = len(data) // 2
            case _:
                return len(data)
        self._proxy.note_cut(self.cut)
        return kept

    def abort(self) -> None:
        for writer in (self._client, self._redis):
            if writer is not None:
                with suppress(RuntimeError):
                    writer.transport.abort()


class Proxy:
    """Stands between runners and Redis."""

    def __init__(self, port: int) -> None:
        self.cuts: Counter[Cut] = Counter()
        """How many connections were cut, and where."""
        self.delay_seconds = 0.0
        """How long everything is held up, each way."""
        self._port = port
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._was_cut = asyncio.Event()
        self._passing = asyncio.Event()
        self._passing.set()

    async def open(self) -> str:
        """Listen on a free port; returns the address for clients."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=2**22)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return f"redis://127.0.0.1:{self.port}/0"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        link = Link(self, writer)
        self._links.add(link)
        try:
            await link.serve(reader, self._port)
        finally:
            self._links.discard(link)
            self._tasks.discard(task)

    async def cut(self, cut: Cut, count: int, rng: random.Random) -> None:
        """Have up to `count` connections cut when that next can be done; returns when it was done to one."""
        before = self.cuts[cut]
        while self.cuts[cut] == before:
            links = [link for link in self._links if link.cut is None]
            # Those that were chosen may end before it comes to that: then others are.
            for link in rng.sample(links, min(count, len(links))):
                link.cut = cut
            with suppress(TimeoutError):
                async with asyncio.timeout(_CHOOSE_AGAIN_SECONDS):
                    await self._was_cut.wait()
            self._was_cut.clear()

    def note_cut(self, cut: Cut) -> None:
        self.cuts[cut] += 1
        self._was_cut.set()

    def hold(self) -> None:
        """Pass nothing on any more, and say so to nobody: connections are half dead."""
        self._passing.clear()

    def go_on(self) -> None:
        """Pass everything on again, with what was held up."""
        self._passing.set()

    async def let_pass(self) -> None:
        """Wait until what came may be passed on."""
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        await self._passing.wait()

    async def close(self) -> None:
        """End all connections."""
        self._server.close()
        self.go_on()
        for link in list(self._links):
            link.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)
