"""A streamed answer of Gemini, piece by piece: what is told while it is written, and how the pieces are one answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.integration.test_ai_handler import Asker, Job, answer_with, asking, saying

from edworkers.core.outcome import Done, Failed
from edworkers.handlers.ai.request import AiData
from edworkers.standins.gemini import GeminiStandin

EVENTS = "text/event-stream"


@pytest.fixture(autouse=True)
def _streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(Asker, "streams", True)


@pytest.fixture
async def gemini() -> AsyncIterator[Asker]:
    async with GeminiStandin.serve() as standin, asking(standin) as asker:
        yield asker


def pieces(*documents: Any) -> bytes:
    """Write an answer in events."""
    events = b"".join(b"data: %s\r\n\r\n" % json.dumps(document).encode() for document in documents)
    return answer_with("200 OK", events, EVENTS)


def piece(text: str | None, reason: str | None = None, **more: Any) -> dict[str, Any]:
    parts = [] if text is None else [{"text": text}]
    end = {} if reason is None else {"finishReason": reason}
    return {"candidates": [{"content": {"role": "model", "parts": parts}, **end}], **more}


class Listener(Job):
    """A job that says when it has emitted."""

    def __init__(self) -> None:
        super().__init__()
        self.news: asyncio.Queue[str] = asyncio.Queue()

    async def emit(self, text: str) -> None:
        self.news.put_nowait(text)


async def test_a_piece_is_told_before_the_next_is_written(gemini: Asker) -> None:
    go_on = asyncio.Event()
    sent: list[int] = []

    async def keep_back(number: int) -> None:
        if number == 1:
            await go_on.wait()
        sent.append(number)

    gemini.standin.before_piece = keep_back
    listener = Listener()
    data = AiData.model_validate(
        {"conversationId": "c", "userId": "u", "prompt": "Why? " * 20, "options": {"stream": True}}
    )
    answering = asyncio.ensure_future(gemini.handle(data, listener))
    first = await listener.news.get()
    assert first == "This answer comes from the Gemini stand-in."[: len(first)]
    assert sent == [0]
    go_on.set()
    outcome = await answering
    rest = [listener.news.get_nowait() for _ in range(listener.news.qsize())]
    assert first + "".join(rest) == outcome.result["text"]
    assert len(rest) == len(sent) - 1 > 1


async def test_the_service_is_asked_once_for_a_stream(gemini: Asker) -> None:
    await gemini.ask("Why?")
    assert [request.streamed for request in gemini.standin.requests] == [True]


async def test_the_latest_figures_are_those_of_the_whole_answer() -> None:
    def used(prompt: int, answer: int, total: int) -> dict[str, Any]:
        return {"promptTokenCount": prompt, "candidatesTokenCount": answer, "totalTokenCount": total}

    answer = pieces(
        piece("One, ", usageMetadata=used(3, 2, 9), modelVersion="gemini-x"),
        piece("two", usageMetadata=used(3, 4, 11)),
        piece("", "STOP", usageMetadata=used(3, 5, 12), modelVersion="gemini-x-001"),
    )
    async with saying(answer) as gemini:
        outcome = await gemini.ask("Count")
    assert outcome.result["text"] == "One, two"
    assert outcome.result["tokens"] == {"prompt": 3, "answer": 5, "total": 12}
    assert outcome.result["model"] == "gemini-x-001"
    assert gemini.job.emitted == ["One, ", "two"]


async def test_figures_may_come_after_the_end_of_the_text() -> None:
    answer = pieces(piece("One", "MAX_TOKENS"), {"usageMetadata": {"totalTokenCount": 7}})
    async with saying(answer) as gemini:
        outcome = await gemini.ask("Count")
    assert isinstance(outcome, Done)
    assert (outcome.result["finishReason"], outcome.result["tokens"]["total"]) == ("MAX_TOKENS", 7)


async def test_what_the_model_thinks_is_not_told() -> None:
    thought = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hm.", "thought": True}]}}]}
    async with saying(pieces(thought, piece("One"), piece(None, "STOP"))) as gemini:
        outcome = await gemini.ask("Count")
    assert gemini.job.emitted == ["One"]
    assert outcome.result["text"] == "One"


@pytest.mark.parametrize("end", [(), (piece(" and two"),)])
async def test_a_stream_without_a_reason_to_finish_is_no_answer(end: tuple[Any, ...]) -> None:
    async with saying(pieces(piece("One"), *end)) as gemini:
        failed = await gemini.ask_in_vain("Count")
    assert failed == Failed(
        "connection", "Gemini's answer broke off: its stream ended without a reason to finish", retryable=True
    )


async def test_a_stream_of_nothing_is_an_empty_answer() -> None:
    async with saying(pieces()) as gemini:
        failed = await gemini.ask_in_vain("Count")
    assert (failed.kind, failed.retryable) == ("empty", True)


async def test_a_text_that_was_told_before_the_prompt_was_blocked_is_no_answer() -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}}
    async with saying(pieces(piece("One"), blocked)) as gemini:
        failed = await gemini.ask_in_vain("Count")
    assert failed == Failed("blocked", "Gemini blocked the prompt: SAFETY", retryable=False)
    assert gemini.job.emitted == ["One"]


@pytest.mark.parametrize("text", ["a line\nand the next\r\n", "\u2028 é \x85 𝄞", "data: x\n\ndata: y"])
async def test_a_text_comes_as_it_was_written(text: str) -> None:
    async with saying(pieces(piece(text), piece("", "STOP"))) as gemini:
        outcome = await gemini.ask("Say it")
    assert outcome.result["text"] == text
