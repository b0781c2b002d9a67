"""Webhooks over TLS: authorities of one's own, certificates of ours, HTTP/2 on one connection."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import h2.config
import h2.connection
import h2.events
import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from standardwebhooks import Webhook
from tests.integration.webhook_receivers import ENV, SECRET, receiving, saying, sending

from edworkers.adapters.guarded_http import make_client
from edworkers.core.outcome import Done
from edworkers.handlers.webhook.deliver import find_faults

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def authority_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture(scope="module")
def server(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "school.example").configure_cert(context)
    return context


@pytest.fixture
def strict_server(authority: trustme.CA) -> ssl.SSLContext:
    """One that takes nothing from whom it doesn't know."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture(scope="module")
def client_certificate(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("edworkers@school.example")


def written(path: Path, *parts: trustme.Blob) -> str:
    path.write_bytes(b"".join(part.bytes() for part in parts))
    return str(path)


async def test_a_receiver_with_a_certificate_of_an_authority_of_ones_own_is_trusted_by_setting(
    server: ssl.SSLContext, authority_file: str
) -> None:
    async with receiving(saying(OK), server) as receiver:
        async with sending() as sender:
            failed = await sender.send_in_vain(receiver.url)
        async with sending(WEBHOOK_CA_FILE=authority_file) as sender:
            assert isinstance(await sender.send(receiver.url), Done)
    assert (failed.kind, failed.retryable, failed.service_down) == ("connection", True, True)
    assert "certificate" in failed.message.lower()
    assert len(receiver.heads) == 1


async def test_a_certificate_for_another_name_is_not_trusted(server: ssl.SSLContext, authority_file: str) -> None:
    async with receiving(saying(OK), server) as receiver, sending(WEBHOOK_CA_FILE=authority_file) as sender:
        failed = await sender.send_in_vain(receiver.url.replace("127.0.0.1", "localhost"))
    assert "hostname mismatch" in failed.message.lower()
    assert receiver.heads == []


async def test_the_name_is_what_tls_and_the_request_ask_for_though_an_address_is_connected_to(
    authority: trustme.CA, authority_file: str
) -> None:
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("school.example").configure_cert(context)
    context.set_servername_callback(lambda _socket, name, _context: asked.append(name))

    async def resolve(_: str) -> Sequence[str]:
        return ["127.0.0.1"]

    env = {"WEBHOOK_ALLOWED_NETWORKS": "127.0.0.1", "WEBHOOK_CA_FILE": authority_file}
    async with receiving(saying(OK), context) as receiver, make_client(env, resolve=resolve) as client:
        port = receiver.url.rpartition(":")[2]
        assert (await client.post(f"https://school.example:{port}/")).status_code == 200
    assert asked == ["school.example"]
    assert f"host: school.example:{port}\r\n" in receiver.heads[0]


@pytest.mark.parametrize("in_one_file", [True, False])
async def test_a_receiver_that_asks_for_a_certificate_is_shown_ours(
    strict_server: ssl.SSLContext,
    authority_file: str,
    client_certificate: trustme.LeafCert,
    tmp_path: Path,
    in_one_file: bool,  # noqa: FBT001
) -> None:
    key, chain = client_certificate.private_key_pem, client_certificate.cert_chain_pems
    if in_one_file:
        files = {"WEBHOOK_CLIENT_CERT_FILE": written(tmp_path / "both.pem", key, *chain)}
    else:
        files = {
            "WEBHOOK_CLIENT_CERT_FILE": written(tmp_path / "cert.pem", *chain),
            "WEBHOOK_CLIENT_KEY_FILE": written(tmp_path / "key.pem", key),
        }
    names: list[object] = []

    async def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        names.append(writer.get_extra_info("peercert")["subjectAltName"])
        writer.write(OK)

    async with receiving(note, strict_server) as receiver:
        async with sending(WEBHOOK_CA_FILE=authority_file) as sender:
            failed = await sender.send_in_vain(receiver.url)
        async with sending(WEBHOOK_CA_FILE=authority_file, **files) as sender:
            assert isinstance(await sender.send(receiver.url), Done)
    assert (failed.kind, failed.retryable) == ("connection", True)
    assert names == [(("email", "edworkers@school.example"),)]


def test_certificates_that_cannot_be_used_are_told_at_the_start_all_at_once(
    client_certificate: trustme.LeafCert, authority: trustme.CA, tmp_path: Path
) -> None:
    certificate = written(tmp_path / "cert.pem", *client_certificate.cert_chain_pems)
    key = written(tmp_path / "key.pem", client_certificate.private_key_pem)
    other_key = written(tmp_path / "other.pem", authority.issue_cert("other.example").private_key_pem)
    locked = tmp_path / "locked.pem"
    private = serialization.load_pem_private_key(client_certificate.private_key_pem.bytes(), None)
    locked.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    text = tmp_path / "text.pem"
    text.write_text("no certificate")

    def faults(**env: str) -> list[str]:
        return find_faults({**ENV, **{f"WEBHOOK_{name}_FILE": path for name, path in env.items()}})

    assert faults(CLIENT_CERT=certificate, CLIENT_KEY=key, CA=certificate) == []
    assert faults(CA=f"{tmp_path}/none.pem", CLIENT_KEY=key) == [
        f"WEBHOOK_CA_FILE: {tmp_path}/none.pem can't be read: No such file or directory",
        "WEBHOOK_CLIENT_KEY_FILE: is set without WEBHOOK_CLIENT_CERT_FILE, of which it would be the key",
    ]
    assert faults(CA=str(text)) == [
        f"WEBHOOK_CA_FILE: {text} has no certificate in it; it must be PEM, as -----BEGIN CERTIFICATE-----"
    ]
    assert faults(CLIENT_CERT=f"{tmp_path}/none.pem", CLIENT_KEY=str(tmp_path)) == [
        f"WEBHOOK_CLIENT_CERT_FILE: {tmp_path}/none.pem can't be read: No such file or directory",
        f"WEBHOOK_CLIENT_KEY_FILE: {tmp_path} can't be read: Is a directory",
    ]
    assert faults(CLIENT_CERT=certificate, CLIENT_KEY=other_key) == [
        f"WEBHOOK_CLIENT_KEY_FILE: {other_key} is the key of another certificate than {certificate}"
    ]
    for unusable in (str(text), str(locked)):
        [fault] = faults(CLIENT_CERT=certificate, CLIENT_KEY=unusable)
        assert fault.startswith(f"WEBHOOK_CLIENT_CERT_FILE: {unusable} (and {certificate}) must hold a certificate")
    [fault] = faults(CLIENT_CERT=certificate)
    assert fault.endswith("give a key in a file of its own by WEBHOOK_CLIENT_KEY_FILE")


class Http2:
    """A server that speaks HTTP/2 and nothing else; it answers requests with 204 once as many came as it expects."""

    def __init__(self, at_once: int) -> None:
        self.connections = 0
        self.received: list[tuple[dict[str, str], bytes]] = []
        self._at_once = at_once
        self._headers: dict[int, dict[str, str]] = {}
        self._bodies: dict[int, bytes] = {}
        self._waiting: list[int] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
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
                self.received.append((self._headers[stream], self._bodies[stream]))
                self._waiting.append(stream)
                self._answer(connection)
            case _:
                pass

    def _answer(self, connection: h2.connection.H2Connection) -> None:
        if len(self._waiting) < self._at_once:
            return
        for stream in self._waiting:
            connection.send_headers(stream, [(":status", "204")], end_stream=True)
        self._waiting.clear()


@asynccontextmanager
async def speaking_http2(at_once: int, context: ssl.SSLContext) -> AsyncIterator[tuple[Http2, str]]:
    context.set_alpn_protocols(["h2", "http/1.1"])
    speaker = Http2(at_once)
    server = await asyncio.start_server(speaker.serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield speaker, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"


async def test_http_2_carries_many_deliveries_at_once_on_one_connection(
    authority: trustme.CA, authority_file: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with speaking_http2(1, context) as (speaker, url), sending(WEBHOOK_CA_FILE=authority_file) as sender:
        assert isinstance(await sender.send(url, job_id="first"), Done)
        speaker._at_once = 5
        outcomes = await asyncio.gather(*(sender.send(url, job_id=f"job-{number}") for number in range(5)))
    assert [type(outcome) for outcome in outcomes] == [Done] * 5
    assert speaker.connections == 1
    assert {headers["webhook-id"] for headers, _ in speaker.received} == {"first", *(f"job-{n}" for n in range(5))}
    for headers, message in speaker.received:
        assert headers[":path"] == "/hooks"
        assert Webhook(SECRET).verify(message, headers)["data"] == {"answer": 42}


async def test_a_tls_connection_is_used_again(server: ssl.SSLContext, authority_file: str) -> None:
    async with receiving(saying(OK), server) as receiver, sending(WEBHOOK_CA_FILE=authority_file) as sender:
        for _ in range(3):
            assert isinstance(await sender.send(receiver.url), Done)
    assert (receiver.connections, len(receiver.heads)) == (1, 3)


async def test_a_receiver_that_hangs_up_during_the_handshake_is_a_failed_attempt(authority_file: str) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    listener = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with listener, sending(WEBHOOK_CA_FILE=authority_file) as sender:
        failed = await sender.send_in_vain(f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}/")
    assert (failed.kind, failed.retryable, failed.service_down) == ("connection", True, True)
