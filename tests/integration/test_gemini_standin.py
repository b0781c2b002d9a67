"""What the stand-in for Gemini answers, seen through the real client library (and raw, where that refuses to err)."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from json import JSONDecodeError
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import errors, types
from google.genai.client import AsyncClient

from edworkers.standins.gemini import GeminiStandin, tokens
from edworkers.standins.gemini_faults import Fault, fault_due, faults_in
from edworkers.standins.serving import Arrivals

MODEL = "gemini-2.5-flash"
RPC = "type.googleapis.com/google.rpc."
LONG = "a question of some length, so that the answer needs more than one event"


@pytest.fixture
async def standin() -> AsyncIterator[GeminiStandin]:
    async with GeminiStandin.serve() as standin:
        yield standin


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False) as http:
        yield http


@pytest.fixture
def gemini(standin: GeminiStandin, http: httpx2.AsyncClient) -> AsyncClient:
    return connect(standin, http)


def connect(standin: GeminiStandin, http: httpx2.AsyncClient, **options: Any) -> AsyncClient:
    key = options.pop("api_key", "any-key")
    http_options = types.HttpOptions(base_url=standin.url, httpx_async_client=http, **options)
    return genai.Client(api_key=key, enterprise=False, http_options=http_options).aio


async def ask(gemini: AsyncClient, prompt: types.ContentListUnion, **config: Any) -> types.GenerateContentResponse:
    return await gemini.models.generate_content(
        model=config.pop("model", MODEL), contents=prompt, config=types.GenerateContentConfig(**config)
    )


async def ask_streamed(gemini: AsyncClient, prompt: str, **config: Any) -> list[types.GenerateContentResponse]:
    answer = await gemini.models.generate_content_stream(
        model=MODEL, contents=prompt, config=types.GenerateContentConfig(**config)
    )
    return [chunk async for chunk in answer]


async def post(http: httpx2.AsyncClient, standin: GeminiStandin, body: bytes, **headers: str) -> httpx2.Response:
    url = f"{standin.url}/v1beta/models/{MODEL}:generateContent"
    return await http.post(url, content=body, headers={"x-goog-api-key": "any-key", **headers})


def said(role: str, text: str) -> types.Content:
    return types.Content(role=role, parts=[types.Part(text=text)])


def first(response: types.GenerateContentResponse) -> types.Candidate:
    assert response.candidates
    return response.candidates[0]


async def test_a_question_is_answered_by_the_standin_and_repeated(gemini: AsyncClient) -> None:
    answer = await ask(gemini, "Why is the sky blue?")
    assert answer.text == (
        "This answer comes from the Gemini stand-in. "
        "Earlier messages: 0. System instruction: no. You asked: Why is the sky blue?"
    )
    assert first(answer).finish_reason == types.FinishReason.STOP
    assert answer.prompt_feedback is None


async def test_an_answer_tells_its_model_its_id_its_tokens_and_its_safety(gemini: AsyncClient) -> None:
    answer, other = await ask(gemini, "123456789"), await ask(gemini, "123456789")
    assert answer.model_version == MODEL
    assert answer.text == other.text
    assert answer.response_id
    assert answer.response_id != other.response_id
    usage = answer.usage_metadata
    assert usage
    assert usage.prompt_token_count == 3
    assert usage.candidates_token_count == tokens(answer.text or "")
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count
    ratings = first(answer).safety_ratings
    assert ratings
    assert {rating.probability for rating in ratings} == {types.HarmProbability.NEGLIGIBLE}


async def test_earlier_messages_and_a_system_instruction_are_seen_and_counted(gemini: AsyncClient) -> None:
    talk: list[types.ContentUnion] = [said("user", "1234"), said("model", "5678"), said("user", "90")]
    answer = await ask(gemini, talk, system_instruction="be kind")
    assert "Earlier messages: 2. System instruction: yes. You asked: 90" in (answer.text or "")
    assert answer.usage_metadata
    assert answer.usage_metadata.prompt_token_count == tokens("1234" + "5678" + "90" + "be kind")


async def test_an_answer_is_cut_at_the_most_tokens_that_were_asked_for(gemini: AsyncClient) -> None:
    whole = (await ask(gemini, "hello")).text or ""
    cut = await ask(gemini, "hello", max_output_tokens=5)
    assert cut.text == whole[:20]
    assert first(cut).finish_reason == types.FinishReason.MAX_TOKENS
    assert cut.usage_metadata
    assert cut.usage_metadata.candidates_token_count == 5
    exact = await ask(gemini, "hello", max_output_tokens=tokens(whole))
    assert exact.text == whole
    assert first(exact).finish_reason == types.FinishReason.STOP


@pytest.mark.parametrize("version", ["v1", "v1beta"])
async def test_both_versions_of_the_api_are_served(
    standin: GeminiStandin, http: httpx2.AsyncClient, version: str
) -> None:
    assert (await ask(connect(standin, http, api_version=version), "hello")).text


async def test_a_version_or_method_that_does_not_exist_is_not_found(
    standin: GeminiStandin, http: httpx2.AsyncClient
) -> None:
    with pytest.raises(errors.ClientError) as refused:
        await ask(connect(standin, http, api_version="v2"), "hello")
    assert refused.value.code == 404
    assert (await http.post(f"{standin.url}/v1/models/{MODEL}:think")).status_code == 404


async def test_a_streamed_answer_adds_up_to_the_usual_one(gemini: AsyncClient) -> None:
    whole = await ask(gemini, LONG)
    chunks = await ask_streamed(gemini, LONG)
    assert len(chunks) > 2
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    reasons = [first(chunk).finish_reason for chunk in chunks]
    assert reasons == [None] * (len(chunks) - 1) + [types.FinishReason.STOP]
    assert chunks[-1].usage_metadata == whole.usage_metadata
    assert len({chunk.response_id for chunk in chunks}) == 1


async def test_a_streamed_answer_is_cut_too(gemini: AsyncClient) -> None:
    chunks = await ask_streamed(gemini, LONG, max_output_tokens=11)
    assert len("".join(chunk.text or "" for chunk in chunks)) == 44
    assert first(chunks[-1]).finish_reason == types.FinishReason.MAX_TOKENS


async def test_a_stream_without_events_is_an_array(standin: GeminiStandin, http: httpx2.AsyncClient) -> None:
    url = f"{standin.url}/v1/models/{MODEL}:streamGenerateContent"
    answer = await http.post(
        url, json={"contents": [{"parts": [{"text": LONG}]}]}, headers={"x-goog-api-key": "any-key"}
    )
    assert len(answer.json()) > 2


async def test_a_spent_quota_tells_when_to_come_back_and_which_quota_it_was(gemini: AsyncClient) -> None:
    with pytest.raises(errors.ClientError) as spent:
        await ask(gemini, "[[status 429 retry 2.5s]]")
    assert (spent.value.code, spent.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert "Please retry in 2.5s." in (spent.value.message or "")
    help_, quota, retry = spent.value.details["error"]["details"]
    assert help_["@type"] == RPC + "Help"
    assert retry == {"@type": RPC + "RetryInfo", "retryDelay": "2.5s"}
    assert quota == {
        "@type": RPC + "QuotaFailure",
        "violations": [
            {
                "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
                "quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
                "quotaDimensions": {"location": "global", "model": MODEL},
                "quotaValue": "10",
            }
        ],
    }


async def test_a_spent_quota_need_not_tell_when_to_come_back(gemini: AsyncClient) -> None:
    with pytest.raises(errors.ClientError) as spent:
        await ask(gemini, "[[status 429]]")
    kinds = [detail["@type"] for detail in spent.value.details["error"]["details"]]
    assert kinds == [RPC + "Help", RPC + "QuotaFailure"]


@pytest.mark.parametrize(
    ("directive", "status", "details"),
    [
        ("[[status 503 retry 1s]]", "UNAVAILABLE", [{"@type": RPC + "RetryInfo", "retryDelay": "1s"}]),
        ("[[status 503]]", "UNAVAILABLE", None),
        ("[[status 500]]", "INTERNAL", None),
        ("[[status 504]]", "DEADLINE_EXCEEDED", None),
        ("[[status 599]]", "UNKNOWN", None),
    ],
)
async def test_a_fault_of_the_service_is_a_server_error(
    gemini: AsyncClient, directive: str, status: str, details: object
) -> None:
    with pytest.raises(errors.ServerError) as fault:
        await ask(gemini, f"Why? {directive}")
    assert str(fault.value.code) in directive
    assert fault.value.status == status
    assert fault.value.details["error"].get("details") == details


async def test_a_stream_fails_with_the_same_error_before_it_begins(gemini: AsyncClient) -> None:
    with pytest.raises(errors.ServerError) as fault:
        await ask_streamed(gemini, "[[status 503 retry 1s]]")
    assert fault.value.details["error"]["details"][0]["retryDelay"] == "1s"


async def test_a_fault_with_times_is_over_after_so_many(gemini: AsyncClient) -> None:
    prompt = "[[status 429 retry 0.2s times 2]] Why?"
    for _ in range(2):
        with pytest.raises(errors.ClientError):
            await ask(gemini, prompt)
    assert (await ask(gemini, prompt)).text
    with pytest.raises(errors.ClientError):
        await ask(gemini, prompt + " And how?")


def test_several_faults_follow_each_other() -> None:
    faults = faults_in("[[status 429 times 2]] and then [[drop times 1]] and then [[ slow 0.5s ]]")
    quota, drop, slow = Fault("status", "429", times=2), Fault("drop", times=1), Fault("slow", "0.5")
    assert faults == [quota, drop, slow]
    assert [fault_due(faults, seen) for seen in range(5)] == [quota, quota, drop, slow, slow]
    assert fault_due(faults[:2], 3) is None


async def test_only_the_last_message_of_the_user_directs(gemini: AsyncClient) -> None:
    talk: list[types.ContentUnion] = [said("user", "[[drop]]"), said("model", "[[drop]]"), said("user", "Why?")]
    assert (await ask(gemini, talk, system_instruction="[[drop]]")).text
    with pytest.raises(errors.ServerError):
        await ask(gemini, [said("user", "[[status 500]]"), said("model", "Because")])


@pytest.mark.parametrize(
    "directive",
    ["[[status]]", "[[status 200]]", "[[status 503 retry 1]]", "[[slow 3]]", "[[block]]", "[[drop 2 times]]"],
)
async def test_a_directive_that_cannot_be_read_is_refused(gemini: AsyncClient, directive: str) -> None:
    with pytest.raises(errors.ClientError, match="cannot read the directive") as refused:
        await ask(gemini, f"Why? {directive}")
    assert refused.value.code == 400


async def test_brackets_around_other_words_are_text(gemini: AsyncClient) -> None:
    assert (await ask(gemini, "[[dropout]] [[wiki link]]")).text


async def test_a_blocked_prompt_has_no_candidates(gemini: AsyncClient) -> None:
    answer = await ask(gemini, "[[block PROHIBITED_CONTENT]]")
    assert answer.candidates is None
    assert answer.prompt_feedback
    assert answer.prompt_feedback.block_reason == types.BlockedReason.PROHIBITED_CONTENT
    assert answer.usage_metadata
    assert answer.usage_metadata.candidates_token_count is None
    assert answer.usage_metadata.prompt_token_count == answer.usage_metadata.total_token_count == 7


async def test_an_answer_stopped_for_safety_has_a_candidate_without_content(gemini: AsyncClient) -> None:
    answer = await ask(gemini, "[[finish SAFETY]]")
    assert first(answer).content is None
    assert first(answer).finish_reason == types.FinishReason.SAFETY
    assert [rating.probability for rating in first(answer).safety_ratings or [] if rating.blocked] == [
        types.HarmProbability.HIGH
    ]
    assert answer.text is None


async def test_an_empty_answer_ends_well_and_says_nothing(gemini: AsyncClient) -> None:
    answer = await ask(gemini, "[[empty]]")
    assert first(answer).finish_reason == types.FinishReason.STOP
    assert answer.text is None


@pytest.mark.parametrize("directive", ["[[block SAFETY]]", "[[finish SAFETY]]", "[[empty]]"])
async def test_a_stream_without_text_is_one_event(gemini: AsyncClient, directive: str) -> None:
    [chunk] = await ask_streamed(gemini, directive)
    assert chunk.text is None


async def test_a_fault_that_comes_then_comes_after_the_first_piece(gemini: AsyncClient) -> None:
    begun, ended = await ask_streamed(gemini, "[[then finish SAFETY]]")
    assert begun.text
    assert first(begun).finish_reason is None
    assert first(ended).finish_reason == types.FinishReason.SAFETY


async def test_a_stream_may_end_without_a_reason(gemini: AsyncClient) -> None:
    [chunk] = await ask_streamed(gemini, "[[then empty times 1]]")
    assert first(chunk).finish_reason is None
    assert len(await ask_streamed(gemini, "[[then empty times 1]]")) > 1


async def test_an_answer_in_one_piece_is_a_fault_that_comes_then_as_a_whole(gemini: AsyncClient) -> None:
    with pytest.raises(errors.ServerError):
        await ask(gemini, "[[then status 500]]")


async def test_the_other_pieces_may_come_later(gemini: AsyncClient) -> None:
    clock = asyncio.get_running_loop().time
    started = clock()
    chunks = await ask_streamed(gemini, "[[then slow 0.2s]]")
    assert clock() - started >= 0.2
    assert first(chunks[-1]).finish_reason == types.FinishReason.STOP


async def test_a_slow_answer_comes_after_its_time(gemini: AsyncClient) -> None:
    clock = asyncio.get_running_loop().time
    started = clock()
    answer = await ask(gemini, "[[slow 0.2s]]")
    assert clock() - started >= 0.2
    assert answer.text


async def test_a_client_with_a_time_out_gives_up_on_a_slow_answer(
    standin: GeminiStandin, http: httpx2.AsyncClient
) -> None:
    hurried = connect(standin, http, timeout=200)
    with pytest.raises(httpx2.TimeoutException):
        await ask(hurried, "[[slow 3600s]]")


async def test_garbage_is_not_json_though_the_status_says_that_all_is_well(gemini: AsyncClient) -> None:
    with pytest.raises(JSONDecodeError):
        await ask(gemini, "[[garbage]]")
    with pytest.raises(errors.UnknownApiResponseError):
        await ask_streamed(gemini, "[[garbage]]")


async def test_a_dropped_connection_gives_no_answer_and_the_next_question_gets_one(
    standin: GeminiStandin, gemini: AsyncClient
) -> None:
    prompt = "[[drop times 1]]"
    with pytest.raises(httpx2.RemoteProtocolError, match="without sending a response"):
        await ask(gemini, prompt)
    assert (await ask(gemini, prompt)).text
    assert len(standin.requests) == 2


async def test_a_wrong_key_is_refused_as_the_service_does(standin: GeminiStandin, http: httpx2.AsyncClient) -> None:
    with pytest.raises(errors.ClientError) as refused:
        await ask(connect(standin, http, api_key="wrong-key"), "hello")
    assert (refused.value.code, refused.value.status) == (400, "INVALID_ARGUMENT")
    info, localized = refused.value.details["error"]["details"]
    assert (info["@type"], info["reason"], info["domain"]) == (RPC + "ErrorInfo", "API_KEY_INVALID", "googleapis.com")
    assert localized["message"] == refused.value.message == "API key not valid. Please pass a valid API key."


async def test_a_missing_key_is_refused(standin: GeminiStandin, http: httpx2.AsyncClient) -> None:
    answer = await http.post(f"{standin.url}/v1/models/{MODEL}:generateContent", json={})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["reason"] == "API_KEY_INVALID"


async def test_a_model_that_does_not_exist_is_not_found(gemini: AsyncClient) -> None:
    with pytest.raises(errors.ClientError, match="models/gpt-5 is not found for API version v1") as refused:
        await ask(gemini, "hello", model="gpt-5")
    assert (refused.value.code, refused.value.status) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"contents": [', "Invalid JSON payload received."),
        (b"\xff", "Invalid JSON payload received."),
        (b"[]", "Invalid value at ''"),
        (b'{"contents": "hello"}', "Invalid value at 'contents'"),
        (b'{"contents": [{"parts": [{"text": 5}]}]}', "Invalid value at 'contents[0].parts[0].text'"),
        (b"{}", "* GenerateContentRequest.contents: contents is not specified"),
        (b'{"contents": [{"role": "user"}]}', "* GenerateContentRequest.contents[0].parts: contents.parts must not"),
        (b'{"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}', "Please use a valid role: user, model."),
        (
            b'{"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"maxOutputTokens": 0}}',
            "* GenerateContentRequest.generation_config.max_output_tokens: max_output_tokens must be positive.",
        ),
    ],
)
async def test_a_request_that_is_wrong_is_refused_with_the_reason(
    standin: GeminiStandin, http: httpx2.AsyncClient, body: bytes, message: str
) -> None:
    answer = await post(http, standin, body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["message"].startswith(message)


async def test_both_spellings_of_a_field_are_read(standin: GeminiStandin, http: httpx2.AsyncClient) -> None:
    body = b'{"contents": [{"parts": [{"text": "x"}]}], "generation_config": {"max_output_tokens": 1}}'
    answer = await post(http, standin, body)
    assert answer.json()["candidates"][0]["content"]["parts"] == [{"text": "This"}]


async def test_every_request_is_recorded_also_those_that_are_refused(
    standin: GeminiStandin, gemini: AsyncClient, http: httpx2.AsyncClient
) -> None:
    before = datetime.now(UTC)
    await ask(gemini, "hello", temperature=0.5)
    await ask_streamed(gemini, "hello")
    await post(http, standin, b"no JSON")
    asked, streamed, refused = standin.requests
    assert asked.model == MODEL
    assert asked.body["contents"] == [{"parts": [{"text": "hello"}], "role": "user"}]
    assert asked.body["generationConfig"] == {"temperature": 0.5}
    assert (asked.streamed, streamed.streamed) == (False, True)
    assert before <= asked.at <= streamed.at <= datetime.now(UTC)
    assert refused.body is None
    assert standin.requests.total == 3


async def test_arrivals_keep_the_newest_and_count_all() -> None:
    arrivals: Arrivals[int] = Arrivals(limit=2)
    waiting = asyncio.create_task(arrivals.reached(3))
    for number in range(3):
        assert not waiting.done()
        arrivals.record(number)
        await asyncio.sleep(0)
    await waiting
    assert arrivals == [1, 2]
    assert arrivals.total == 3


async def test_a_standin_that_stops_leaves_no_task_and_no_open_port(http: httpx2.AsyncClient) -> None:
    before = asyncio.all_tasks()
    async with GeminiStandin.serve() as standin:
        await ask(connect(standin, http), "hello")
    assert asyncio.all_tasks() == before
    with pytest.raises(httpx2.ConnectError):
        await http.get(standin.url)


async def test_a_standin_that_was_never_asked_stops_too() -> None:
    before = asyncio.all_tasks()
    async with GeminiStandin.serve():
        pass
    assert asyncio.all_tasks() == before


async def test_a_standin_that_stops_does_not_wait_for_slow_answers_or_half_sent_questions(
    http: httpx2.AsyncClient,
) -> None:
    async with GeminiStandin.serve() as standin:
        asked = asyncio.create_task(ask(connect(standin, http), "[[slow 3600s]]"))
        await standin.requests.reached(1)
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx2.URL(standin.url).port)
        writer.write(
            f"POST /v1/models/{MODEL}:generateContent HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n".encode()
        )
        await writer.drain()
    with pytest.raises(httpx2.TransportError):
        await asked
    assert await reader.read() == b""
    writer.close()


async def test_a_standin_leaves_the_signal_handlers_alone() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with GeminiStandin.serve() as standin, httpx2.AsyncClient(trust_env=False) as http:
        await http.get(standin.url)
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


async def test_an_exception_in_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with GeminiStandin.serve():
            raise ZeroDivisionError


async def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        async with GeminiStandin.serve(port=taken.getsockname()[1]):
            pass


async def test_the_process_prints_its_url_answers_and_stops_when_told(http: httpx2.AsyncClient) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edworkers.standins.gemini", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout
        standin = GeminiStandin()
        standin.url = (await process.stdout.readline()).decode().split()[-1]
        assert (await ask(connect(standin, http), "hello")).text
        process.terminate()
        assert await process.stdout.read() == b""
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
