"""What the stand-in for webhook receivers takes, verifies, answers and keeps."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook

from edworkers.standins.inbox import KEPT_DELIVERIES, Delivery, InboxStandin

SECRET = "whsec_c3RhbmQtaW4gZm9yIHRlc3Rz"
ANOTHER_SECRET = "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldA=="


@pytest.fixture
async def inbox() -> AsyncIterator[InboxStandin]:
    async with InboxStandin.serve(secret=SECRET) as inbox:
        yield inbox


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False) as http:
        yield http


def signed(body: bytes, webhook_id: str = "msg_1", secret: str = SECRET, age: int = 0) -> dict[str, str]:
    sent = datetime.now(UTC) - timedelta(seconds=age)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, sent, body.decode()),
    }


async def deliver(http: httpx2.AsyncClient, url: str, payload: Any = None, **how: Any) -> int:
    body = json.dumps(payload).encode()
    return (await http.post(url, content=body, headers=signed(body, **how))).status_code


async def test_a_signed_delivery_is_taken_and_verified(inbox: InboxStandin, http: httpx2.AsyncClient) -> None:
    before = datetime.now(UTC)
    assert await deliver(http, f"{inbox.url}/hooks/answers", {"answer": 42}) == 204
    [delivery] = inbox.deliveries
    assert delivery.verified
    assert (delivery.path, delivery.json, delivery.status) == ("/hooks/answers", {"answer": 42}, 204)
    assert delivery.headers["webhook-id"] == "msg_1"
    assert delivery.as_json()["body"] == '{"answer": 42}'
    assert before <= delivery.at <= datetime.now(UTC)


@pytest.mark.parametrize(
    "how",
    [{"secret": ANOTHER_SECRET}, {"age": 600}, {"age": -600}],
    ids=["another secret", "too old", "too new"],
)
async def test_a_delivery_with_a_bad_signature_is_recorded_as_unverified(
    inbox: InboxStandin, http: httpx2.AsyncClient, how: dict[str, Any]
) -> None:
    assert await deliver(http, inbox.url, **how) == 204
    assert [delivery.verified for delivery in inbox.deliveries] == [False]


async def test_a_body_that_was_changed_on_the_way_does_not_verify(
    inbox: InboxStandin, http: httpx2.AsyncClient
) -> None:
    await http.post(inbox.url, content=b'{"answer": 43}', headers=signed(b'{"answer": 42}'))
    assert not inbox.deliveries[0].verified


@pytest.mark.parametrize("signature", ["", "v1", "v1,not base64!", "v2,AAAA", "v1,AAAA,BBBB"])
async def test_a_signature_that_is_no_signature_does_not_verify(
    inbox: InboxStandin, http: httpx2.AsyncClient, signature: str
) -> None:
    await http.post(inbox.url, content=b"{}", headers={**signed(b"{}"), "webhook-signature": signature})
    assert not inbox.deliveries[0].verified


@pytest.mark.parametrize("body", [b"", b"no JSON", b"\xff", b"NaN", b"[" * 100_000])
async def test_a_body_that_is_no_json_is_recorded_without_one(
    inbox: InboxStandin, http: httpx2.AsyncClient, body: bytes
) -> None:
    assert (await http.post(inbox.url, content=body)).status_code == 204
    assert inbox.deliveries[0].json is None
    assert not inbox.deliveries[0].verified


async def test_a_status_with_times_is_over_for_each_webhook_after_so_many(
    inbox: InboxStandin, http: httpx2.AsyncClient
) -> None:
    url = f"{inbox.url}/status/503/times/2"
    assert [await deliver(http, url, webhook_id="a") for _ in range(3)] == [503, 503, 204]
    assert [await deliver(http, url, webhook_id="b") for _ in range(3)] == [503, 503, 204]
    assert [delivery.status for delivery in inbox.deliveries] == [503, 503, 204] * 2


async def test_a_status_without_times_never_ends(inbox: InboxStandin, http: httpx2.AsyncClient) -> None:
    assert [await deliver(http, f"{inbox.url}/status/410") for _ in range(3)] == [410] * 3


@pytest.mark.parametrize("path", ["", "/", "/status", "/status/42", "/status/600", "/status/503/times/x", "/slow/x"])
async def test_every_other_path_is_204(inbox: InboxStandin, http: httpx2.AsyncClient, path: str) -> None:
    assert await deliver(http, inbox.url + path) == 204


async def test_a_slow_answer_comes_after_its_time(inbox: InboxStandin, http: httpx2.AsyncClient) -> None:
    clock = asyncio.get_running_loop().time
    started = clock()
    assert await deliver(http, f"{inbox.url}/slow/0.2") == 204
    assert clock() - started >= 0.2


async def test_a_slow_delivery_is_recorded_before_it_is_answered_and_does_not_hold_up_the_stop(
    http: httpx2.AsyncClient,
) -> None:
    before = asyncio.all_tasks()
    async with InboxStandin.serve(secret=SECRET) as inbox:
        delivering = asyncio.create_task(deliver(http, f"{inbox.url}/slow/3600"))
        await inbox.deliveries.reached(1)
        assert inbox.deliveries[0].verified
        assert not delivering.done()
    with pytest.raises(httpx2.TransportError):
        await delivering
    assert asyncio.all_tasks() == before


async def test_deliveries_can_be_read_over_http(inbox: InboxStandin, http: httpx2.AsyncClient) -> None:
    await deliver(http, f"{inbox.url}/first", {"text": "\ud800"})
    await http.post(f"{inbox.url}/deliveries", content=b"not signed")
    first, second = (await http.get(f"{inbox.url}/deliveries")).json()
    assert (first["path"], first["json"], first["verified"], first["status"]) == (
        "/first",
        {"text": "\ud800"},
        True,
        204,
    )
    assert first["headers"]["webhook-id"] == "msg_1"
    assert datetime.fromisoformat(first["at"]) == inbox.deliveries[0].at
    assert (second["path"], second["json"], second["verified"]) == ("/deliveries", None, False)


async def test_only_the_newest_deliveries_are_kept(inbox: InboxStandin, http: httpx2.AsyncClient) -> None:
    for number in range(KEPT_DELIVERIES + 1):
        await http.post(f"{inbox.url}/{number}")
    kept = (await http.get(f"{inbox.url}/deliveries")).json()
    assert [kept[0]["path"], kept[-1]["path"]] == ["/1", f"/{KEPT_DELIVERIES}"]
    assert len(kept) == KEPT_DELIVERIES
    assert inbox.deliveries.total == KEPT_DELIVERIES + 1


async def test_each_delivery_is_told_to_whoever_asked(http: httpx2.AsyncClient) -> None:
    told: list[Delivery] = []
    async with InboxStandin.serve(secret=SECRET, on_delivery=told.append) as inbox:
        await deliver(http, inbox.url)
    assert told == inbox.deliveries
    assert len(told) == 1


async def test_the_process_prints_its_url_and_each_delivery(http: httpx2.AsyncClient) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edworkers.standins.inbox", "--secret", SECRET, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout
        url = (await process.stdout.readline()).decode().split()[-1]
        await deliver(http, f"{url}/hook", {"answer": 42})
        printed = json.loads(await process.stdout.readline())
        assert (printed["path"], printed["json"], printed["verified"]) == ("/hook", {"answer": 42}, True)
        process.terminate()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
