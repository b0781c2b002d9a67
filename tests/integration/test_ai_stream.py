"""The text of an `ai` job from Gemini's first piece to a client: a real runner, the server, and the stand-in."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.integration.otlp_receiver import Collector, collecting
from tests.integration.processes import Programs, Queue
from tests.integration.server_site import GOOD, Site, events_of, serving

from edworkers.core.lifecycle import State
from edworkers.standins.gemini import GeminiStandin

pytestmark = pytest.mark.timeout(90)

JOBS = "/v1/queues/ai/jobs"
LONG = "Why is the sky blue, and why is it red in the evening? "
Told = AsyncGenerator[tuple[str, Any, str]]


class HeldBack:
    """Keeps back all pieces but the first few until it is let go."""

    def __init__(self, standin: GeminiStandin, sent: int = 1) -> None:
        self._sent = sent
        self._go = asyncio.Event()
        standin.before_piece = self._wait

    async def _wait(self, number: int) -> None:
        if number >= self._sent:
            await self._go.wait()

    def let_go(self) -> None:
        self._go.set()


@pytest.fixture
async def gemini() -> AsyncIterator[GeminiStandin]:
    async with GeminiStandin.serve() as standin:
        yield standin


@pytest.fixture
async def site(redis_url: str) -> AsyncIterator[Site]:
    async with serving(redis_url) as served:
        yield served


@pytest.fixture
async def ai(redis_url: str) -> AsyncIterator[Queue]:
    queue = Queue(redis_url, redis_url, "ai")
    yield queue
    await queue.close()


async def start(programs: Programs, gemini: GeminiStandin, **env: str) -> None:
    settings = {"GEMINI_API_KEY": "any-key", "GEMINI_BASE_URL": gemini.url, "NO_PROXY": "127.0.0.1", **env}
    runner = await programs.start("run", "ai", **settings)
    await runner.says("runner.started")


async def ask(site: Site, prompt: str = LONG, **more: Any) -> None:
    data = {**GOOD, "prompt": prompt, "options": {"stream": True}}
    answer = await site.post(JOBS, {"id": "a", "data": data, **more})
    assert answer.status_code == 202, answer.text


@asynccontextmanager
async def following(site: Site, last: str | None = None) -> AsyncIterator[Told]:
    headers = {} if last is None else {"Last-Event-ID": last}
    async with site.client.stream("GET", f"{JOBS}/a/events", headers=headers) as answer:
        assert answer.status_code == 200
        yield events_of(answer)


async def next_text(told: Told) -> tuple[dict[str, Any], str]:
    async for name, data, place in told:
        if name == "text":
            return data, place
    pytest.fail("the stream ended without a text")


async def rest_of(told: Told) -> tuple[str, dict[str, Any]]:
    """Read to the end; returns the text that was still told, and the outcome."""
    events = [(name, data) async for name, data, _ in told]
    assert events[-1][0] == "outcome"
    return "".join(data["text"] for name, data in events if name == "text"), events[-1][1]


async def test_a_client_gets_the_first_words_before_the_next_are_written_then_the_outcome(
    programs: Programs, gemini: GeminiStandin, site: Site
) -> None:
    held = HeldBack(gemini)
    await start(programs, gemini)
    await ask(site)
    async with following(site) as told:
        first, _ = await next_text(told)
        assert (first["text"][:11], first["restart"]) == ("This answer", True)
        assert (await site.get(f"{JOBS}/a")).json()["state"] == "inflight"
        held.let_go()
        rest, outcome = await rest_of(told)
    assert outcome["state"] == "done"
    assert first["text"] + rest == outcome["result"]["text"]
    assert outcome["result"]["text"].endswith(f"You asked: {LONG}")
    assert outcome["result"]["tokens"]["total"] > outcome["result"]["tokens"]["answer"] > 0


async def test_a_client_that_comes_late_gets_all_of_the_text(
    programs: Programs, gemini: GeminiStandin, site: Site, ai: Queue
) -> None:
    await start(programs, gemini)
    await ask(site)
    await ai.becomes("a", State.DONE)
    async with following(site) as told:
        text, outcome = await rest_of(told)
    assert text == outcome["result"]["text"]
    assert (await site.get(f"{JOBS}/a")).json()["text"] == text


async def test_a_client_that_comes_again_gets_only_what_follows(
    programs: Programs, gemini: GeminiStandin, site: Site
) -> None:
    held = HeldBack(gemini)
    await start(programs, gemini)
    await ask(site)
    async with following(site) as told:
        first, place = await next_text(told)
    held.let_go()
    async with following(site, place) as told:
        rest, outcome = await rest_of(told)
    assert rest
    assert first["text"] + rest == outcome["result"]["text"]


async def test_a_new_attempt_begins_the_text_anew_for_those_who_followed_the_first(
    programs: Programs, gemini: GeminiStandin, site: Site
) -> None:
    held = HeldBack(gemini)
    await start(programs, gemini)
    await ask(site, f"{LONG}[[then drop times 1]]", maxAttempts=2)
    async with following(site) as told:
        first, _ = await next_text(told)
        held.let_go()
        again, _ = await next_text(told)
        rest, outcome = await rest_of(told)
    assert (first["restart"], again["restart"]) == (True, True)
    assert again["text"] + rest == outcome["result"]["text"]
    assert (outcome["state"], outcome["attempts"]) == ("done", 2)


async def test_a_job_that_is_cancelled_while_gemini_writes_has_ended(
    programs: Programs, gemini: GeminiStandin, site: Site
) -> None:
    HeldBack(gemini)
    await start(programs, gemini)
    await ask(site)
    async with following(site) as told:
        first, _ = await next_text(told)
        assert (await site.post(f"{JOBS}/a/cancel")).status_code in {200, 202}
        rest, outcome = await rest_of(told)
    assert (rest, outcome["state"]) == ("", "cancelled")
    assert (await site.get(f"{JOBS}/a")).json()["text"] == first["text"]


async def test_a_job_that_asks_for_no_stream_has_no_text(programs: Programs, gemini: GeminiStandin, site: Site) -> None:
    await start(programs, gemini)
    await site.post(JOBS, {"id": "a", "data": GOOD})
    async with following(site) as told:
        text, outcome = await rest_of(told)
    assert (text, outcome["state"]) == ("", "done")
    assert [request.streamed for request in gemini.requests] == [False]


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as collector:
        yield collector


async def test_a_stream_is_one_span_from_its_question_to_its_last_piece(
    programs: Programs, gemini: GeminiStandin, site: Site, collector: Collector
) -> None:
    await start(programs, gemini, **collector.env)
    await ask(site)
    async with following(site) as told:
        _, outcome = await rest_of(told)
    span = await collector.named("generate_content gemini-2.5-flash")
    attempt = await collector.named("process ai")
    assert span.parent_id == attempt.span_id
    assert span.attributes["gen_ai.response.finish_reasons"] == ["STOP"]
    assert span.attributes["gen_ai.usage.output_tokens"] == outcome["result"]["tokens"]["answer"]
    assert b"sky blue" not in collector.raw
