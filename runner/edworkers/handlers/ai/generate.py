"""Answers questions with Gemini, through google-genai's async client.

Environment: GEMINI_API_KEY (needed), GEMINI_MODEL (gemini-2.5-flash), GEMINI_BASE_URL (Google's own), and the limits
GEMINI_MINUTE_LIMIT, GEMINI_DAILY_LIMIT, GEMINI_MONTHLY_LIMIT. An answer goes to the job's `webhookUrl`, where it has
one, as a job of the queue `webhook`.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from edworkers.core.errors import SettingsError
from edworkers.core.outcome import Deferred, Done, Failed, FollowUp, Outcome
from edworkers.core.settings import Autoscaling, JobPolicy, PoolSpec, Window
from edworkers.handlers.ai.answer import Answer, read_answer
from edworkers.handlers.ai.errors import OPERATOR_SECONDS, judge_error, operators_mistake, read_error
from edworkers.handlers.ai.request import (
    AiData,
    check_model,
    chosen_model,
    config,
    contents,
    estimate_tokens,
    wants_stream,
)
from edworkers.handlers.ai.stream import BrokenOffError, gather
from edworkers.handlers.ai.traced import question
from edworkers.handlers.endpoint import check_endpoint
from edworkers.handlers.environment import not_installed, whole_number
from edworkers.ports import Handle, Handler, HandlerModule, JobContext
from edworkers.telemetry import log

DEFAULT_MODEL = "gemini-2.5-flash"

_PACIFIC = "America/Los_Angeles"  # where Gemini's day ends
_WINDOWS = {
    "GEMINI_MINUTE_LIMIT": Window(name="minute", limit=60, window="minute"),
    "GEMINI_DAILY_LIMIT": Window(name="day", limit=1333, window="day", time_zone=_PACIFIC),
    "GEMINI_MONTHLY_LIMIT": Window(name="month", limit=45_000, window="month", time_zone=_PACIFIC),
}
_HIGHEST_LIMIT = 1_000_000_000

POOL = PoolSpec(
    queue="ai",
    handlers="edworkers.handlers.ai",
    concurrency=3,
    autoscaling=Autoscaling(max_replicas=20, target_per_replica=3),
    limits=tuple(_WINDOWS.values()),
    job=JobPolicy(timeout_seconds=30, max_attempts=2),
)


def override_limits(pool: PoolSpec, env: Mapping[str, str]) -> PoolSpec:
    """Replace the limits of the windows that the environment names; one that the pool lacks is added.

    Raises SettingsError with every fault.
    """
    faults: list[str] = []
    limits = pool.limits
    for variable, usual in _WINDOWS.items():
        limit = whole_number(env, variable, faults, maximum=_HIGHEST_LIMIT)
        if limit is not None:
            limits = _with_limit(limits, usual.model_copy(update={"limit": limit}))
    if faults:
        raise SettingsError("the limits can't be used:", faults)
    return pool.model_copy(update={"limits": limits})


def _with_limit(limits: tuple[Window, ...], wanted: Window) -> tuple[Window, ...]:
    if not any(_counts_the_same(window, wanted) for window in limits):
        return (*limits, wanted)
    return tuple(
        window.model_copy(update={"limit": wanted.limit}) if _counts_the_same(window, wanted) else window
        for window in limits
    )


def _counts_the_same(one: Window, other: Window) -> bool:
    return (one.window, one.counts, one.per) == (other.window, other.counts, other.per)


def find_faults(env: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the environment."""
    faults = not_installed("ai", "google.genai", "httpx2", "h2")
    key = env.get("GEMINI_API_KEY", "").strip()
    if not key:
        faults.append(
            "GEMINI_API_KEY: not set; make a key at https://aistudio.google.com/apikey,"
            " or try things out with `edworkers dev`, which needs none"
        )
    elif not key.isascii() or not key.isprintable() or " " in key:
        faults.append("GEMINI_API_KEY: must be one word of ASCII characters, as the service gives it out")
    for name, check, usual in (
        ("GEMINI_MODEL", check_model, DEFAULT_MODEL),
        ("GEMINI_BASE_URL", check_endpoint, "https://default.example"),
    ):
        try:
            check(env.get(name) or usual)
        except ValueError as error:
            faults.append(f"{name}: {error}")
    return faults


