"""Many endpoints on one queue, with a real runner: none that is slow, dead or gone holds up the others."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from tests.integration.processes import Program, Programs, Queue, eventually
from tests.integration.webhook_receivers import ENV, receiving, saying

from edworkers.core.lifecycle import State
from edworkers.handlers.webhook.deliver import MODULE

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
DOWN = b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\ndown"
CIRCUIT = {"failures": 3, "openSeconds": 1, "maxOpenSeconds": 1}


@pytest.fixture
async def queue(redis_url: str) -> AsyncIterator[Queue]:
    seen = Queue(redis_url, redis_url, "webhook")
    yield seen
    await seen.close()


def event(job_id: str, url: str, **more: Any) -> dict[str, Any]:
    return {"id": job_id, "data": {"url": url, "event": "x", "payload": None}, **more}


async def start(programs: Programs, **spec: Any) -> Program:
    known = {"handlers": "edworkers.handlers.webhook", "concurrency": 10, **spec}
    known.setdefault("groups", {"by": "url", "maxInflight": 5, "circuit": {}})
    return await programs.runner(programs.manifest("webhook", **known), **ENV)


async def all_done(queue: Queue, *ids: str) -> None:
    for job_id in ids:
        await queue.becomes(job_id, State.DONE)


class Gate:
    """A receiver that answers nobody until it is opened; a request that hangs up is forgotten."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.waiting = 0
        self.most = 0

    async def answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await self.opened.wait()
        self.waiting -= 1
        writer.write(OK)

    async def is_full(self) -> bool:
        return self.waiting == 5


async def test_a_slow_endpoint_with_two_hundred_jobs_ahead_holds_up_nobody(programs: Programs, queue: Queue) -> None:
    gate = Gate()
    async with receiving(gate.answer) as slow, receiving(saying(OK)) as other:
        await queue.push(*(event(f"slow-{n}", f"{slow.url}/hooks") for n in range(200)))
        await queue.push(*(event(f"other-{n}", f"{other.url}/{n}") for n in range(20)))
        await start(programs)
        await all_done(queue, *(f"other-{n}" for n in range(20)))
        await eventually(gate.is_full)
        assert (await queue.record("slow-0")).state is State.INFLIGHT
        gate.opened.set()
        await eventually(queue.is_empty)
    assert (await queue.depths()).totals["ack"] == 220
    assert gate.most == 5


async def test_nine_endpoints_that_answer_nothing_hold_up_nobody_with_the_slots_that_come_with_it(
    programs: Programs, queue: Queue
) -> None:
    gates = [Gate() for _ in range(9)]
    groups = MODULE.pool.groups
    assert groups is not None
    async with AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(receiving(gate.answer)) for gate in gates]
        other = await stack.enter_async_context(receiving(saying(OK)))
        await queue.push(*(event(f"slow-{at}-{n}", f"{each.url}/") for n in range(20) for at, each in enumerate(slow)))
        spec = {"concurrency": MODULE.pool.concurrency, "groups": groups.model_dump(by_alias=True)}
        await start(programs, **spec)
        for gate in gates:
            await eventually(gate.is_full)
        await queue.push(*(event(f"other-{n}", f"{other.url}/{n}") for n in range(20)))
        await all_done(queue, *(f"other-{n}" for n in range(20)))
        assert [gate.waiting for gate in gates] == [5] * 9
        for gate in gates:
            gate.opened.set()
        await eventually(queue.is_empty)


async def test_an_endpoint_that_does_not_answer_at_all_opens_its_circuit_and_nobody_elses(
    programs: Programs, queue: Queue
) -> None:
    async with AsyncExitStack() as stack:
        gone = await stack.enter_async_context(receiving(saying(OK)))
        dead_url = f"{gone.url}/hooks"
        await stack.aclose()
        async with receiving(saying(OK)) as other:
            await queue.push(*(event(f"dead-{n}", dead_url) for n in range(50)))
            await queue.push(*(event(f"other-{n}", f"{other.url}/{n}") for n in range(20)))
            circuit = {"failures": 3, "openSeconds": 600}
            await start(programs, groups={"by": "url", "maxInflight": 2, "circuit": circuit})
            await all_done(queue, *(f"other-{n}" for n in range(20)))
            await eventually(lambda: _tried(queue, "dead-", 3))
            tries = [(await queue.record(f"dead-{n}")).attempts for n in range(50) if await _known(queue, f"dead-{n}")]
    # Three failures opened it; of the two at once one more may have been under way.
    assert 3 <= sum(tries) <= 4
    assert max(tries) == 1


async def _known(queue: Queue, job_id: str) -> bool:
    return await queue.control.find(job_id) is not None


