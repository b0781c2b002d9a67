"""A stand-in for the Gemini REST API, for loopback: what the service's own client library cannot tell from the service.

It answers `POST /{v1,v1beta}/models/{model}:generateContent` and `:streamGenerateContent?alt=sse` with a text that says
that it comes from the stand-in. Nothing in it is a model, and the same question always gets the same text.

Keys: any is good but one that begins with `wrong`. Models: every name that begins with `gemini-` exists.
Tokens: a token is 4 characters of text, a last incomplete one counts (so 9 characters are 3 tokens).

Faults are asked for in the prompt, that is in the last user message, so that they travel the whole way a job travels:

    [[status 429]]  [[status 429 retry 2.5s]]  [[status 503 retry 1s]]  [[status 500]]   an error, any from 400 to 599
    [[block SAFETY]]     the prompt is blocked: no candidates, and promptFeedback gives the reason
    [[finish SAFETY]]    a candidate without content that ended for this reason
    [[empty]]            a candidate that ended well and says nothing
    [[slow 3s]]          the usual answer, so many seconds later
    [[garbage]]          status 200 and a body that is not JSON
    [[drop]]             the connection is closed without an answer

With `then` (`[[then drop]]`, `[[then status 429 retry 2s]]`, `[[then finish SAFETY]]`) a fault comes after the first
piece of a streamed answer; `[[then empty]]` ends the stream there, without a reason to finish. An answer in one piece
is that fault as a whole. A test that sets `before_piece` is asked before each piece, and may keep it back.

With `times N` before the closing brackets (`[[status 429 retry 0.2s times 2]]`) a fault is answered the first N times
that exactly this prompt is seen. Several in one prompt follow each other: the next begins when the one before is used
up, and when all are, the usual answer comes. A directive that cannot be read is an error (400), not a quiet success.

Run by itself: `python -m edworkers.standins.gemini --port 8089`.
"""

import argparse
import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from edworkers.standins.gemini_faults import Fault, Json, RefusedError, fault_due, faults_in
from edworkers.standins.gemini_stream import BeforePiece, Breach, event, events
from edworkers.standins.serving import Arrivals, DroppedConnection, announce_and_stay, parsed, pause, serving

KEPT_REQUESTS: Final = 10_000
CHARACTERS_A_TOKEN: Final = 4
DEFAULT_OUTPUT_TOKENS: Final = 8192

_VERSIONS: Final = ("v1", "v1beta")
_METHODS: Final = ("generateContent", "streamGenerateContent")
_ROLES: Final = ("user", "model", "")
_STREAMED_CHARACTERS: Final = 40  # in each event of a streamed answer
_STATUS_NAMES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_HARM_CATEGORIES: Final = (
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
)


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request that arrived, good or bad. `body` is the parsed JSON, None when it was none; `at` is in UTC."""

    model: str
    body: Any
    at: datetime
    streamed: bool


class _Message(BaseModel):
    """The service reads both spellings of a name, `maxOutputTokens` and `max_output_tokens`."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class _Part(_Message):
    text: str = ""


class _Content(_Message):
    role: str = ""
    parts: tuple[_Part, ...] = ()

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts)


class _GenerationConfig(_Message):
    max_output_tokens: int = DEFAULT_OUTPUT_TOKENS


class _Question(_Message):
    """What the stand-in reads of a GenerateContentRequest; everything else in it is ignored."""

    contents: tuple[_Content, ...] = ()
    system_instruction: _Content | None = None
    generation_config: _GenerationConfig = _GenerationConfig()

    @property
    def asked_at(self) -> int:
        """The index of the last message of the user; of the last message when none is the user's."""
        own = [index for index, content in enumerate(self.contents) if content.role != "model"]
        return own[-1] if own else len(self.contents) - 1

    @property
    def prompt(self) -> str:
        return self.contents[self.asked_at].text

    @property
    def prompt_tokens(self) -> int:
        instruction = self.system_instruction.text if self.system_instruction else ""
        return tokens(instruction + "".join(content.text for content in self.contents))


@dataclass(frozen=True, slots=True)
class _Answer:
    """The parts that all responses to one question share."""

    model: str
    question: _Question
    response_id: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    def response(self, said: str, **rest: Any) -> Json:
        """Build a GenerateContentResponse. `said` is all that was answered so far: the usage counts it."""
        prompt, candidates = self.question.prompt_tokens, tokens(said)
        usage = {
            "promptTokenCount": prompt,
            # The service leaves out numbers that are 0.
            **({"candidatesTokenCount": candidates} if candidates else {}),
            "totalTokenCount": prompt + candidates,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
        }
        return {**rest, "usageMetadata": usage, "modelVersion": self.model, "responseId": self.response_id}

    def usual(self) -> Json:
        """Answer in one piece, cut to `maxOutputTokens`."""
        said, reason = self._said()
        return self.response(said, candidates=[_candidate(_content(said), reason)])

    def streamed(self) -> Iterator[Json]:
        """Answer the same in pieces, of which only the last has a finish reason."""
        said, reason = self._said()
        for start in range(0, len(said), _STREAMED_CHARACTERS):
            end = start + _STREAMED_CHARACTERS
            candidate = _candidate(_content(said[start:end]), reason if end >= len(said) else None)
            yield self.response(said[:end], candidates=[candidate])

    def faulty(self, fault: Fault) -> Json:
        """Answer well-formed and without text: blocked, stopped or empty."""
        if fault.kind == "block":
            return self.response("", promptFeedback={"blockReason": fault.argument})
        if fault.kind == "finish":
            return self.response("", candidates=[_candidate(None, fault.argument)])
        return self.response("", candidates=[_candidate({"role": "model"}, "STOP")])

    def _said(self) -> tuple[str, str]:
        text = answer_text(self.question.prompt, self.question.asked_at, self.question.system_instruction is not None)
        limit = self.question.generation_config.max_output_tokens * CHARACTERS_A_TOKEN
        return text[:limit], "MAX_TOKENS" if len(text) > limit else "STOP"


