"""Signatures, checked by an implementation that knows nothing of ours: svix', in Python."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from svix.webhooks import Webhook, WebhookVerificationError
from tests.integration.webhook_receivers import OTHER_SECRET, SECRET, make_secret, sending

from edworkers.core.outcome import Done
from edworkers.handlers.webhook.request import WebhookData, body, message_id
from edworkers.handlers.webhook.secrets import signed_headers
from edworkers.standins.inbox import Delivery, InboxStandin


@pytest.fixture
async def inbox() -> AsyncIterator[InboxStandin]:
    async with InboxStandin.serve(secret=SECRET) as inbox:
        yield inbox


def verifies(secret: str, message: bytes, headers: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(message, headers)
    except WebhookVerificationError:
        return False
    return True


async def test_another_implementation_verifies_what_was_delivered() -> None:
    arrived: list[tuple[Delivery, bytes]] = []
    bodies: list[bytes] = []

    class Keeping(InboxStandin):
        def _delivery(self, path: str, headers: dict[str, str], body: bytes) -> Delivery:
            bodies.append(body)
            return super()._delivery(path, headers, body)

    async with Keeping.serve(secret=SECRET) as inbox, sending() as sender:
        assert isinstance(await sender.send(inbox.url, payload={"text": "Grüße 🎓", "n": [1, 2.5, None]}), Done)
        arrived = list(zip(inbox.deliveries, bodies, strict=True))
    [(delivery, message)] = arrived
    assert verifies(SECRET, message, delivery.headers)
    assert json.loads(message)["data"] == {"text": "Grüße 🎓", "n": [1, 2.5, None]}
    assert not verifies(OTHER_SECRET, message, delivery.headers)
    assert not verifies(SECRET, message + b" ", delivery.headers)
    assert not verifies(SECRET, message, {**delivery.headers, "webhook-id": "another"})


async def test_while_a_secret_is_changed_receivers_with_the_old_and_with_the_new_one_verify(
    inbox: InboxStandin,
) -> None:
    """Three deliveries: before, while both are set, and after; a receiver changes in the middle, when it likes."""
    seen: list[dict[str, str]] = []
    for secrets in (SECRET, f"{OTHER_SECRET} {SECRET}", OTHER_SECRET):
        async with sending(WEBHOOK_SECRET=secrets) as sender:
            await sender.send(inbox.url, timestamp="2026-01-31T12:00:00Z")
        seen.append(inbox.deliveries[-1].headers)
    data = {"url": inbox.url, "event": "ai.completed", "payload": {"answer": 42}, "timestamp": "2026-01-31T12:00:00Z"}
    message = body(WebhookData.model_validate(data), datetime.now(UTC))
    assert [verifies(SECRET, message, headers) for headers in seen] == [True, True, False]
    assert [verifies(OTHER_SECRET, message, headers) for headers in seen] == [False, True, True]
    assert [delivery.verified for delivery in inbox.deliveries] == [True, True, False]


def test_a_signature_of_long_ago_is_not_taken() -> None:
    message = b'{"type":"x"}'
    now = datetime.now(UTC)
    assert verifies(SECRET, message, signed_headers([SECRET], "1", now, message))
    assert not verifies(SECRET, message, signed_headers([SECRET], "1", now - timedelta(minutes=6), message))


@given(
    st.binary(min_size=24, max_size=64),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64),
    st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists, max_leaves=5),
)
def test_any_message_under_any_secret_is_verified(secret_bytes: bytes, job_id: str, payload: object) -> None:
    secret = "whsec_" + base64.b64encode(secret_bytes).decode()
    data = WebhookData.model_validate({"url": "https://school.example", "event": "x", "payload": payload})
    now = datetime.now(UTC)
    message = body(data, now)
    headers = signed_headers([make_secret(b"z"), secret], message_id(job_id), now, message)
    assert verifies(secret, message, headers)
    assert json.loads(message)["data"] == payload
