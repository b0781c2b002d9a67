"""The opened `webhook` handler, and receivers that behave as tests tell them."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from edworkers.core.outcome import Failed
from edworkers.handlers.webhook.deliver import MODULE
from edworkers.handlers.webhook.request import WebhookData
from edworkers.ports import Handle

[HANDLER] = MODULE.handlers


def make_secret(character: bytes) -> str:
    return "whsec_" + base64.b64encode(character * 32).decode()


SECRET, OTHER_SECRET = make_secret(b"s"), make_secret(b"o")
ENV = {"WEBHOOK_SECRET": SECRET, "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}


@dataclass
class Job:
    """A job in its first attempt."""

    id: str = "01JOB"
    queue: str = "webhook"
    type: str | None = None
    attempt: int = 1
    max_attempts: int = 5
    receipt: str = "r1"
    seconds_left: float = 15.0
    traceparent: str | None = None

    async def progress(self, fraction: float, note: str = "") -> None:
        raise AssertionError(f"the handler tells of progress: {fraction} {note}")

    async def emit(self, text: str) -> None:
        raise AssertionError(f"the handler tells a text: {text}")

    def log(self, message: str, level: str = "info") -> None:
        raise AssertionError(f"the handler logs: {level} {message}")


@dataclass
class Sender:
    """The opened handler."""

    handle: Handle

    async def send(self, url: str, *, job_id: str = "01JOB", seconds: float = 15, **more: Any) -> Any:
        data = WebhookData.model_validate({"url": url, "event": "ai.completed", "payload": {"answer": 42}, **more})
        return await self.handle(data, Job(id=job_id, seconds_left=seconds))

    async def send_in_vain(self, url: str, **more: Any) -> Failed:
        outcome = await self.send(url, **more)
        assert isinstance(outcome, Failed)
        return outcome


@asynccontextmanager
async def sending(**env: str) -> AsyncIterator[Sender]:
    assert HANDLER.open is not None
    async with HANDLER.open({**ENV, **env}) as handle:
        yield Sender(handle)


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Receiver:
    """A server of our own that reads each request whole and leaves the rest to `answer`."""

    answer: Answer
    url: str = ""
    heads: list[str] = field(default_factory=list)
    """What came before the body of each request, in small letters."""
    connections: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client has hung up."""
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        self.tasks.append(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._read_request(reader)
                await self.answer(reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            self.gone.set()
        finally:
            writer.transport.abort()

    async def _read_request(self, reader: asyncio.StreamReader) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        self.heads.append(head)
        [length] = [line.split(":")[1] for line in head.splitlines() if line.startswith("content-length:")]
        await reader.readexactly(int(length))


@asynccontextmanager
async def receiving(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver(answer)
    server = await asyncio.start_server(receiver.connected, "127.0.0.1", 0, ssl=tls)
    receiver.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield receiver
    finally:
        server.close()
        for writer in receiver.writers:
            writer.transport.abort()
        await asyncio.gather(*receiver.tasks)


def saying(answer: bytes, *, and_close: bool = False) -> Answer:
    async def say(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        if and_close:
            await writer.drain()
            writer.close()

    return say


async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()
