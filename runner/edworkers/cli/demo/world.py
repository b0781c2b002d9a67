"""The small world in which the demo plays: a Redis, stand-ins and runners of its own, gone when it ends."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from pydantic_core import to_json

from edworkers import compose
from edworkers.cli.demo.cases import Case
from edworkers.cli.demo.check import Seen
from edworkers.cli.demo.outputs.step import Place
from edworkers.cli.demo.runners import OnEvent, RunnerProcess, stop_all
from edworkers.cli.local import STANDIN_KEY, made_up_secret, runner_environment
from edworkers.core.errors import SettingsError
from edworkers.core.keys import QueueKeys
from edworkers.core.manifest import API_VERSION, KIND
from edworkers.core.settings import PoolSpec
from edworkers.handlers import registry
from edworkers.ports import Depths, JobRecord
from edworkers.standins import postgres as postgres_standin
from edworkers.standins import redis as redis_standin
from edworkers.standins.gemini import GeminiStandin
from edworkers.standins.inbox import InboxStandin
from edworkers.standins.mailbox import Mailbox
from edworkers.standins.redis import RedisServer

QUEUES = ("ai", "webhook", "document", "email", "scheduled")
FIRST_WAIT_SECONDS = 0.2
LEASE_SECONDS = 5.0

_OWN = ("REDIS_", "GEMINI_", "GOOGLE_", "WEBHOOK_", "EDWORKERS_", "PM2_", "SMTP_", "MAIL_", "DKIM_", "DOCUMENT_")
_OWN_TOO = ("NEON_DATABASE_URL", "DATABASE_URL", "BACKUP_DATABASE_URL", "TOKEN_TABLES", "STORAGE_FOLDER", "PGSERVICE")
OUTPUTS = Path(".edworkers") / "demo"
_MOST_DEAD = 1000
_SPARE_QUESTIONS = 20


def demo_pools(questions: int) -> dict[str, PoolSpec]:
    """Give the pools as they come with edworkers, only faster in what would make the demo wait.

    The limit a minute is raised where `questions`, with some room for a job that has to run again, would go beyond it.
    """
    enough = questions + _SPARE_QUESTIONS
    pools: dict[str, PoolSpec] = {}
    for queue in QUEUES:
        usual = registry.pool_for_queue(queue)
        backoff = usual.job.backoff.model_copy(update={"initial_seconds": FIRST_WAIT_SECONDS})
        limits = tuple(
            window.model_copy(update={"limit": max(window.limit, enough)}) if window.window == "minute" else window
            for window in usual.limits
        )
        job = usual.job.model_copy(update={"backoff": backoff})
        pools[queue] = usual.model_copy(update={"job": job, "limits": limits, "lease_seconds": LEASE_SECONDS})
    return pools


@dataclass(slots=True)
class World:
    """What the demo works with."""

    folder: Path
    redis: RedisServer
    gemini: GeminiStandin
    inbox: InboxStandin
    place: Place
    queues: dict[str, compose.OpenQueue]
    env: Mapping[str, str]
    runners: list[RunnerProcess] = field(default_factory=list[RunnerProcess])
    _pushed: dict[str, int] = field(default_factory=dict[str, int])
    _dead: dict[bytes, JobRecord] = field(default_factory=dict[bytes, JobRecord])

    async def start_runner(self, queue: str, on_event: OnEvent) -> RunnerProcess:
        """Start one more runner process."""
        runner = await RunnerProcess.start(queue, self.folder / f"{queue}.yaml", self.env, on_event)
        self.runners.append(runner)
        return runner

    async def push(self, case: Case) -> None:
        """Push a job's bytes on the list, as redis-cli does."""
        self._pushed[case.name] = time.time_ns() // 1_000_000
        for _ in range(case.pushes):
            verb = b"RPUSH" if case.urgent else b"LPUSH"
            await push(self.redis.port, verb, QueueKeys("ai").pending, case.payload)

    async def push_job(self, queue: str, job: Mapping[str, Any]) -> None:
        """Push a job on another queue."""
        await push(self.redis.port, b"LPUSH", QueueKeys(queue).pending, to_json(job))

    def was_pushed(self, case: Case) -> bool:
        """Whether this case's turn has come."""
        return case.name in self._pushed

    async def depths(self) -> dict[str, Depths]:
        """Count every queue."""
        return {name: await queue.control.depths() for name, queue in self.queues.items()}

    async def dead(self) -> list[JobRecord]:
        """List the dead letters of every queue."""
        letters = [await queue.control.dead(0, _MOST_DEAD) for queue in self.queues.values()]
        return [record for of_queue in letters for record in of_queue]

    async def look(self, cases: Sequence[Case]) -> dict[str, Seen]:
        """See how far all these jobs are."""
        self._dead = {record.payload: record for record in await self.dead() if record.payload is not None}
        asked = self._count_questions()
        return {case.name: await self._look(case, asked.get(case.prompt, 0)) for case in cases}

    async def _look(self, case: Case, asked: int) -> Seen:
        deliveries = tuple(delivery for delivery in self.inbox.deliveries if case.path and delivery.path == case.path)
        job_id = case.name if case.has_id else self._made_id(case, [delivery.json for delivery in deliveries])
        record = await self.queues["ai"].control.find(job_id) if job_id else None
        webhook = await self.queues["webhook"].control.find(f"{job_id}.ai.webhook") if job_id and case.path else None
        return Seen(record, webhook, deliveries, asked, self._pushed[case.name])

    def _made_id(self, case: Case, delivered: Sequence[Any]) -> str | None:
        """Find the id of a job that came without one: its dead letter has its bytes, its webhook tells it."""
        if case.payload in self._dead:
            return self._dead[case.payload].id
        return next((str(document["data"]["jobId"]) for document in delivered if document), None)

    def _count_questions(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for request in self.gemini.requests:
            prompt = request.body["contents"][-1]["parts"][0]["text"]
            counts[prompt] = counts.get(prompt, 0) + 1
        return counts

    def has_been_asked(self, prompt: str) -> bool:
        """Whether the stand-in for Gemini got this question."""
        return prompt in self._count_questions()


async def push(port: int, verb: bytes, key: str, payload: bytes) -> None:
    """Send one LPUSH or RPUSH in Redis' own protocol, as any producer in any language does. Raises OSError."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        words = (verb, key.encode(), payload)
        writer.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))
        reply = await reader.readline()
        if not reply.startswith(b":"):
            raise OSError(f"Redis didn't take the job: {reply!r}")
    finally:
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def make_world(pools: Mapping[str, PoolSpec]) -> AsyncGenerator[World]:
    """Start the servers and stand-ins; runners are started as the demo goes on, and all is ended with the block.

    Only the outputs stay, in a folder that is made anew each time. Raises SettingsError.
    """
    secret = made_up_secret()
    with TemporaryDirectory(prefix="edworkers-demo-") as name:
        folder = Path(name)
        for queue, spec in pools.items():
            (folder / f"{queue}.yaml").write_text(_manifest(spec), encoding="utf-8")
        async with (
            redis_standin.serve() as redis,
            GeminiStandin.serve() as gemini,
            InboxStandin.serve(secret=secret) as inbox,
            _make_place() as place,
        ):
            env = {**_environment(redis.url, gemini.url, secret, place), "EDWORKERS_WORK_FOLDER": str(folder)}
            async with compose.open_queues(list(pools.values()), env) as queues:
                by_name = {queue.spec.queue: queue for queue in queues}
                world = World(folder, redis, gemini, inbox, place, by_name, env)
                try:
                    yield world
                finally:
                    await stop_all(world.runners)


@asynccontextmanager
async def _make_place() -> AsyncGenerator[Place]:
    outputs = OUTPUTS.absolute()
    shutil.rmtree(outputs, ignore_errors=True)
    try:
        (outputs / "mails").mkdir(parents=True)
        (outputs.parent / ".gitignore").write_text("*\n", encoding="ascii")
    except OSError as error:
        raise SettingsError("there is no place for the outputs:", [f"{outputs}: {error.strerror}"]) from error
    async with Mailbox.serve(folder=outputs / "mails") as mailbox, postgres_standin.serve() as postgres:
        yield Place(outputs, mailbox, postgres)


def _manifest(spec: PoolSpec) -> str:
    settings = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return yaml.safe_dump({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": spec.queue}, "spec": settings})


def _environment(redis: str, gemini: str, secret: str, place: Place) -> dict[str, str]:
    """Leave out everything that is set for other queues than the demo's own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OWN) and name not in _OWN_TOO and not name.endswith("_WORKER_CONCURRENCY")
    }
    return runner_environment(
        kept,
        REDIS_URL=redis,
        GEMINI_API_KEY=STANDIN_KEY,
        GEMINI_BASE_URL=gemini,
        WEBHOOK_SECRET=secret,
        WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8",
        MAIL_FROM="The school <school@school.example>",
        NEON_DATABASE_URL=place.postgres.url,
        STORAGE_FOLDER=str(place.folder),
        REPORTS_FOLDER=str(place.folder / "reports"),
        **place.mailbox.env,
    )
