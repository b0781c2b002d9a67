"""A stand-in for the receivers of webhooks, for loopback: it takes every POST, checks its signature and keeps it.

The signature is that of Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`) under one secret. A
delivery that does not verify is recorded as such and answered like any other.

The path steers the answer, which is 204 for every path but these:

    /status/410             this status, always (200 to 599)
    /status/503/times/2     this status the first 2 times that a webhook-id arrives at this path, then 204
    /slow/3                 204, so many seconds later

`GET /deliveries` answers with what arrived, oldest first, as a JSON array; the newest 1000 are kept.

Run by itself: `python -m edworkers.standins.inbox --port 8090 --secret whsec_…`; it prints each delivery as a line of
JSON.
"""

import argparse
import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from edworkers.standins.serving import Arrivals, DroppedConnection, announce_and_stay, parsed, pause, say, serving

KEPT_DELIVERIES: Final = 1000

_STATUS: Final = re.compile(r"/status/(?P<status>[2-5]\d\d)(/times/(?P<times>\d+))?")
_SLOW: Final = re.compile(r"/slow/(?P<seconds>\d+(\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST that arrived.

    `headers` have names in lower case; `json` is the parsed body, None when it was no JSON; `verified` tells whether
    the signature is good; `status` is what is answered; `at` is in UTC; `body` is what the signature is of.
    """

    path: str
    headers: dict[str, str]
    json: Any
    verified: bool
    status: int
    at: datetime
    body: str = ""

    def as_json(self) -> dict[str, Any]:
        """Give all fields as JSON values, the time in ISO 8601."""
        return {
            "path": self.path,
            "headers": self.headers,
            "json": self.json,
            "verified": self.verified,
            "status": self.status,
            "at": self.at.isoformat(),
            "body": self.body,
        }


class InboxStandin:
    """The stand-in. `app` is its ASGI application, `url` where it listens, `deliveries` what arrived (newest 1000).

    `secret` is that of Standard Webhooks, `whsec_` and base64; one that has no bytes in it raises the library's
    EmptyWebhookSecretError, one that is no base64 a ValueError.
    `on_delivery` is called with each delivery before it is answered.
    """

    def __init__(self, secret: str, on_delivery: Callable[[Delivery], None] | None = None) -> None:
        self.url = ""
        self.deliveries: Arrivals[Delivery] = Arrivals(KEPT_DELIVERIES)
        self.app = Starlette(
            routes=[
                Route("/deliveries", self._list, methods=["GET"]),
                Route("/{path:path}", self._receive, methods=["POST"]),
            ]
        )
        self._webhook = Webhook(secret)
        self._on_delivery = on_delivery
        self._seen: Counter[tuple[str, str]] = Counter()

    @classmethod
    @asynccontextmanager
    async def serve(
        cls,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        secret: str,
        on_delivery: Callable[[Delivery], None] | None = None,
    ) -> AsyncGenerator[Self]:
        """Serve a new stand-in in the running event loop until the block ends. Port 0 takes any free port."""
        standin = cls(secret, on_delivery)
        async with serving(standin.app, host, port) as standin.url:
            yield standin

    async def _list(self, _: Request) -> Response:
        arrived = [delivery.as_json() for delivery in self.deliveries]
        # Not JSONResponse, which fails for the lone surrogates that a delivery may hold.
        return Response(json.dumps(arrived), media_type="application/json")

    async def _receive(self, request: Request) -> Response:
        try:
            body = await request.body()
        except ClientDisconnect:
            return DroppedConnection()
        delivery = self._delivery(request.url.path, dict(request.headers), body)
        self.deliveries.record(delivery)
        if self._on_delivery is not None:
            self._on_delivery(delivery)
        slow = _SLOW.fullmatch(delivery.path)
        if slow is not None:
            await pause(request, float(slow["seconds"]))
        return Response(status_code=delivery.status)

    def _delivery(self, path: str, headers: dict[str, str], body: bytes) -> Delivery:
        return Delivery(
            path=path,
            headers=headers,
            json=parsed(body),
            verified=self._verifies(headers, body),
            status=self._status(path, headers.get("webhook-id", "")),
            at=datetime.now(UTC),
            body=body.decode(errors="backslashreplace"),
        )

    def _verifies(self, headers: dict[str, str], body: bytes) -> bool:
        try:
            self._webhook.verify(body, headers, json_parse=False)
        except (WebhookVerificationError, ValueError):  # ValueError: no base64, no UTF-8, no version before a comma
            return False
        return True

    def _status(self, path: str, webhook_id: str) -> int:
        asked = _STATUS.fullmatch(path)
        if asked is None:
            return 204
        if asked["times"] is None:
            return int(asked["status"])
        self._seen[path, webhook_id] += 1
        return int(asked["status"]) if self._seen[path, webhook_id] <= int(asked["times"]) else 204


def _print(delivery: Delivery) -> None:
    say(json.dumps(delivery.as_json()))


async def _run(host: str, port: int, secret: str) -> None:
    async with InboxStandin.serve(host, port, secret=secret, on_delivery=_print) as standin:
        await announce_and_stay(f"Webhook inbox at {standin.url}")


def main() -> None:
    """Serve an inbox until the process is told to stop; print its URL when it listens, then every delivery."""
    parser = argparse.ArgumentParser(description="A stand-in for the receivers of webhooks.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes any free port")
    parser.add_argument("--secret", required=True, help="the secret that deliveries are signed with: whsec_ and base64")
    told = parser.parse_args()
    asyncio.run(_run(told.host, told.port, told.secret))


if __name__ == "__main__":
    main()
