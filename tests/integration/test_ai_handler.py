"""The `ai` handler: the real client library asks the Gemini stand-in, and servers that behave worse than it.

Every test runs twice: for answers in one piece, and for answers that are streamed. What comes of both is the same.
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from structlog.testing import capture_logs

from edworkers.core.outcome import Deferred, Done, Failed, FollowUp
from edworkers.handlers.ai.generate import MODULE
from edworkers.handlers.ai.request import AiData
from edworkers.handlers.webhook.request import WebhookData
from edworkers.ports import Handle
from edworkers.standins.gemini import GeminiStandin, tokens

[HANDLER] = MODULE.handlers


@dataclass
class Job:
    """A job in its first attempt."""

    id: str = "01JOB"
    queue: str = "ai"
    type: str | None = None
    attempt: int = 1
    max_attempts: int = 2
    receipt: str = "r1"
    seconds_left: float = 20.0
    traceparent: str | None = None
    emitted: list[str] = field(default_factory=list)

    async def progress(self, fraction: float, note: str = "") -> None:
        raise AssertionError(f"the handler tells of progress: {fraction} {note}")

    async def emit(self, text: str) -> None:
        assert Asker.streams, f"the handler tells a text that nobody asked for: {text}"
        self.emitted.append(text)

    def log(self, message: str, level: str = "info") -> None:
        raise AssertionError(f"the handler logs: {level} {message}")


@dataclass
class Asker:
    """The opened handler."""

    handle: Handle
    standin: GeminiStandin
    job: Job = field(default_factory=Job)
    """The latest that was asked."""
    streams: ClassVar[bool] = False

    async def ask(self, prompt: str, seconds: float = 20, **more: Any) -> Any:
        if self.streams:
            more["options"] = {**more.get("options", {}), "stream": True}
        data = AiData.model_validate({"conversationId": "c1", "userId": "u1", "prompt": prompt, **more})
        self.job = job = Job(seconds_left=seconds)
        outcome = await self.handle(data, job)
        if self.streams and isinstance(outcome, Done):
            assert "".join(job.emitted) == outcome.result["text"]
        return outcome

    async def ask_in_vain(self, prompt: str, seconds: float = 20, **more: Any) -> Failed:
        outcome = await self.ask(prompt, seconds, **more)
        assert isinstance(outcome, Failed)
        return outcome

    async def ask_too_early(self, prompt: str, **more: Any) -> Deferred:
        outcome = await self.ask(prompt, **more)
        assert isinstance(outcome, Deferred)
        assert outcome.close_gate
        return outcome


@pytest.fixture(autouse=True)
def _without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(autouse=True, params=[False, True], ids=["whole", "streamed"])
def _streamed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Asker, "streams", request.param)


@pytest.fixture
async def standin() -> AsyncIterator[GeminiStandin]:
    async with GeminiStandin.serve() as standin:
        yield standin


@asynccontextmanager
async def asking(standin: GeminiStandin, **env: str) -> AsyncIterator[Asker]:
    async with HANDLER.opened({"GEMINI_API_KEY": "any-key", "GEMINI_BASE_URL": standin.url, **env}) as handle:
        yield Asker(handle, standin)


@pytest.fixture
async def gemini(standin: GeminiStandin) -> AsyncIterator[Asker]:
    async with asking(standin) as asker:
        yield asker


async def test_a_question_is_answered_with_the_text_and_its_figures(gemini: Asker) -> None:
    outcome = await gemini.ask("Why is the sky blue?")
    assert isinstance(outcome, Done)
    assert outcome.follow_ups == ()
    text = outcome.result["text"]
    assert text.endswith("You asked: Why is the sky blue?")
    assert outcome.result == {
        "text": text,
        "model": "gemini-2.5-flash",
        "finishReason": "STOP",
        "tokens": {"prompt": 5, "answer": tokens(text), "total": 5 + tokens(text)},
        "conversationId": "c1",
        "userId": "u1",
    }


async def test_the_service_is_asked_what_the_job_says(gemini: Asker) -> None:
    await gemini.ask(
        "And at night?",
        context={
            "previousMessages": [
                {"role": "system", "content": "Be kind."},
                {"role": "user", "content": "Why is the sky blue?"},
                {"role": "assistant", "content": "Rayleigh."},
            ],
            "assessmentData": {"level": 3},
        },
        options={"model": "gemini-2.5-pro", "temperature": 0.25, "maxTokens": 100},
    )
    [request] = gemini.standin.requests
    assert request.model == "gemini-2.5-pro"
    assert request.body["contents"] == [
        {"role": "user", "parts": [{"text": "Why is the sky blue?"}]},
        {"role": "model", "parts": [{"text": "Rayleigh."}]},
        {"role": "user", "parts": [{"text": "And at night?"}]},
    ]
    assert request.body["generationConfig"] == {"temperature": 0.25, "maxOutputTokens": 100}
    [instruction] = request.body["systemInstruction"]["parts"]
    assert instruction["text"].startswith("Be kind.\n\n")
    assert '\n{"level":3}\n' in instruction["text"]


async def test_a_plain_question_brings_no_settings(gemini: Asker) -> None:
    await gemini.ask("Why?")
    body = gemini.standin.requests[0].body
    assert body["contents"] == [{"role": "user", "parts": [{"text": "Why?"}]}]
    assert body.keys() <= {"contents", "generationConfig"}
    assert not body.get("generationConfig")


async def test_the_answer_is_put_on_the_webhook_queue_where_the_job_names_a_url(gemini: Asker) -> None:
    outcome = await gemini.ask("Why?", webhookUrl="https://school.example/hooks")
    assert isinstance(outcome, Done)
    [follow_up] = outcome.follow_ups
    assert isinstance(follow_up, FollowUp)
    assert follow_up.queue == "webhook"
    delivery = WebhookData.model_validate(follow_up.data)
    assert (delivery.url, delivery.event) == ("https://school.example/hooks", "ai.completed")
    assert delivery.timestamp
    assert delivery.payload == {"jobId": "01JOB", **outcome.result}


async def test_an_answer_that_was_cut_says_so(gemini: Asker) -> None:
    outcome = await gemini.ask("Why?", options={"maxTokens": 2})
    assert isinstance(outcome, Done)
    assert (outcome.result["text"], outcome.result["finishReason"]) == ("This ans", "MAX_TOKENS")


async def test_many_questions_at_once_are_each_answered(gemini: Asker) -> None:
    outcomes = await asyncio.gather(*(gemini.ask(f"What is {number}?") for number in range(20)))
    assert [outcome.result["text"].rsplit(" ", 1)[1] for outcome in outcomes] == [f"{number}?" for number in range(20)]


async def test_the_model_is_the_environments_unless_the_job_names_one(standin: GeminiStandin) -> None:
    async with asking(standin, GEMINI_MODEL="gemini-9") as gemini:
        await gemini.ask("Why?")
        await gemini.ask("Why?", options={"model": "gemini-7"})
    assert [request.model for request in standin.requests] == ["gemini-9", "gemini-7"]


async def test_variables_of_googles_other_clients_change_nothing(
    standin: GeminiStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_API_KEY", "wrong-key")
    async with asking(standin) as gemini:
        assert isinstance(await gemini.ask("Why?"), Done)


async def test_a_blocked_prompt_is_a_failure_with_its_reason(gemini: Asker) -> None:
    failed = await gemini.ask_in_vain("[[block SAFETY]]")
    assert failed == Failed("blocked", "Gemini blocked the prompt: SAFETY", retryable=False)


async def test_an_answer_stopped_for_safety_is_a_failure_with_its_reason(gemini: Asker) -> None:
    failed = await gemini.ask_in_vain("[[finish SAFETY]]")
    assert failed == Failed("blocked", "Gemini stopped its answer: SAFETY", retryable=False)


async def test_an_empty_answer_is_a_failure_and_the_next_attempt_succeeds(gemini: Asker) -> None:
    failed = await gemini.ask_in_vain("[[empty times 1]]")
    assert (failed.kind, failed.retryable) == ("empty", True)
    assert isinstance(await gemini.ask("[[empty times 1]]"), Done)


async def test_a_used_up_quota_puts_everyone_off_for_as_long_as_the_service_says(gemini: Asker) -> None:
    deferred = await gemini.ask_too_early("[[status 429 retry 2.5s times 1]]")
    assert deferred.seconds == 2.5
    assert "GenerateRequestsPerMinutePerProjectPerModel-FreeTier" in deferred.reason
    assert isinstance(await gemini.ask("[[status 429 retry 2.5s times 1]]"), Done)


async def test_a_used_up_quota_without_a_time_puts_everyone_off_for_a_minute(gemini: Asker) -> None:
    assert (await gemini.ask_too_early("[[status 429]]")).seconds == 60


async def test_an_overloaded_service_that_names_a_time_puts_everyone_off(gemini: Asker) -> None:
    assert (await gemini.ask_too_early("[[status 503 retry 4s]]")).seconds == 4


@pytest.mark.parametrize("code", [500, 502, 503, 504])
async def test_a_fault_of_the_service_is_a_failed_attempt(gemini: Asker, code: int) -> None:
    failed = await gemini.ask_in_vain(f"[[status {code}]]")
    assert (failed.kind, failed.retryable) == ("unavailable", True)
    assert f"Gemini failed: {code} " in failed.message


async def test_a_refused_question_is_buried_with_the_services_words(gemini: Asker) -> None:
    failed = await gemini.ask_in_vain("[[status 400]]")
    assert (failed.kind, failed.retryable) == ("refused", False)
    assert "400 INVALID_ARGUMENT: Bad Request" in failed.message


async def test_a_wrong_key_loses_no_job_and_says_which_variable_to_set(standin: GeminiStandin) -> None:
    async with asking(standin, GEMINI_API_KEY="wrong-key") as gemini:
        with capture_logs() as lines:
            deferred = await gemini.ask_too_early("Why?")
    assert deferred.seconds == 60
    assert "API key not valid" in deferred.reason
    assert "GEMINI_API_KEY" in deferred.reason
    [line] = lines
    assert (line["event"], line["log_level"], line["reason"]) == ("ai.refused", "critical", deferred.reason)


async def test_a_wrong_model_loses_no_job_where_the_environment_names_it(standin: GeminiStandin) -> None:
    async with asking(standin, GEMINI_MODEL="gpt-5") as gemini:
        assert "GEMINI_MODEL" in (await gemini.ask_too_early("Why?")).reason


async def test_a_wrong_model_buries_the_job_that_names_it(gemini: Asker) -> None:
    failed = await gemini.ask_in_vain("Why?", options={"model": "gpt-5"})
    assert not failed.retryable
    assert "models/gpt-5 is not found" in failed.message


async def test_an_answer_that_is_not_json_is_a_failed_attempt(gemini: Asker) -> None:
    failed = await gemini.ask_in_vain("[[garbage]]")
    assert (failed.kind, failed.retryable) == ("garbage", True)


async def test_a_dropped_connection_is_a_failed_attempt_and_is_not_repeated_behind_the_queues_back(
    gemini: Asker,
) -> None:
    failed = await gemini.ask_in_vain("[[drop times 1]]")
    assert (failed.kind, failed.retryable) == ("connection", True)
    assert "Server disconnected" in failed.message
    assert gemini.standin.requests.total == 1


async def test_an_answer_that_takes_longer_than_the_job_may_is_a_failed_attempt(gemini: Asker) -> None:
    failed = await gemini.ask_in_vain("[[slow 3600s]]", seconds=0.2)
    assert failed == Failed("timeout", "Gemini gave no answer within 0.2 s")


async def test_a_service_that_is_not_there_is_a_failed_attempt() -> None:
    async with GeminiStandin.serve() as gone:
        pass
    async with asking(gone) as gemini:
        failed = await gemini.ask_in_vain("Why?")
    assert (failed.kind, failed.retryable) == ("connection", True)
    assert "can't be reached" in failed.message


# What happens in the middle of a streamed answer comes to what it comes to for a whole one.


async def test_an_answer_that_is_stopped_in_its_middle_is_a_failure_with_its_reason(gemini: Asker) -> None:
    failed = await gemini.ask_in_vain("[[then finish SAFETY]]")
    assert failed == Failed("blocked", "Gemini stopped its answer: SAFETY", retryable=False)


async def test_a_prompt_that_is_blocked_in_the_middle_is_a_failure_with_its_reason(gemini: Asker) -> None:
    failed = await gemini.ask_in_vain("[[then block PROHIBITED_CONTENT]]")
    assert failed == Failed("blocked", "Gemini blocked the prompt: PROHIBITED_CONTENT", retryable=False)


async def test_a_quota_that_is_used_up_in_the_middle_puts_everyone_off(gemini: Asker) -> None:
    deferred = await gemini.ask_too_early("[[then status 429 retry 2.5s times 1]]")
    assert deferred.seconds == 2.5
    assert "GenerateRequestsPerMinutePerProjectPerModel-FreeTier" in deferred.reason
    assert isinstance(await gemini.ask("[[then status 429 retry 2.5s times 1]]"), Done)


@pytest.mark.parametrize("code", [500, 503])
async def test_a_fault_of_the_service_in_the_middle_is_a_failed_attempt(gemini: Asker, code: int) -> None:
    failed = await gemini.ask_in_vain(f"[[then status {code}]]")
    assert (failed.kind, failed.retryable) == ("unavailable", True)
    assert f"Gemini failed: {code} " in failed.message


async def test_a_refusal_in_the_middle_buries_the_job(gemini: Asker) -> None:
    failed = await gemini.ask_in_vain("[[then status 400]]")
    assert (failed.kind, failed.retryable) == ("refused", False)


async def test_what_is_no_json_in_the_middle_is_a_failed_attempt(gemini: Asker) -> None:
    failed = await gemini.ask_in_vain("[[then garbage]]")
    assert (failed.kind, failed.retryable) == ("garbage", True)


async def test_a_connection_that_is_dropped_in_the_middle_is_a_failed_attempt_and_is_not_repeated(
    gemini: Asker,
) -> None:
    failed = await gemini.ask_in_vain("[[then drop times 1]]")
    assert (failed.kind, failed.retryable) == ("connection", True)
    assert gemini.standin.requests.total == 1
    assert isinstance(await gemini.ask("[[then drop times 1]]"), Done)


async def test_an_answer_that_goes_on_for_longer_than_the_job_may_is_a_failed_attempt(gemini: Asker) -> None:
    failed = await gemini.ask_in_vain("[[then slow 3600s]]", seconds=0.5)
    assert failed == Failed("timeout", "Gemini gave no answer within 0.5 s")


async def test_a_job_that_is_cancelled_in_the_middle_is_in_nobodys_way(gemini: Asker) -> None:
    asking = asyncio.create_task(gemini.ask("[[then slow 3600s]]"))
    await gemini.standin.requests.reached(1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert isinstance(await gemini.ask("And now?"), Done)


def answer_with(status: str, body: bytes, kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return head.encode() + body


@asynccontextmanager
async def saying(answer: bytes) -> AsyncIterator[Asker]:
    """Serve these bytes as the answer to everything."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(await asyncio.start_server(serve, "127.0.0.1", 0))
        standin = GeminiStandin()
        standin.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield await stack.enter_async_context(asking(standin))


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"text"',
        b"5",
        b"null",
        b"[" * 100_000,
        b'{"candidates": 5}',
        b'{"candidates": [5]}',
        b'{"candidates": [{"content": {"parts": [{"text": 5}]}}]}',
        b'{"usageMetadata": {"totalTokenCount": "many"}, "candidates": []}',
        b"\xff\xfe",
        b"",
    ],
)
async def test_json_of_another_shape_is_a_failed_attempt(body: bytes) -> None:
    async with saying(answer_with("200 OK", body)) as gemini:
        failed = await gemini.ask_in_vain("Why?")
    assert failed.kind in {"garbage", "empty"}
    assert failed.retryable


