"""The `webhook` handler: deliveries to the inbox stand-in, and to receivers that behave worse than it."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import cast

import h2.config
import h2.connection
import h2.events
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook
from tests.integration.webhook_receivers import (
    OTHER_SECRET,
    SECRET,
    Answer,
    Job,
    Sender,
    receiving,
    say_nothing,
    saying,
    sending,
)

from edworkers.core.outcome import Done, Failed, Rejected
from edworkers.handlers.webhook.deliver import KEPT_BYTES
from edworkers.handlers.webhook.request import WebhookData
from edworkers.standins.inbox import InboxStandin


@pytest.fixture
async def inbox() -> AsyncIterator[InboxStandin]:
    async with InboxStandin.serve(secret=SECRET) as inbox:
        yield inbox


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with sending() as sender:
        yield sender


async def test_an_event_is_delivered_signed_as_standard_webhooks(inbox: InboxStandin, sender: Sender) -> None:
    before = datetime.now(UTC)
    outcome = await sender.send(f"{inbox.url}/hooks/answers?school=1")
    assert isinstance(outcome, Done)
    assert outcome.follow_ups == ()
    assert (outcome.result["status"], outcome.result["body"]) == (204, "")
    assert 0 <= outcome.result["seconds"] < 15
    [delivery] = inbox.deliveries
    assert delivery.verified
    assert delivery.path == "/hooks/answers"
    assert (delivery.json["type"], delivery.json["data"]) == ("ai.completed", {"answer": 42})
    assert before <= datetime.fromisoformat(delivery.json["timestamp"]) <= datetime.now(UTC)
    assert delivery.headers["content-type"] == "application/json"
    assert delivery.headers["webhook-id"] == "01JOB"


async def test_another_attempt_is_the_same_message(inbox: InboxStandin, sender: Sender) -> None:
    url = f"{inbox.url}/status/503/times/2"
    outcomes = [await sender.send(url, job_id="parent.webhook", timestamp="2026-01-31T12:00:00Z") for _ in range(3)]
    assert [type(outcome) for outcome in outcomes] == [Failed, Failed, Done]
    assert (outcomes[0].kind, outcomes[0].retryable) == ("status", True)
    assert "answered 503 Service Unavailable" in outcomes[0].message
    assert all(delivery.verified for delivery in inbox.deliveries)
    assert {delivery.headers["webhook-id"] for delivery in inbox.deliveries} == {"parent%2Ewebhook"}
    assert [delivery.json for delivery in inbox.deliveries] == [inbox.deliveries[0].json] * 3


async def test_a_job_may_bring_headers(inbox: InboxStandin, sender: Sender) -> None:
    await sender.send(inbox.url, headers={"X-School": "East 9", "Content-Type": "application/cloudevents+json"})
    [delivery] = inbox.deliveries
    assert delivery.headers["x-school"] == "East 9"
    assert delivery.headers["content-type"] == "application/cloudevents+json"
    assert delivery.verified


async def test_a_header_that_slipped_past_the_check_injects_nothing(inbox: InboxStandin, sender: Sender) -> None:
    data = WebhookData.model_construct(
        url=inbox.url, event="x", payload=None, headers={"x-school": "1\r\nx-evil: 1"}, secret=None, secret_ref=None
    )
    outcome = await sender.handle(data, Job())
    assert isinstance(outcome, Failed)
    assert inbox.deliveries == []


async def test_each_secret_of_a_rotation_verifies_the_message(inbox: InboxStandin) -> None:
    async with sending(WEBHOOK_SECRET=f"{OTHER_SECRET} {SECRET}") as sender:
        await sender.send(inbox.url)
    assert inbox.deliveries[0].verified
    assert len(inbox.deliveries[0].headers["webhook-signature"].split(" ")) == 2


async def test_a_job_that_refers_to_a_secret_is_signed_with_that(inbox: InboxStandin) -> None:
    async with sending(WEBHOOK_SECRET=OTHER_SECRET, WEBHOOK_SECRET_SCHOOL_1=SECRET) as sender:
        await sender.send(inbox.url, secretRef="school-1")
        await sender.send(inbox.url, secret=SECRET)
        await sender.send(inbox.url)
    assert [delivery.verified for delivery in inbox.deliveries] == [True, True, False]


async def test_a_job_that_refers_to_a_secret_that_is_missing_is_not_sent(inbox: InboxStandin, sender: Sender) -> None:
    failed = await sender.send_in_vain(inbox.url, secretRef="school-1")
    assert (failed.kind, failed.retryable) == ("secret", False)
    assert "WEBHOOK_SECRET_SCHOOL_1" in failed.message
    assert inbox.deliveries == []


async def test_a_delivery_without_a_secret_has_an_id_and_a_time_and_no_signature(inbox: InboxStandin) -> None:
    async with sending(WEBHOOK_SECRET="none") as sender:
        assert isinstance(await sender.send(inbox.url), Done)
    [delivery] = inbox.deliveries
    assert {"webhook-id", "webhook-timestamp"} <= delivery.headers.keys()
    assert "webhook-signature" not in delivery.headers


async def test_gone_is_buried(inbox: InboxStandin, sender: Sender) -> None:
    failed = await sender.send_in_vain(f"{inbox.url}/status/410")
    assert (failed.kind, failed.retryable) == ("gone", False)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 599])
async def test_other_refusals_are_tried_again(inbox: InboxStandin, sender: Sender, status: int) -> None:
    failed = await sender.send_in_vain(f"{inbox.url}/status/{status}")
    assert (failed.kind, failed.retryable) == ("status", True)


async def test_a_redirect_is_not_followed(inbox: InboxStandin, sender: Sender) -> None:
    answer = f"HTTP/1.1 307 Temporary Redirect\r\nlocation: {inbox.url}/other\r\ncontent-length: 0\r\n\r\n"
    async with receiving(saying(answer.encode())) as receiver:
        failed = await sender.send_in_vain(receiver.url)
    assert (failed.kind, failed.retryable) == ("redirect", False)
    assert f"{inbox.url}/other" in failed.message
    assert inbox.deliveries == []


async def test_a_receiver_that_asks_to_wait_is_obeyed(sender: Sender) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=1800), usegmt=True)
    for asked, fewest, most in (("120", 120, 120), (later, 1700, 1800), ("86400", 3600, 3600)):
        answer = f"HTTP/1.1 503 Busy\r\nretry-after: {asked}\r\ncontent-length: 4\r\n\r\nbusy".encode()
        async with receiving(saying(answer)) as receiver:
            failed = await sender.send_in_vain(receiver.url)
        assert failed.after_seconds is not None
        assert fewest <= failed.after_seconds <= most
        assert failed.message.endswith("answered 503 Service Unavailable: busy")


async def test_the_beginning_of_the_answer_is_kept(sender: Sender) -> None:
    async with receiving(saying(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\ngr\xc3\xbc!")) as receiver:
        outcome = await sender.send(receiver.url)
    assert isinstance(outcome, Done)
    assert outcome.result["body"] == "grü!"


async def test_an_endless_answer_is_read_no_further_than_its_beginning(sender: Sender) -> None:
    sent = 0

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()
            sent += 65536

    async with receiving(flood) as receiver:
        outcome = await sender.send(receiver.url)
        await asyncio.wait_for(receiver.gone.wait(), 10)
    assert isinstance(outcome, Done)
    assert outcome.result["body"] == "x" * KEPT_BYTES
    assert sent < 64 * 1024 * 1024  # what the buffers of both ends took


async def test_a_compressed_answer_is_not_asked_for_and_not_unpacked(sender: Sender) -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(bomb)}\r\n\r\n"
    async with receiving(saying(head.encode() + bomb)) as receiver:
        outcome = await sender.send(receiver.url)
    assert isinstance(outcome, Done)
    assert outcome.result["body"] == bomb[:KEPT_BYTES].decode("utf-8", "replace")
    assert "accept-encoding: identity\r\n" in receiver.heads[0]


async def drip_the_head(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nx-long: ")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)  # each byte in time, the whole never


@pytest.mark.parametrize("answer", [drip_the_head, say_nothing])
async def test_an_answer_that_does_not_come_in_time_is_a_failed_attempt(sender: Sender, answer: Answer) -> None:
    async with receiving(answer) as receiver:
        failed = await sender.send_in_vain(receiver.url, seconds=0.5)
        await asyncio.wait_for(receiver.gone.wait(), 10)
    assert (failed.kind, failed.retryable) == ("timeout", True)
    assert "gave no answer within 0.45 s" in failed.message


async def test_a_status_counts_though_its_body_never_ends(sender: Sender) -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n")
        while True:
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.write(b"1\r\n.\r\n")

    async with receiving(drip) as receiver:
        outcome = await sender.send(receiver.url, seconds=0.5)
        await asyncio.wait_for(receiver.gone.wait(), 10)
    assert isinstance(outcome, Done)
    assert outcome.result["body"].startswith("ok")


async def test_a_status_counts_though_its_body_breaks_off(sender: Sender) -> None:
    async with receiving(saying(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhalf", and_close=True)) as receiver:
        outcome = await sender.send(receiver.url)
    assert isinstance(outcome, Done)
    assert outcome.result["body"] == "half"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\xff\r\n\r\n",
        b"HTTP/1.1 9999 What\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx-long: " + b"x" * 2_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    ],
)
async def test_an_answer_that_is_not_http_is_a_failed_attempt(sender: Sender, answer: bytes) -> None:
    async with receiving(saying(answer, and_close=True)) as receiver:
        failed = await sender.send_in_vain(receiver.url)
    assert (failed.kind, failed.retryable) == ("connection", True)
    assert failed.message.startswith(receiver.url.removeprefix("http://"))


async def test_a_receiver_that_is_not_there_is_a_failed_attempt(sender: Sender) -> None:
    async with receiving(say_nothing) as gone:
        pass
    failed = await sender.send_in_vain(gone.url)
    assert (failed.kind, failed.retryable) == ("connection", True)


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "xn--a.example", "a..example", "exa%41mple"])
async def test_a_host_that_can_be_no_host_fails_with_a_reason(sender: Sender, host: str) -> None:
    outcome = await sender.send(f"http://{host}/", seconds=2)
    assert isinstance(outcome, Failed | Rejected)
    assert outcome.message if isinstance(outcome, Failed) else outcome.faults


async def test_a_host_that_no_url_can_have_is_rejected_with_the_field_named(sender: Sender) -> None:
    outcome = await sender.send("http://１２７.0.0.1/")  # noqa: RUF001 - digits that some readers take for 127
    assert isinstance(outcome, Rejected)
    [fault] = outcome.faults
    assert fault.startswith("data.url: ")


async def test_a_receiver_with_which_no_connection_comes_about_is_given_up_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edworkers.handlers.webhook.deliver._CONNECT_SECONDS", 0.1)
    async with receiving(say_nothing) as receiver, sending() as sender:
        # It waits for the end of a request, the client for its half of the TLS handshake.
        failed = await sender.send_in_vain(receiver.url.replace("http:", "https:"), seconds=600)
    assert (failed.kind, failed.retryable) == ("timeout", True)
    assert "can't be reached within 0.1 s" in failed.message


async def test_a_connection_is_used_again(sender: Sender) -> None:
    async with receiving(saying(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")) as receiver:
        for _ in range(3):
            assert isinstance(await sender.send(receiver.url), Done)
    assert (receiver.connections, len(receiver.heads)) == (1, 3)


async def test_cookies_of_one_delivery_are_not_brought_by_the_next(sender: Sender) -> None:
    answer = b"HTTP/1.1 200 OK\r\nset-cookie: session=1; path=/\r\ncontent-length: 0\r\n\r\n"
    async with receiving(saying(answer)) as receiver:
        for _ in range(2):
            await sender.send(receiver.url)
    assert len(receiver.heads) == 2
    assert "cookie:" not in receiver.heads[1]


async def test_proxies_of_the_environment_are_not_used(inbox: InboxStandin, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with sending() as sender:
        assert isinstance(await sender.send(inbox.url), Done)


async def test_one_dead_receiver_does_not_hold_up_another_however_many_deliveries_it_has(
    inbox: InboxStandin, sender: Sender
) -> None:
    all_there = asyncio.Event()

    async def count(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        if len(dead.heads) == 150:
            all_there.set()
        await reader.read()

    async with receiving(count) as dead, asyncio.TaskGroup() as group:
        stuck = [group.create_task(sender.send(dead.url, seconds=600)) for _ in range(150)]
        await asyncio.wait_for(all_there.wait(), 30)
        assert isinstance(await sender.send(inbox.url), Done)
        assert not any(task.done() for task in stuck)
        for task in stuck:
            task.cancel()


@dataclass
class Certificate:
    """A certificate for 127.0.0.1 that only those trust who are told to."""

    path: Path
    server: ssl.SSLContext


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return Certificate(path, server)


async def test_a_receiver_with_an_untrusted_certificate_gets_nothing(sender: Sender, certificate: Certificate) -> None:
    async with receiving(say_nothing, certificate.server) as receiver:
        failed = await sender.send_in_vain(receiver.url)
    assert (failed.kind, failed.retryable) == ("connection", True)
    assert "certificate" in failed.message.lower()
    assert receiver.heads == []


async def test_http_2_is_spoken_with_receivers_that_speak_it(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    certificate.server.set_alpn_protocols(["h2", "http/1.1"])
    received: list[tuple[dict[str, str], bytes]] = []
    server = await asyncio.start_server(_Http2(received).serve, "127.0.0.1", 0, ssl=certificate.server)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"
    async with server, sending() as sender:
        outcomes = [await sender.send(url, job_id=f"job-{number}", headers={"X-School": "1"}) for number in range(2)]
    assert [type(outcome) for outcome in outcomes] == [Done, Done]
    for number, (headers, message) in enumerate(received):
        assert (headers[":path"], headers["x-school"], headers["webhook-id"]) == ("/hooks", "1", f"job-{number}")
        assert Webhook(SECRET).verify(message, headers)["data"] == {"answer": 42}
    assert len(received) == 2


class _Http2:
    """A server that speaks HTTP/2 and nothing else, and answers each request with 204."""

    def __init__(self, received: list[tuple[dict[str, str], bytes]]) -> None:
        self._received = received
        self._headers: dict[int, dict[str, str]] = {}
        self._bodies: dict[int, bytes] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                self._take(connection, event)
            writer.write(connection.data_to_send())
        writer.close()

    def _take(self, connection: h2.connection.H2Connection, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived(stream_id=int(stream), headers=headers):
                self._headers[stream] = dict(cast("list[tuple[str, str]]", headers))
            case h2.events.DataReceived(stream_id=int(stream), data=data):
                self._bodies[stream] = self._bodies.get(stream, b"") + (data or b"")
            case h2.events.StreamEnded(stream_id=int(stream)):
                self._received.append((self._headers[stream], self._bodies[stream]))
                connection.send_headers(stream, [(":status", "204")], end_stream=True)
            case _:
                pass
