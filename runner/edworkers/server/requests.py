"""What holds for every request: an id, a bound on its body, a line in the log, and an answer whatever fails."""

import asyncio
import re
import time
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edworkers.core.http_stats import HttpStats
from edworkers.server.access.identity import Gate, Identity
from edworkers.server.problems import Problem
from edworkers.server.time_limit import REQUEST_TIME, RequestTime
from edworkers.telemetry import log

MOST_BYTES = 1024 * 1024
"""Of a body that holds one job, and of any other."""
MOST_BULK_BYTES = 16 * MOST_BYTES
BODY_SECONDS = 30.0
"""A body that takes longer is given up."""
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Requests:
    """The outermost layer of the app."""

    def __init__(
        self, app: ASGIApp, *, access: Gate, stopping: asyncio.Event, new_id: Callable[[], str], stats: HttpStats
    ) -> None:
        self._app = app
        self._access = access
        self._stopping = stopping
        self._new_id = new_id
        self._stats = stats

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        answer = _Answer(send, given if _ID.fullmatch(given) else self._new_id())
        method: str = scope["method"]
        scope = self._prepared(scope, answer.request_id)
        REQUEST_TIME.set(answer.redis_time)
        with structlog.contextvars.bound_contextvars(request=answer.request_id):
            try:
                await self._answer(scope, receive, answer)
            finally:
                answer.redis_time.answered()
                self._tell({**scope, "method": method}, scope["state"], answer)

    def _prepared(self, scope: Scope, request_id: str) -> Scope:
        """Put into a request's state what routes look for; HEAD is answered as GET, whose body isn't sent then."""
        is_head = scope["method"] == "HEAD" and scope["path"].startswith(_PROGRAMS)
        state: dict[str, Any] = scope.setdefault("state", {})
        state.update(access=self._access, stopping=self._stopping, request_id=request_id, is_head=is_head)
        return {**scope, "method": "GET"} if is_head else scope

    async def _answer(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            with self._stats.answering():
                body = _Body(receive, Headers(scope=scope), _most_bytes(scope["path"]))
                await self._app(scope, body.receive, answer.send)
        except Exception:  # noqa: BLE001 - the last place where anything can be answered
            log.exception("request.failed", method=scope["method"], path=scope["path"])
            await _answer_failure(scope, receive, answer)

    def _tell(self, scope: Scope, state: MutableMapping[str, Any], answer: "_Answer") -> None:
        route = _route(scope)
        traceparent = Headers(scope=scope).get("traceparent")
        self._stats.observe(scope["method"], route, answer.status, answer.seconds, traceparent, time.time())
        identity: Identity | None = state.get("identity")
        tell = log.debug if route in _QUIET else log.info
        tell(
            "request.answered",
            method=scope["method"],
            path=scope["path"],
            status=answer.status,
            seconds=round(answer.seconds, 4),
            who=identity.name if identity is not None else None,
            client=scope["client"][0] if scope.get("client") else None,
        )


_PREFIX = "/v1"
_PROGRAMS = (f"{_PREFIX}/", "/livez", "/readyz", "/metrics", "/docs")
_QUIET = frozenset({"/livez", "/readyz", "/metrics"})


def _most_bytes(path: str) -> int:
    return MOST_BULK_BYTES if path.endswith("/jobs/bulk") else MOST_BYTES


def _route(scope: Scope) -> str | None:
    """Give the template of the route, of which there are few, and not the path, of which there are very many."""
    path: str | None = getattr(scope.get("route"), "path", None)
    if not path:
        return None
    # FastAPI keeps the prefix of a router that is included apart from the templates of its routes.
    prefix = _PREFIX if scope["path"].startswith(_PREFIX) and not path.startswith(_PREFIX) else ""
    return prefix + path.replace(":path}", "}")


async def _answer_failure(scope: Scope, receive: Receive, answer: "_Answer") -> None:
    if answer.has_begun:
        raise ConnectionAbortedError("the answer had begun")
    detail = "the fault is the server's; its log says more under this request's id"
    await Problem(500, "internal", detail, requestId=answer.request_id).response()(scope, receive, answer.send)


class _Answer:
    """What is sent, with the headers that each answer has."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.redis_time = RequestTime()
        self._began = time.perf_counter()
        self.request_id = request_id
        self.status = 499
        """Until it is known: as of one whose client has gone."""
        self.seconds = 0.0
        self.has_begun = False

    async def send(self, message: Message) -> None:
        """Send on."""
        if message["type"] == "http.response.start":
            self.has_begun = True
            self.redis_time.answered()
            self.status = message["status"]
            self.seconds = time.perf_counter() - self._began
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.request_id
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)


class _Body:
    """What is received, within its bounds of bytes and of time."""

    def __init__(self, receive: Receive, headers: Headers, most: int) -> None:
        self._receive = receive
        self._most = most
        self._read = 0
        self._deadline: float | None = None
        self._is_whole = False
        length = headers.get("content-length", "0")
        self._is_too_large = length.isdigit() and int(length) > most

    async def receive(self) -> Message:
        """Receive on. Raises Problem 413 and 408."""
        if self._is_whole:
            return await self._receive()
        if self._is_too_large:
            raise self._too_large()
        message = await self._in_time()
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)
        if self._read > self._most:
            raise self._too_large()
        return message

    async def _in_time(self) -> Message:
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + BODY_SECONDS
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError as error:
            detail = f"send all of it within {BODY_SECONDS:g} s"
            raise Problem(408, "slow-body", detail, headers={"Connection": "close"}) from error

    def _too_large(self) -> Problem:
        self._is_whole = True
        # The connection stays open: to close it with bytes unread would take the answer from a client that still sends.
        return Problem(413, "too-large", f"at most {self._most} bytes are allowed here", maxBytes=self._most)