@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b'"oh"', b'{"error": "oh"}', b"\xff", b"[[]]"])
async def test_an_error_whose_body_is_none_of_the_services_is_a_failed_attempt(body: bytes) -> None:
    async with saying(answer_with("502 Bad Gateway", body)) as gemini:
        failed = await gemini.ask_in_vain("Why?")
    assert failed.kind in {"unavailable", "garbage"}
    assert failed.retryable


async def test_a_redirect_is_not_followed() -> None:
    moved = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    async with saying(moved) as gemini:
        failed = await gemini.ask_in_vain("Why?")
    assert (failed.kind, failed.retryable) == ("unavailable", True)
    assert "302" in failed.message


async def test_an_answer_that_breaks_off_is_a_failed_attempt() -> None:
    async with saying(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{") as gemini:
        failed = await gemini.ask_in_vain("Why?")
    assert (failed.kind, failed.retryable) == ("connection", True)


HEAVY_IMPORTS = """
import asyncio, sys, threading

found_in = {}

class Watch:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in {"google.genai", "httpx2", "standardwebhooks"}:
            found_in.setdefault(name, threading.current_thread())
        return None

sys.meta_path.insert(0, Watch)
from edworkers.handlers import ai, registry, webhook
assert not found_in, found_in

async def main():
    async with ai.MODULE.handlers[0].opened({"GEMINI_API_KEY": "k"}):
        pass
    assert {"google.genai", "httpx2"} <= found_in.keys()
    assert threading.main_thread() not in found_in.values()

asyncio.run(main())
"""


def test_heavy_libraries_are_imported_when_the_first_job_comes_and_not_in_the_event_loop() -> None:
    ended = subprocess.run([sys.executable, "-c", HEAVY_IMPORTS], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
