"""A whole system of real processes in which everything happens that a metric tells of."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from tests.integration.processes import Program, Programs, Queue, eventually
from tests.monitoring.conftest import WEBHOOK_SECRET

from edworkers.core.lifecycle import State
from edworkers.standins.free_port import free_port
from edworkers.standins.gemini import GeminiStandin
from edworkers.standins.inbox import InboxStandin
from edworkers_operator.health import serve
from edworkers_operator.metrics import Metrics
from edworkers_operator.view import Key

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
DEAD = 8
_TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"
_PROMPT = "What is a prime? [[status 429 retry 0.2s times 1]]"
_LIMITS = [{"name": "month", "limit": 1000, "window": "month"}]
_CIRCUIT = {"failures": 3, "openSeconds": 600, "maxOpenSeconds": 600}
_POOL: Mapping[str, Any] = {
    "concurrency": 2,
    "leaseSeconds": 1,
    "limits": _LIMITS,
    "groups": {"maxInflight": 2, "circuit": _CIRCUIT},
    "job": {"maxAttempts": 2, "backoff": {"initialSeconds": 0.1, "jitter": 0}},
}
_CONDITIONS = [{"type": "Ready", "status": "False"}, {"type": "Degraded", "status": "True"}]


@dataclass(frozen=True, slots=True)
class BusySystem:
    """What runs, and where each part can be scraped."""

    queue: Queue
    programs: Programs
    work: Program
    server: str
    gemini: GeminiStandin
    inbox: InboxStandin
    targets: Mapping[str, str]

    async def be_busy(self) -> None:
        """Make everything happen. What came of it is there when this returns."""
        await self._lose_a_runner()
        await self._lose_a_lease()
        await self._succeed_and_fail()
        await self._open_a_circuit()
        await self._answer_and_deliver()

    async def _succeed_and_fail(self) -> None:
        good = [{"id": f"good{number}", "data": {}} | _now() | _TRACED for number in range(20)]
        bad = [{"id": f"bad{number}", "data": {"do": "fail", "times": 9}} | _now() for number in range(DEAD)]
        await self.queue.push(*good, *bad)
        for job in good:
            await self.queue.becomes(job["id"], State.DONE)
        for job in bad:
            await self.queue.becomes(job["id"], State.DEAD)

    async def _lose_a_runner(self) -> None:
        """Kill one that runs a job, which is then taken back and run by the other."""
        self.work.signal(signal.SIGSTOP)
        victim = await self.programs.runner(self.programs.folder / "work.yaml")
        await self.queue.push({"id": "taken-back", "data": {"do": "sleep", "seconds": 0.5}})
        await self.queue.began()
        await victim.kill()
        self.work.signal(signal.SIGCONT)
        await self.queue.becomes("taken-back", State.DONE)

    async def _lose_a_lease(self) -> None:
        """Let the runner stand still until a keeper has taken its job back."""
        await self.queue.push({"id": "lost", "data": {"do": "sleep", "seconds": 2}})
        await self.queue.becomes("lost", State.INFLIGHT)
        self.work.signal(signal.SIGSTOP)

        async def is_taken_back() -> bool:
            return (await self.queue.depths()).inflight == 0

        await eventually(is_taken_back)
        self.work.signal(signal.SIGCONT)
        await self.work.says("lease.lost")
        await self.queue.becomes("lost", State.DONE)

    async def _open_a_circuit(self) -> None:
        jobs = [{"id": f"down{number}", "group": "down", "data": {"do": "ask_service"}} for number in range(6)]
        await self.queue.push(*jobs)
        await self.work.says("circuit.opened")

    async def _answer_and_deliver(self) -> None:
        """By the server: a question that is put off, answered and delivered, a wrong one, and a stream."""
        data = {"conversationId": "c", "userId": "u", "prompt": _PROMPT, "webhookUrl": f"{self.inbox.url}/a"}
        async with httpx2.AsyncClient(base_url=self.server) as client:
            answer = await client.post("/v1/queues/ai/jobs", json={"id": "asked", "data": data})
            assert answer.status_code == 202, answer.text
            assert (await client.post("/v1/queues/ai/jobs", json={"data": {}})).status_code == 422
            async with client.stream("GET", "/v1/queues/ai/jobs/asked/events") as stream:
                assert stream.status_code == 200
                assert await anext(stream.aiter_lines())

        async def is_delivered() -> bool:
            return len(self.inbox.deliveries) > 0

        await eventually(is_delivered)


_TRACED = {"traceparent": _TRACEPARENT}


def _now() -> dict[str, Any]:
    return {"time": datetime.now(UTC).isoformat()}


@asynccontextmanager
async def busy_system(programs: Programs, queue: Queue) -> AsyncGenerator[BusySystem]:
    """Start every part of the system: runners of three queues, keeper, server, and the operator's endpoint."""
    async with AsyncExitStack() as stack:
        gemini = await stack.enter_async_context(GeminiStandin.serve())
        inbox = await stack.enter_async_context(InboxStandin.serve(secret=WEBHOOK_SECRET))
        port = await stack.enter_async_context(serve(0, _operators_metrics().registry))
        pools = _write_pools(programs)
        env = {"GEMINI_API_KEY": "any", "GEMINI_BASE_URL": gemini.url}
        folder = programs.folder
        keeper_at = str(free_port())
        work, ai, webhook, keeper, server = await asyncio.gather(
            programs.runner(folder / "work.yaml"),
            programs.runner(folder / "ai.yaml", **env),
            programs.runner(folder / "webhook.yaml"),
            programs.start("keeper", "--pools", str(pools), EDWORKERS_HEALTH_PORT=keeper_at),
            programs.start("server", "--port", "0", "--pools", str(pools)),
        )
        await keeper.says("keeper.keeps")
        address = (await server.says("server.started"))[0]["address"]
        yield BusySystem(
            queue,
            programs,
            work,
            address,
            gemini,
            inbox,
            {
                "runner-work": _address(work),
                "runner-ai": _address(ai),
                "runner-webhook": _address(webhook),
                "keeper": f"127.0.0.1:{keeper_at}",
                "server": address.removeprefix("http://"),
                "operator": f"127.0.0.1:{port}",
            },
        )


def _address(runner: Program) -> str:
    found: str = runner.seen("runner.started")[-1]["health"]
    return found


def _write_pools(programs: Programs) -> Path:
    manifests = [
        programs.manifest("work", **_POOL),
        programs.manifest("ai", handlers="edworkers.handlers.ai", limits=_LIMITS),
        programs.manifest("webhook", handlers="edworkers.handlers.webhook"),
    ]
    file = programs.folder / "pools.yaml"
    file.write_text("\n---\n".join(manifest.read_text() for manifest in manifests))
    return file


def _operators_metrics() -> Metrics:
    """Give those of an operator that has had a hard time; a real one would need a cluster."""
    metrics = Metrics()
    metrics.watch(lambda: 1.0, lambda: {Key("jobs", "ai"): {"status": {"conditions": _CONDITIONS}}})
    metrics.leads.set(1)
    metrics.crd_matches.set(1)
    metrics.unreadable.inc()
    metrics.reconciles.labels("done").inc()
    metrics.reconciles.labels("failed").inc()
    metrics.reconcile_duration.observe(0.1)
    return metrics