def tokens(text: str) -> int:
    """How many tokens the stand-in counts: one for every 4 characters, and one for a rest."""
    return -(-len(text) // CHARACTERS_A_TOKEN)


def answer_text(prompt: str, earlier: int, instructed: bool) -> str:  # noqa: FBT001 - one of three plain facts
    """Say where the answer comes from, what came with the question, and the question."""
    instruction = "yes" if instructed else "no"
    return (
        "This answer comes from the Gemini stand-in. "
        f"Earlier messages: {earlier}. System instruction: {instruction}. You asked: {prompt}"
    )


def _content(text: str) -> Json:
    return {"parts": [{"text": text}], "role": "model"}


def _candidate(content: Json | None, finish_reason: str | None) -> Json:
    return {
        **({} if content is None else {"content": content}),
        **({} if finish_reason is None else {"finishReason": finish_reason}),
        "index": 0,
        "safetyRatings": _safety_ratings(finish_reason == "SAFETY"),
    }


def _safety_ratings(blocked: bool) -> list[Json]:  # noqa: FBT001
    ratings: list[Json] = [{"category": category, "probability": "NEGLIGIBLE"} for category in _HARM_CATEGORIES]
    if blocked:
        ratings[1] |= {"probability": "HIGH", "blocked": True}
    return ratings


def _error(refused: RefusedError) -> JSONResponse:
    name = _STATUS_NAMES.get(refused.code, "UNKNOWN")
    error: Json = {"code": refused.code, "message": refused.message, "status": name}
    if refused.details:
        error["details"] = refused.details
    return JSONResponse({"error": error}, status_code=refused.code)


def _asked_for(fault: Fault, model: str) -> RefusedError:
    """Make the error that a `status` directive asks for."""
    code = int(fault.argument)
    retry = [] if fault.retry is None else [{"@type": _type("RetryInfo"), "retryDelay": fault.retry}]
    if code == 429:
        return _quota_exceeded(model, fault.retry, retry)
    if code == 503:
        return RefusedError(code, "The model is overloaded. Please try again later.", retry)
    phrase = HTTPStatus(code).phrase if code in set(HTTPStatus) else "Unknown"
    return RefusedError(code, f"{phrase} (asked for by a directive of the prompt)", retry)


def _quota_exceeded(model: str, delay: str | None, retry: list[Json]) -> RefusedError:
    metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests"
    quota = {
        "quotaMetric": metric,
        "quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
        "quotaDimensions": {"location": "global", "model": model},
        "quotaValue": "10",
    }
    help_link = {
        "description": "Learn more about Gemini API quotas",
        "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
    }
    message = (
        "You exceeded your current quota, please check your plan and billing details.\n"
        f"* Quota exceeded for metric: {metric}, limit: 10, model: {model}"
    ) + (f"\nPlease retry in {delay}." if delay else "")
    details = [
        {"@type": _type("Help"), "links": [help_link]},
        {"@type": _type("QuotaFailure"), "violations": [quota]},
        *retry,
    ]
    return RefusedError(429, message, details)


def _type(name: str) -> str:
    return f"type.googleapis.com/google.rpc.{name}"


def _check_key(key: str) -> None:
    if key and not key.startswith("wrong"):
        return
    message = "API key not valid. Please pass a valid API key."
    info = {
        "@type": _type("ErrorInfo"),
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
        "metadata": {"service": "generativelanguage.googleapis.com"},
    }
    localized = {"@type": _type("LocalizedMessage"), "locale": "en-US", "message": message}
    raise RefusedError(400, message, [info, localized])


def _check_model(version: str, model: str) -> None:
    if not model.startswith("gemini-"):
        raise RefusedError(
            404,
            f"models/{model} is not found for API version {version}, or is not supported for generateContent. "
            "Call ListModels to see the list of available models and their supported methods.",
        )


def _read(body: bytes) -> _Question:
    """Read the question in a body. Raises RefusedError with the service's words for what is wrong with it."""
    try:
        question = _Question.model_validate_json(body)
    except ValidationError as error:
        raise _unreadable(error) from error
    faults = list(_faults_of(question))
    if faults:
        raise RefusedError(400, "".join(f"* GenerateContentRequest.{fault}\n" for fault in faults))
    if any(content.role not in _ROLES for content in question.contents):
        raise RefusedError(400, "Please use a valid role: user, model.")
    return question


def _faults_of(question: _Question) -> Iterator[str]:
    if not question.contents:
        yield "contents: contents is not specified"
    for index, content in enumerate(question.contents):
        if not content.parts:
            yield f"contents[{index}].parts: contents.parts must not be empty."
    if question.generation_config.max_output_tokens < 1:
        yield "generation_config.max_output_tokens: max_output_tokens must be positive."


def _unreadable(error: ValidationError) -> RefusedError:
    first = error.errors(include_url=False)[0]
    if first["type"] == "json_invalid":
        return RefusedError(400, f"Invalid JSON payload received. {first['msg']}")
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"]).lstrip(".")
    description = f"Invalid value at '{place}': {first['msg']}"
    violation = {"field": place, "description": description}
    return RefusedError(400, description, [{"@type": _type("BadRequest"), "fieldViolations": [violation]}])


class GeminiStandin:
    """The stand-in. `app` is its ASGI application, `url` where it listens, `requests` what arrived (newest 10,000).

    `before_piece`, where it is set, is awaited before each piece of a streamed answer, with the piece's number.
    """

    def __init__(self) -> None:
        self.url = ""
        self.before_piece: BeforePiece | None = None
        self.requests: Arrivals[ReceivedRequest] = Arrivals(KEPT_REQUESTS)
        self.app = Starlette(routes=[Route("/{version}/models/{model}:{method}", self._generate, methods=["POST"])])
        self._seen: Counter[str] = Counter()

    @classmethod
    @asynccontextmanager
    async def serve(cls, host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[Self]:
        """Serve a new stand-in in the running event loop until the block ends. Port 0 takes any free port."""
        standin = cls()
        async with serving(standin.app, host, port) as standin.url:
            yield standin

    async def _generate(self, request: Request) -> Response:
        version, model, method = (str(request.path_params[name]) for name in ("version", "model", "method"))
        if version not in _VERSIONS or method not in _METHODS:
            return Response("Not Found", status_code=404)
        try:
            body = await request.body()
        except ClientDisconnect:
            return DroppedConnection()
        streamed = method == "streamGenerateContent"
        self.requests.record(ReceivedRequest(model, parsed(body), datetime.now(UTC), streamed))
        try:
            _check_key(request.headers.get("x-goog-api-key", ""))
            _check_model(version, model)
            return await self._answer(request, _Answer(model, _read(body)), streamed=streamed)
        except RefusedError as refused:
            return _error(refused)

    async def _answer(self, request: Request, answer: _Answer, *, streamed: bool) -> Response:
        fault = self._fault(answer.question.prompt)
        is_events = streamed and request.query_params.get("alt") == "sse"
        if is_events and (fault is None or fault.late):
            breach = None if fault is None else Breach(fault, _instead(answer, fault))
            pieces = events(answer.streamed(), request, self.before_piece, breach)
            return StreamingResponse(pieces, media_type="text/event-stream")
        if fault is not None and fault.kind == "slow":
            await pause(request, float(fault.argument))
            fault = None
        if fault is None:
            return _sent(answer.streamed() if streamed else [answer.usual()], is_events=is_events, streamed=streamed)
        if fault.kind == "status":
            raise _asked_for(fault, answer.model)
        if fault.kind == "garbage":
            return Response("<html>This is not JSON.", media_type="text/html")
        if fault.kind == "drop":
            return DroppedConnection()
        return _sent([answer.faulty(fault)], is_events=is_events, streamed=streamed)

    def _fault(self, prompt: str) -> Fault | None:
        faults = faults_in(prompt)
        if not faults:
            return None
        self._seen[prompt] += 1
        return fault_due(faults, self._seen[prompt] - 1)


def _sent(responses: Iterable[Json], *, is_events: bool, streamed: bool) -> Response:
    if not streamed:
        return JSONResponse(next(iter(responses)))
    if not is_events:
        return JSONResponse(list(responses))
    return Response("".join(event(json.dumps(response)) for response in responses), media_type="text/event-stream")


def _instead(answer: _Answer, fault: Fault) -> str | None:
    """Write what comes in the place of the pieces after the first."""
    if fault.kind == "status":
        return bytes(_error(_asked_for(fault, answer.model)).body).decode()
    if fault.kind == "garbage":
        return "<html>This is not JSON."
    return json.dumps(answer.faulty(fault)) if fault.kind in {"block", "finish"} else None


async def _run(host: str, port: int) -> None:
    async with GeminiStandin.serve(host, port) as standin:
        await announce_and_stay(f"Gemini stand-in at {standin.url}")


def main() -> None:
    """Serve a stand-in until the process is told to stop; print its URL when it listens."""
    parser = argparse.ArgumentParser(description="A stand-in for the Gemini REST API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes any free port")
    told = parser.parse_args()
    asyncio.run(_run(told.host, told.port))


if __name__ == "__main__":
    main()
