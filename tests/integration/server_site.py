"""A server of the test's own: the real app on a real Redis, served over HTTP in the test's event loop."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from edworkers.adapters.metrics.exposition import Exposition
from edworkers.adapters.metrics.of_server import HttpCollector
from edworkers.cli.server import Server
from edworkers.cli.server_platform import open_platform
from edworkers.cli.server_queues import PlannedQueue
from edworkers.core.http_stats import HttpStats
from edworkers.core.schedule import PlannedJob, PlannedSchedule
from edworkers.core.settings import PoolSpec, Window
from edworkers.server.access.identity import Scope
from edworkers.server.access.keys import new_key
from edworkers.server.app import create_app
from edworkers.server.settings import ServerSettings

AI = PoolSpec(
    queue="ai",
    handlers="edworkers.handlers.ai",
    limits=(Window(name="per-minute", limit=60, window="minute"), Window(name="per-day", limit=1500, window="day")),
)
WORK = PoolSpec(queue="work", handlers="handlers_that_are_nowhere")
NIGHTLY = PlannedSchedule(name="nightly", schedule="30 2 * * *", job=PlannedJob(data={"what": "nightly"}))
PLAN = (PlannedQueue(AI), PlannedQueue(WORK, (NIGHTLY,)))
GOOD = {"conversationId": "c1", "userId": "u1", "prompt": "What is a prime?"}


class GuestServer(Server):
    """A server whose signals are the test's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class Site:
    """A server that runs, and how to ask it."""

    def __init__(self, url: str, app: FastAPI, client: httpx2.AsyncClient, server: GuestServer) -> None:
        self.url = url
        self.app = app
        self.client = client
        self.server = server

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        return await self.client.get(path, **more)

    async def post(self, path: str, document: Any = None, **more: Any) -> httpx2.Response:
        body = {} if document is None else {"json": document}
        return await self.client.post(path, **body, **more)

    async def enqueue(self, job_id: str, queue: str = "work", **data: Any) -> None:
        answer = await self.post(f"/v1/queues/{queue}/jobs", {"id": job_id, "data": data})
        assert answer.status_code == 202, answer.text


@contextlib.asynccontextmanager
async def serving(
    redis_url: str,
    settings: ServerSettings | None = None,
    *,
    plan: Sequence[PlannedQueue] = PLAN,
    headers: Mapping[str, str] | None = None,
    background: bool = False,
    answer_seconds: float = 60,
    env: Mapping[str, str] | None = None,
) -> AsyncGenerator[Site]:
    """Serve until the block ends."""
    stats = HttpStats()
    scrape = Exposition([HttpCollector(stats)]).text
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with open_platform(lambda: plan, {"REDIS_URL": redis_url, **(env or {})}, answer_seconds) as platform:
            platform.queues()
            app = create_app(platform, settings or ServerSettings(), stats=stats, scrape=scrape, background=background)
            server = GuestServer(app)
            task = asyncio.create_task(server.serve([listener]))
            try:
                async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
                    yield Site(url, app, client, server)
            finally:
                server.stop()
                await task


class Keys:
    """A file of API keys."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: list[str] = []
        path.write_text("keys: []\n")

    def add(self, name: str, *scopes: str, queues: Sequence[str] | None = None, more: str = "") -> dict[str, str]:
        """Make a key; returns the header that has it."""
        made = new_key(name, [Scope(scope) for scope in scopes], queues)
        self._entries.append(made.entry + more)
        self.path.write_text("keys:\n" + "\n".join(self._entries) + "\n")
        return {"Authorization": f"Bearer {made.key}"}


def problem(answer: httpx2.Response, status: int, name: str) -> dict[str, Any]:
    """Read an answer that must be this problem."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json", answer.headers
    document: dict[str, Any] = answer.json()
    assert document["type"].endswith(f"/{name}"), document
    assert document["status"] == status
    assert document["detail"]
    return document


async def events_of(answer: httpx2.Response) -> AsyncGenerator[tuple[str, Any, str]]:
    """Read server-sent events: their name, data and id."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if not line:
            if "data" in fields:
                yield fields.get("event", ""), json.loads(fields["data"]), fields.get("id", "")
            fields = {}
            continue
        name, _, value = line.partition(": ")
        fields[name] = value
