"""Queues as they are on a busy day: jobs that wait, run, are put off, done, and dead for several causes.

All of it goes through the queue itself, as runners and producers do it, so that every record is a real one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from edworkers import compose
from edworkers.adapters.redis.books.ring import RINGS, SAMPLE_BYTES, widen, write
from edworkers.adapters.redis.calls import Client
from edworkers.core.fingerprint import cause, fingerprint
from edworkers.core.job import read_entry
from edworkers.core.keys import QueueKeys, ServerKeys
from edworkers.core.settings import PoolSpec
from edworkers.handlers import registry
from edworkers.ports import Enqueue, Settlement, Start
from edworkers.ports.books import Sample
from edworkers.server.platform import ServedQueue

LEASE_MS = 600_000
HOUR_MS = 3_600_000
TRACEBACK = """Traceback (most recent call last):
  File "/app/edworkers/handlers/webhook/deliver.py", line 61, in deliver
    answer = await endpoint.send(request)
  File "/app/edworkers/adapters/guarded_http/client.py", line 88, in send
    raise ConnectError("connection refused")
ConnectError: connection refused
"""
REFUSED = {
    "kind": "ConnectError",
    "message": "connection refused by https://hooks.school.example/ai",
    "traceback": TRACEBACK,
}
SLOW = {"kind": "timeout", "message": "the attempt took longer than 15 s"}
GONE = {"kind": "HTTPStatusError", "message": "the endpoint answered 410 Gone: no such course"}
UNFIT = {
    "kind": "invalid",
    "message": "the data doesn't fit the schema",
    "faults": ["data.userId: Field required", "data.prompt: String should have at least 1 character"],
}
FILTERED = {"kind": "blocked", "message": "Gemini gave no answer: finish reason SAFETY"}
XSS = "<script>window.harmed=1</script><img src=x onerror='window.harmed=1'>"
"""Does harm wherever it is put on a page as it is."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job, and what becomes of it."""

    id: str
    data: Mapping[str, Any]
    type: str | None = None
    group: str | None = None
    end: str = ""
    """`ack`, `retry`, `bury`; empty for one that runs."""
    body: Any = None
    progress: float | None = None

    @property
    def payload(self) -> bytes:
        fields = {"id": self.id, "type": self.type, "group": self.group, "data": self.data}
        return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


class Desk:
    """One queue, on which jobs are put and worked."""

    def __init__(self, client: Client, served: ServedQueue) -> None:
        self.served = served
        # Of a fair queue the jobs aren't sorted into lines here: they are worked in the order in which they came.
        spec = served.spec.model_copy(update={"groups": None, "max_inflight": None})
        self.runner = f"{spec.queue}-7d9f-x2x.1"
        self.queue = compose.open_queue(client, spec, runner=self.runner, lease_ms=LEASE_MS)

    async def appear(self, client: Any, now: int) -> None:
        """Let it be seen that a runner serves the queue."""
        await client.zadd(QueueKeys(self.served.spec.queue).runners, {self.runner: now})

    async def wait(self, jobs: Sequence[Job], *, due: int = 0) -> None:
        """Enqueue jobs, which wait."""
        await self.served.control.enqueue([Enqueue(job.id, job.payload, due=due) for job in jobs])

    async def work(self, jobs: Sequence[Job]) -> None:
        """Enqueue jobs, claim them all, and end those that are to end."""
        await self.wait(jobs)
        known = {job.id: job for job in jobs}
        cycle = await self.queue.cycle((), (), len(jobs))
        starts = []
        for delivery in cycle.deliveries:
            entry = read_entry(delivery.raw)
            job = known[json.loads(entry.payload)["id"]]
            origin = entry.origin or delivery.receipt
            starts.append((job, Start(delivery.receipt, job.id, origin, entry.attempts + 1, type=job.type or "")))
        await self.queue.cycle((), [start for _, start in starts], 0)
        for job, start in starts:
            if job.progress is not None:
                report = to_json({"fraction": job.progress, "note": "writing the answer"})
                assert await self.queue.report_progress(job.id, start.receipt, report)
        await self.queue.cycle([_settle(job, start) for job, start in starts if job.end], (), 0)


def _settle(job: Job, start: Start) -> Settlement:
    more: dict[str, Any] = {"body": to_json(job.body)} if job.body is not None else {}
    if job.end == "bury":
        more |= {"fingerprint": fingerprint(job.body), "cause": to_json(cause(job.body))}
    if job.end == "retry":
        more |= {"delay_ms": 240_000}
    failed = start.attempt if job.end == "retry" else start.attempt - 1
    seconds = 0.8 + len(job.id) % 7 / 3
    return Settlement(start.receipt, job.id, start.origin, job.end, failed, start.attempt, seconds=seconds, **more)


def answer(number: int, **more: Any) -> Job:
    """Make a job of the queue `ai`."""
    data = {
        "conversationId": f"c-{number // 3}",
        "userId": f"student-{number % 11}",
        "prompt": f"Explain question {number} of the test to me",
        "webhookUrl": "https://hooks.school.example/ai",
    }
    return Job(f"answer-{number:04}", data, **more)