@dataclass(frozen=True, slots=True)
class Gemini:
    """Gemini, connected. `client` is google-genai's, `http` the client of httpx2 that it uses."""

    client: Any
    http: Any
    model: str

    async def answer(self, data: AiData, job: JobContext) -> Outcome:
        """Ask Gemini and say what its answer comes to."""
        own = chosen_model(data)
        model = own or self.model
        with question(model) as told:
            answer = await self._ask(data, model, job, own_model=own is not None)
            told.came_to(answer)
        return _done(answer, data, job) if isinstance(answer, Answer) else answer

    async def _ask(self, data: AiData, model: str, job: JobContext, *, own_model: bool) -> Answer | Failed | Deferred:
        import httpx2
        from google.genai import errors

        seconds = job.seconds_left
        request: dict[str, Any] = {"contents": contents(data), "config": config(data, seconds)}
        try:
            async with asyncio.timeout(seconds):  # the client's own counts anew with each piece
                response = await (self._stream if wants_stream(data) else self._generate)(job, model, **request)
            return read_answer(response, model)
        except errors.APIError as refused:
            error = read_error(refused.code, refused.details)
            mistake = operators_mistake(error, model=model, own_model=own_model)
            return judge_error(error) if mistake is None else _wait_for_operator(mistake)
        except (httpx2.TimeoutException, TimeoutError):
            return Failed("timeout", f"Gemini gave no answer within {seconds:.3g} s")
        except httpx2.HTTPError as error:
            return Failed("connection", f"Gemini can't be reached, or hung up: {error or type(error).__name__}")
        except BrokenOffError:
            return Failed("connection", "Gemini's answer broke off: its stream ended without a reason to finish")
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            # What google-genai raises for a body that is no JSON, or JSON of another shape.
            return Failed("garbage", f"Gemini's answer can't be read: {type(error).__name__}: {str(error)[:300]}")

    async def _generate(self, _job: JobContext, model: str, **request: Any) -> Any:
        return await self.client.aio.models.generate_content(model=model, **request)

    async def _stream(self, job: JobContext, model: str, **request: Any) -> Any:
        return await gather(await self.client.aio.models.generate_content_stream(model=model, **request), job.emit)


def _wait_for_operator(mistake: str) -> Deferred:
    log.critical("ai.refused", reason=mistake, next_in_seconds=OPERATOR_SECONDS)
    return Deferred(OPERATOR_SECONDS, mistake, close_gate=True)


def _done(answer: Answer, data: AiData, job: JobContext) -> Done:
    result: dict[str, Any] = {
        "text": answer.text,
        "model": answer.model,
        "finishReason": answer.finish_reason,
        "tokens": {"prompt": answer.prompt_tokens, "answer": answer.answer_tokens, "total": answer.total_tokens},
        "conversationId": data.conversation_id,
        "userId": data.user_id,
    }
    if data.webhook_url is None:
        return Done(result, tokens=answer.total_tokens)
    event = {
        "url": data.webhook_url,
        "event": "ai.completed",
        "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "payload": {"jobId": job.id, **result},
    }
    return Done(result, (FollowUp("webhook", event),), tokens=answer.total_tokens)


def _connect(env: Mapping[str, str]) -> Gemini:
    import httpx2
    from google import genai

    # Left to itself, google-genai would take aiohttp where that is installed, whose errors are others.
    http = httpx2.AsyncClient(http2=True, timeout=None)
    options: dict[str, Any] = {"httpx_async_client": http, "base_url": env.get("GEMINI_BASE_URL") or None}
    client = genai.Client(
        api_key=env["GEMINI_API_KEY"].strip(),
        vertexai=False,  # whatever variables of Google's other clients say
        http_options=genai.types.HttpOptions(**options),
    )
    return Gemini(client, http, env.get("GEMINI_MODEL") or DEFAULT_MODEL)


@asynccontextmanager
async def _open(env: Mapping[str, str]) -> AsyncGenerator[Handle]:
    gemini = await asyncio.to_thread(_connect, env)  # the import takes seconds, which would stop the event loop
    try:
        yield gemini.answer
    finally:
        await gemini.http.aclose()
        gemini.client.close()


MODULE = HandlerModule(
    pool=POOL,
    handlers=(Handler(data=AiData, open=_open, faults=find_faults, tokens=estimate_tokens),),
    overrides=override_limits,
)
