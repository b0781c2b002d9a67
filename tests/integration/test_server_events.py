"""A job followed by server-sent events: its state, progress, text and outcome."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest
from tests.integration.processes import Queue, eventually
from tests.integration.server_site import Site, events_of, problem, serving
from tests.integration.test_server_jobs import Hands

from edworkers.cli.server_platform import ANSWER_SECONDS
from edworkers.compose import open_pipe, open_queue
from edworkers.core.settings import PoolSpec
from edworkers.server.api import events

JOBS = "/v1/queues/work/jobs"


@pytest.fixture
async def site(redis_url: str) -> AsyncGenerator[Site]:
    async with serving(redis_url) as served:
        yield served


@pytest.fixture
async def hands(redis_url: str) -> AsyncGenerator[Hands]:
    async with open_pipe({"REDIS_URL": redis_url}) as client:
        yield Hands(open_queue(client, PoolSpec(queue="work", handlers="h"), runner="r1", lease_ms=60_000))


@pytest.fixture
async def work(redis_url: str) -> AsyncGenerator[Queue]:
    seen = Queue(redis_url, redis_url)
    yield seen
    await seen.close()


async def test_a_job_is_followed_to_its_end(site: Site, hands: Hands) -> None:
    await site.enqueue("j1")
    async with site.client.stream("GET", f"{JOBS}/j1/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = events_of(answer)
        name, state, _ = await anext(told)
        assert (name, state["state"]) == ("state", "pending")
        receipt = await hands.claim("j1")
        name, state, _ = await anext(told)
        assert (name, state["state"], state["attempts"]) == ("state", "inflight", 1)
        await hands.queue.report_progress("j1", receipt, b'{"fraction":0.5,"note":"half"}')
        assert (await anext(told))[:2] == ("progress", {"fraction": 0.5, "note": "half"})
        await hands.settle("j1", receipt, "ack", {"answer": 42})
        assert (await anext(told))[1]["state"] == "done"
        name, outcome, place = await anext(told)
        assert (name, outcome["state"], outcome["result"], place) == ("outcome", "done", {"answer": 42}, "end")
        assert [event async for event in told] == []
    assert (await site.get(f"{JOBS}/j1/events", headers={"Last-Event-ID": "end"})).status_code == 204


async def test_a_job_that_has_ended_before_tells_its_outcome_at_once(site: Site, hands: Hands) -> None:
    await site.enqueue("j1")
    await hands.bury("j1")
    async with site.client.stream("GET", f"{JOBS}/j1/events") as answer:
        told = [(name, data) async for name, data, _ in events_of(answer)]
    assert [name for name, _ in told] == ["state", "outcome"]
    assert told[1][1]["error"]["message"] == "no such user"


async def test_text_comes_as_it_is_written_and_goes_on_where_it_was_left(site: Site, hands: Hands, work: Queue) -> None:
    await site.enqueue("j1")
    receipt = await hands.claim("j1")
    await work.client.xadd(work.key("text:j1"), {"t": "Once "})
    await work.client.xadd(work.key("text:j1"), {"t": "upon é"})
    async with site.client.stream("GET", f"{JOBS}/j1/events") as answer:
        pieces = [event async for event in _first(events_of(answer), 3)][1:]
    assert [data["text"] for _, data, _ in pieces] == ["Once ", "upon é"]
    await work.client.xadd(work.key("text:j1"), {"t": " a time"})
    await hands.settle("j1", receipt, "ack", {})
    async with site.client.stream("GET", f"{JOBS}/j1/events", headers={"Last-Event-ID": pieces[0][2]}) as answer:
        told = [(name, data) async for name, data, _ in events_of(answer)]
    assert [data["text"] for name, data in told if name == "text"] == ["upon é", " a time"]
    assert told[-1][0] == "outcome"


async def _so(it: bool) -> bool:  # noqa: FBT001 - what `eventually` looks at
    return it


async def _first(told: AsyncGenerator[Any], count: int) -> AsyncGenerator[Any]:
    for _ in range(count):
        yield await anext(told)


async def test_many_who_follow_cost_redis_one_look_for_all(site: Site) -> None:
    for number in range(50):
        await site.enqueue(f"j{number}")
    streams = [site.client.stream("GET", f"{JOBS}/j{number}/events") for number in range(50)]
    answers = [await stream.__aenter__() for stream in streams]
    try:
        told = [events_of(answer) for answer in answers]
        for one in told:
            assert (await anext(one))[1]["state"] == "pending"
        looks = 0
        watch = site.app.state.platform.queues()["work"].watch
        look = watch.look

        async def counted(jobs: Any) -> Any:
            nonlocal looks
            looks += 1
            assert len(jobs) == 50
            return await look(jobs)

        watch.look = counted
        await eventually(lambda: _so(looks >= 3))
    finally:
        await asyncio.gather(*(stream.__aexit__(None, None, None) for stream in streams))


async def test_a_stream_gives_signs_of_life(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.01)
    await site.enqueue("j1")
    async with site.client.stream("GET", f"{JOBS}/j1/events") as answer:
        async for line in answer.aiter_lines():
            if line == ": still here":
                break
        else:
            pytest.fail("the stream ended without one")


async def test_streams_end_when_the_server_stops(site: Site) -> None:
    await site.enqueue("j1")
    async with site.client.stream("GET", f"{JOBS}/j1/events") as answer:
        told = events_of(answer)
        await anext(told)
        site.server.stop()
        assert [event async for event in told] == []


async def test_nobody_who_follows_is_left_behind(site: Site) -> None:
    await site.enqueue("j1")
    async with site.client.stream("GET", f"{JOBS}/j1/events") as answer:
        told = events_of(answer)
        await anext(told)
        assert site.app.state.watcher.queues == {"work": 1}
        assert "edworkers_http_requests_active 2.0" in (await site.get("/metrics")).text  # itself, and the stream
    await eventually(lambda: _so(not site.app.state.watcher.queues))


async def test_a_jobs_events_are_those_of_a_queue_that_the_key_sees(site: Site) -> None:
    problem(await site.get("/v1/queues/nowhere/jobs/j1/events"), 404, "unknown-queue")


async def test_hundreds_who_begin_to_follow_at_once_are_all_let_in_by_a_server_that_just_began(
    site: Site, hands: Hands, redis_url: str
) -> None:
    await site.enqueue("j1")
    await hands.bury("j1")
    async with serving(redis_url, answer_seconds=ANSWER_SECONDS) as cold:
        limits = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(base_url=cold.url, timeout=60, trust_env=False, limits=limits) as client:
            answers = await asyncio.gather(*(client.get(f"{JOBS}/j1/events") for _ in range(300)))
    assert {answer.status_code for answer in answers} == {200}
    assert all("event: outcome" in answer.text for answer in answers)


async def test_a_job_nobody_knows_can_not_be_followed_however_many_try(site: Site) -> None:
    await site.enqueue("j1")
    answers = await asyncio.gather(*(site.client.head(f"{JOBS}/{name}/events") for name in ("j1", "no", "j1", "no2")))
    assert [answer.status_code for answer in answers] == [200, 404, 200, 404]