def delivery(number: int, **more: Any) -> Job:
    """Make a job of the queue `webhook`."""
    data = {
        "url": f"https://hooks.school.example/ai?course={number}",
        "event": "answer.ready",
        "payload": {"userId": f"student-{number % 11}", "email": "olena@school.example", "score": number},
    }
    return Job(f"hook-{number:04}", data, **more)


async def seed(desks: Mapping[str, Desk]) -> None:
    """Fill all five queues."""
    ai, webhook = desks["ai"], desks["webhook"]
    await ai.work([answer(n, end="ack", body={"text": f"Because of {n}.", "tokens": 210 + n}) for n in range(40)])
    await ai.work([answer(n, end="bury", body=UNFIT if n % 4 else FILTERED) for n in range(100, 108)])
    await ai.work([answer(n, end="retry", body=SLOW) for n in range(120, 124)])
    await ai.work([answer(n, progress=0.25 * (n - 199)) for n in range(200, 203)])
    await ai.wait([answer(n) for n in range(300, 342)])
    await webhook.work([delivery(n, end="ack", body={"status": 204}) for n in range(80)])
    causes = (REFUSED, REFUSED, REFUSED, SLOW, GONE)
    await webhook.work([delivery(n, end="bury", body=causes[n % 5]) for n in range(500, 577)])
    await webhook.work([delivery(n, end="retry", body=REFUSED) for n in range(600, 633)])
    await webhook.work([delivery(n) for n in range(700, 710)])
    await webhook.wait([delivery(n) for n in range(800, 920)])
    await _seed_others(desks)


async def use_limits(client: Client, queues: Mapping[str, ServedQueue]) -> None:
    """Let 41 answers have begun in this minute."""
    limiter = compose.limiter(client, queues["ai"].spec, "seed")
    assert limiter is not None
    await limiter.reserve(41)


async def _seed_others(desks: Mapping[str, Desk]) -> None:
    page = {"operation": "convert", "source": "uploads/essay.docx", "to": "pdf"}
    done = {"file": "converted/essay.pdf", "pages": 3}
    await desks["document"].work([Job(f"essay-{n}", page, type="convert", end="ack", body=done) for n in range(12)])
    mail = {"to": "anna.kovalenko@school.example", "template": "welcome", "variables": {"firstName": "Anna"}}
    await desks["email"].work([Job(f"mail-{n}", mail, end="ack", body={"messageId": f"m{n}"}) for n in range(25)])
    await desks["email"].wait([Job(f"mail-later-{n}", mail) for n in range(3)], due=2_000_000_000_000)
    report = {"report": "weekly", "email": "head@school.example"}
    jobs = [Job(f"report-{n}", report, type="report", end="ack", body={"rows": 40}) for n in range(4)]
    await desks["scheduled"].work(jobs)


def hostile() -> Job:
    """Make a job whose type, group, data and error would do harm on a page that doesn't escape them."""
    data = {"conversationId": XSS, "userId": f"\"'>{XSS}", "prompt": XSS, XSS: XSS}
    error = {"kind": XSS, "message": f"</title></textarea>{XSS}", "traceback": XSS, "faults": [XSS]}
    return Job("hostile<b>'\"&", data, type=XSS, group=XSS, end="bury", body=error)


def samples(name: str, now: int) -> list[Sample]:
    """Give an hour of samples, with a gap in which no server was up."""
    busy = {"ai": 7, "webhook": 19, "document": 2, "email": 4, "scheduled": 0}.get(name, 1)
    return [
        _sample(at, busy, number)
        for number, at in enumerate(range(now - HOUR_MS, now - 10_000, 10_000))
        if not 150 <= number < 165
    ]


async def lay_samples(client: Any, name: str, taken: Sequence[Sample]) -> None:
    """Keep samples as the books do, all at once: one by one they take seconds."""
    for ring in RINGS:
        data = bytearray(ring.size)
        data[:10] = b"%010d" % (ring.floor(taken[-1].at) // 1000)
        for sample in widen(taken, ring.step_ms):
            data[ring.offset(sample.at) : ring.offset(sample.at) + SAMPLE_BYTES] = write(sample)
        await client.set(ServerKeys().series(name, ring.step_seconds), bytes(data))


def _sample(at: int, busy: int, number: int) -> Sample:
    wave = abs((number % 120) - 60) / 60  # up and down in twenty minutes
    swing = round(busy * (0.4 + wave) + (number * 7) % 3)
    failed = busy // 6 if number % 5 == 0 else 0
    waits = round(busy * (2 + 5 * wave))
    return Sample(
        at, waits, min(busy, 10), busy * 2, busy * 4, swing if busy else 0, failed, swing, *_latency(busy, wave), 2
    )


def _latency(busy: int, wave: float) -> tuple[int | None, int | None, int | None]:
    if not busy:
        return None, None, None
    return round(180 + 400 * wave), round(500 + 1500 * wave), round(900 + 200 * wave)


def specs() -> dict[str, PoolSpec]:
    """Give the pools that come with edworkers."""
    return {name: registry.pool_for_queue(name) for name in registry.PLATFORM}