async def _tried(queue: Queue, prefix: str, times: int) -> bool:
    found = [await queue.control.find(f"{prefix}{n}") for n in range(50)]
    return sum(record.attempts for record in found if record is not None) >= times


class Ill:
    """A receiver that is down until it is well again."""

    def __init__(self) -> None:
        self.well = False
        self.answers: list[bool] = []
        self.asked = asyncio.Condition()

    async def answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self.asked:
            self.answers.append(self.well)
            self.asked.notify_all()
        writer.write(OK if self.well else DOWN)

    async def has_answered(self, times: int) -> None:
        async with self.asked:
            await self.asked.wait_for(lambda: len(self.answers) >= times)


async def test_a_circuit_opens_costs_no_attempts_tries_one_job_at_a_time_and_closes(
    programs: Programs, queue: Queue
) -> None:
    ill = Ill()
    async with receiving(ill.answer) as receiver:
        url = f"{receiver.url}/hooks"
        # Failed jobs return after their backoff at once; those that never began have cost no attempt.
        job = {"maxAttempts": 5, "backoff": {"initialSeconds": 0}}
        groups = {"by": "url", "maxInflight": 1, "circuit": CIRCUIT}
        await queue.push(*(event(f"job-{n}", url) for n in range(30)))
        await start(programs, groups=groups, job=job)
        await ill.has_answered(1)
        began = asyncio.get_running_loop().time()
        await ill.has_answered(3 + 3)  # three that open it, and three tries
        ill.well = True
        seconds = asyncio.get_running_loop().time() - began
        await eventually(queue.is_empty)
        attempts = [(await queue.record(f"job-{n}")).attempts for n in range(30)]
    failed = ill.answers.count(False)
    assert (await queue.depths()).totals["ack"] == 30
    assert sum(attempts) == 30 + failed
    # One try a second, after the first three: those that waited cost neither an attempt nor a request.
    assert 6 <= failed <= 3 + seconds / CIRCUIT["openSeconds"] + 1


async def test_answers_of_an_endpoint_that_works_open_no_circuit(programs: Programs, queue: Queue) -> None:
    """404 and 410 are the jobs' own failures: however many there are, the next one is tried at once."""
    answers = [b"HTTP/1.1 410 Gone\r\ncontent-length: 4\r\n\r\ngone"] * 20 + [OK]

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answers.pop(0))

    async with receiving(answer) as receiver:
        groups = {"by": "url", "maxInflight": 1, "circuit": {"failures": 3, "openSeconds": 600}}
        await queue.push(*(event(f"job-{n}", receiver.url) for n in range(21)))
        await start(programs, groups=groups)
        await all_done(queue, "job-20")
    assert (await queue.depths()).totals == {**(await queue.depths()).totals, "ack": 1, "bury": 20}


async def test_what_a_receiver_said_is_kept_with_a_failed_job(programs: Programs, queue: Queue) -> None:
    said = b"no such school: " + b"x" * 6000
    head = b"HTTP/1.1 410 Gone\r\ncontent-length: %d\r\n\r\n" % len(said)
    async with receiving(saying(head + said)) as receiver:
        await queue.push(event("job", receiver.url))
        await start(programs)
        record = await queue.becomes("job", State.DEAD)
    assert record.error is not None
    assert record.error["kind"] == "gone"
    assert record.error["answer"] == said[:4096].decode()
    assert len(record.error["message"]) < 600


async def test_what_a_receiver_said_can_be_read_while_the_next_attempt_is_awaited(
    programs: Programs, queue: Queue
) -> None:
    async with receiving(saying(b"HTTP/1.1 500 Oops\r\ncontent-length: 8\r\n\r\n<b>no\n\n\n")) as receiver:
        await queue.push(event("job", receiver.url))
        await start(programs, job={"backoff": {"initialSeconds": 3600, "maxSeconds": 3600}})
        record = await queue.becomes("job", State.DELAYED)
    assert record.error is not None
    assert (record.error["kind"], record.error["answer"]) == ("status", "<b>no\n\n\n")
    assert record.error["message"].endswith("answered 500 Internal Server Error: <b>no")


async def test_a_refused_address_is_buried_by_the_queue_as_it_comes(programs: Programs, queue: Queue) -> None:
    async with receiving(saying(OK)) as receiver:
        await queue.push(event("job", receiver.url))
        manifest = programs.manifest("webhook", handlers="edworkers.handlers.webhook")
        await programs.runner(manifest, **{**ENV, "WEBHOOK_ALLOWED_NETWORKS": "10.0.0.0/8"})
        record = await queue.becomes("job", State.DEAD)
    assert (record.attempts, receiver.connections) == (1, 0)
    assert json.dumps(record.error).count("WEBHOOK_ALLOWED_NETWORKS") == 1
