"""Delivers events to receivers on the web, as Standard Webhooks has it.

POST of `{"type": event, "timestamp": …, "data": payload}` with `webhook-id` (made from the job's id, so that a second
attempt is known as the same message), `webhook-timestamp` and `webhook-signature`. Redirects and proxies are not
followed, cookies are not kept, and of an answer only the beginning is read.

Environment: WEBHOOK_SECRET (needed; `none` sends unsigned), and WEBHOOK_SECRET_<NAME> for each `secretRef`;
WEBHOOK_ALLOWED_NETWORKS, WEBHOOK_CA_FILE, WEBHOOK_CLIENT_CERT_FILE and WEBHOOK_CLIENT_KEY_FILE.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from edworkers.adapters import guarded_http
from edworkers.core.errors import AddressRefusedError
from edworkers.core.outcome import Failed, Outcome, Rejected
from edworkers.core.settings import Autoscaling, Backoff, Circuit, Groups, JobPolicy, PoolSpec
from edworkers.handlers.endpoint import host_of
from edworkers.handlers.environment import not_installed
from edworkers.handlers.webhook.answer import judge_answer
from edworkers.handlers.webhook.request import WebhookData, body, message_id
from edworkers.handlers.webhook.secrets import MissingSecretError, choose, signed_headers
from edworkers.handlers.webhook.secrets import find_faults as faults_of_secrets
from edworkers.handlers.webhook.traced import delivery
from edworkers.ports import Handle, Handler, HandlerModule, JobContext

KEPT_BYTES = 4096
"""How much of an answer's body is read and kept."""

_HEADERS = {"accept-encoding": "identity", "content-type": "application/json", "user-agent": "edworkers"}
_CONNECT_SECONDS = 5.0
_BODY_SECONDS = 2.0
_RESERVED_SECONDS = 1.0
"""How much of the job's time is left for the body of an answer that comes in the last moment."""

POOL = PoolSpec(
    queue="webhook",
    handlers="edworkers.handlers.webhook",
    # A delivery does little but wait, so slots cost little: nine slow endpoints leave some free for all others.
    concurrency=50,
    autoscaling=Autoscaling(max_replicas=10, target_per_replica=50),
    # One endpoint's jobs wait for each other, and for it when it is down; those of the others don't.
    groups=Groups(by="url", max_inflight=5, circuit=Circuit()),
    job=JobPolicy(timeout_seconds=15, max_attempts=5, backoff=Backoff(initial_seconds=5, factor=10, max_seconds=7200)),
)


def find_faults(env: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the environment."""
    return [
        *not_installed("webhook", "httpx2", "h2", "standardwebhooks"),
        *faults_of_secrets(env),
        *guarded_http.find_faults(env),
    ]


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends messages. `transport` is httpx2's, `env` where the secrets are.

    There is no client around it: there would be nothing for it to do but to keep cookies, to follow redirects and to
    ask proxies.
    """

    transport: Any
    env: Mapping[str, str]

    async def deliver(self, data: WebhookData, job: JobContext) -> Outcome:
        """Make one attempt and say what it comes to."""
        import httpx2

        try:
            request = self._request(data, job)
        except MissingSecretError as error:
            return Failed("secret", str(error), retryable=False)
        except httpx2.InvalidURL as error:
            return Rejected((f"data.url: {error}",))
        with delivery(request, job.traceparent) as told:
            outcome = await self._exchange(request, host_of(data.url), job.seconds_left, told.answered)
            told.came_to(outcome)
            return outcome

    def _request(self, data: WebhookData, job: JobContext) -> Any:
        import httpx2

        now = datetime.now(UTC)
        message = body(data, now)
        secrets = choose(self.env, data.secret, data.secret_ref)
        headers = {
            **_HEADERS,
            **{name.lower(): value for name, value in (data.headers or {}).items()},
            **signed_headers(secrets, message_id(job.id), now, message),
        }
        return httpx2.Request(
            "POST",
            _url(data.url),
            content=message,
            headers=headers,
            extensions={"timeout": {"connect": _CONNECT_SECONDS}},
        )

    async def _exchange(self, request: Any, host: str, seconds: float, on_answer: Callable[[int], object]) -> Outcome:
        import httpx2

        clock = asyncio.get_running_loop().time
        began = clock()
        patience = seconds - min(_RESERVED_SECONDS, seconds / 10)
        try:
            async with asyncio.timeout(patience):
                response = await self.transport.handle_async_request(request)
        except AddressRefusedError as error:
            return Failed("address", f"{error}; then replay the job", retryable=False)
        except httpx2.ConnectTimeout:
            return Failed("timeout", f"{host} can't be reached within {_CONNECT_SECONDS:.3g} s", service_down=True)
        except TimeoutError:
            return Failed("timeout", f"{host} gave no answer within {patience:.3g} s", service_down=True)
        except httpx2.HTTPError as error:
            return _not_exchanged(host, error)
        on_answer(response.status_code)
        took = clock() - began
        beginning = await _beginning(response, min(_BODY_SECONDS, (seconds - took) / 2))
        return judge_answer(
            response.status_code, response.headers, beginning, host=host, seconds=took, now=datetime.now(UTC)
        )


@lru_cache(maxsize=1024)
def _url(text: str) -> Any:
    import httpx2

    return httpx2.URL(text)


async def _beginning(response: Any, seconds: float) -> bytes:
    """Read the first bytes of a body, as many as come in time; a body that breaks off changes nothing.

    The status tells whether the event was taken, and an event that was taken must not be sent again.
    """
    import httpx2

    read = bytearray()
    with suppress(httpx2.HTTPError, OSError):  # a TimeoutError is an OSError
        # Not the response's own iterator: it decodes, counts and checks, which costs more than the reading.
        async with asyncio.timeout(seconds), aclosing(response.stream), aclosing(aiter(response.stream)) as chunks:
            async for chunk in chunks:
                read += chunk[: KEPT_BYTES - len(read)]
                if len(read) >= KEPT_BYTES:
                    break
    return bytes(read)


def _not_exchanged(host: str, error: Exception) -> Failed:
    import httpx2

    # Whether a request that couldn't be written is our fault or the receiver's, the error doesn't tell.
    down = None if isinstance(error, httpx2.LocalProtocolError) else True
    message = f"{host} can't be reached, or hung up: {error or type(error).__name__}"
    return Failed("connection", message, service_down=down)


@asynccontextmanager
async def _open(env: Mapping[str, str]) -> AsyncGenerator[Handle]:
    transport = await asyncio.to_thread(guarded_http.make_transport, env)
    async with transport:
        yield Sender(transport, env).deliver


MODULE = HandlerModule(pool=POOL, handlers=(Handler(data=WebhookData, open=_open, faults=find_faults),))
