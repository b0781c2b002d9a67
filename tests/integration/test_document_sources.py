"""Sources on the web and sources of which nothing can be made, given to the `document` handler."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.integration import documents
from tests.integration.document_desk import Desk
from tests.unit.test_document_kind import ole

from edworkers.core.outcome import Failed

pytestmark = pytest.mark.timeout(120)

DOCX = documents.docx("Hello Ada")


@dataclass
class Site:
    """A server of https on loopback that gives one answer to everything."""

    port: int = 0
    head: str = "HTTP/1.1 200 OK"
    body: bytes = b"# Hello\n"
    declared: int | None = None
    asked: list[str] = field(default_factory=list)

    def url(self, path: str = "/a.md") -> str:
        return f"https://localhost:{self.port}{path}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(request.split(b" ")[1].decode())
        size = len(self.body) if self.declared is None else self.declared
        writer.write(f"{self.head}\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n".encode() + self.body)
        writer.close()


@pytest.fixture
async def site(tmp_path: Path, desk: Desk) -> AsyncGenerator[Site]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    desk.env.update(DOCUMENT_CA_FILE=str(tmp_path / "ca.pem"), DOCUMENT_ALLOWED_NETWORKS="127.0.0.0/8,::1/128")
    made = Site()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0, ssl=context)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


async def fetched(desk: Desk, url: str) -> Any:
    return await desk.attempt(source=url, to="pdf", destination=desk.storage.url("result.pdf"))


async def test_a_source_is_fetched_over_https(desk: Desk, site: Site) -> None:
    found = await fetched(desk, site.url("/a.md?signature=1"))
    assert (found["kind"], desk.text()) == ("md", ["Hello"])
    assert site.asked == ["/a.md?signature=1"]


async def test_addresses_that_are_not_on_the_internet_are_refused(desk: Desk, site: Site) -> None:
    del desk.env["DOCUMENT_ALLOWED_NETWORKS"]
    found = await fetched(desk, site.url())
    assert (found.kind, found.retryable, site.asked) == ("address", False, [])
    assert "DOCUMENT_ALLOWED_NETWORKS" in found.message


async def test_a_server_that_is_not_known_is_not_trusted(desk: Desk, site: Site) -> None:
    del desk.env["DOCUMENT_CA_FILE"]
    found = await fetched(desk, site.url())
    assert (found.kind, found.retryable, site.asked) == ("source", True, [])


async def test_a_source_is_not_read_any_further_than_it_may_be_large(desk: Desk, site: Site) -> None:
    desk.env["DOCUMENT_MAX_BYTES"] = "1000"
    site.body = b"x" * 5000
    found = await fetched(desk, site.url())
    reason = "it has more than the 1000 bytes that are allowed (DOCUMENT_MAX_BYTES)"
    assert found == Failed("document", reason, retryable=False)


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ("HTTP/1.1 404 Not Found", "has no such document (404)"),
        ("HTTP/1.1 403 Forbidden", "refuses it (403)"),
        ("HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/", "answers 302 and names another address"),
    ],
)
async def test_an_answer_that_will_not_change_buries_the_job(desk: Desk, site: Site, head: str, told: str) -> None:
    site.head = head
    found = await fetched(desk, site.url())
    assert (found.kind, found.retryable) == ("source", False)
    assert found.message.startswith(f"localhost:{site.port} {told}")


async def test_a_server_that_is_busy_is_asked_again_when_it_says(desk: Desk, site: Site) -> None:
    site.head = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 120"
    found = await fetched(desk, site.url())
    assert found == Failed("source", f"localhost:{site.port} answers 503", after_seconds=120.0)


async def test_a_source_that_breaks_off_is_fetched_again(desk: Desk, site: Site) -> None:
    site.declared = 5000
    found = await fetched(desk, site.url())
    assert (found.kind, found.retryable) == ("source", True)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.doc", ole("WordDocument"), "it is doc, and damaged or protected: LibreOffice can't open it"),
        (
            "a.odt",
            documents.package({"mimetype": "application/vnd.oasis.opendocument.text"}),
            "it is damaged: its part",
        ),
        ("a.docx", b"", "it is empty"),
        ("a.docx", DOCX[:-100], "it is a zip file, as office documents are, and it is damaged or cut off"),
        ("a.pdf", DOCX, "its name ends with .pdf, and its content is docx: name it as what it is"),
        ("a.pdf", documents.pdf(password="secret"), "the PDF needs a password to be opened"),
        ("a.pdf", documents.pdf()[:300], "the PDF is incomplete: its end is missing"),
        ("a.exe", b"MZ\x90\x00", "it is a program, and no document"),
        (
            "a.docx",
            documents.package({**documents.docx_parts(), "word/document.xml": ""}),
            "it is damaged: its part 'word/document.xml' is missing or empty",
        ),
    ],
)
async def test_what_is_unusable_buries_the_job_with_the_reason(
    desk: Desk, name: str, content: bytes, reason: str
) -> None:
    assert (await desk.refuses(name, content)).startswith(reason)


async def test_what_is_too_large_is_refused_before_it_is_read(desk: Desk) -> None:
    desk.env["DOCUMENT_MAX_BYTES"] = "100"
    told = f"it has {len(DOCX)} bytes, and the 100 bytes that are allowed (DOCUMENT_MAX_BYTES)"
    assert await desk.refuses("a.docx", DOCX) == told


async def test_what_has_too_many_pages_is_refused(desk: Desk) -> None:
    desk.env["DOCUMENT_MAX_PAGES"] = "2"
    three = documents.docx("1", documents.PAGE_BREAK, "2", documents.PAGE_BREAK, "3")
    assert await desk.refuses("a.docx", three) == "there are 3 pages, and the limit is 2"


async def test_what_is_not_possible_is_refused_with_what_is(desk: Desk) -> None:
    told = "pdf can't be made docx; pdf can be made pdf, txt or png"
    assert await desk.refuses("a.pdf", documents.pdf(), "docx") == told


async def test_a_bomb_is_refused(desk: Desk) -> None:
    desk.env["DOCUMENT_MAX_UNPACKED_BYTES"] = str(1024**2)
    bomb = documents.package({**documents.docx_parts(), "word/media/a.bin": bytes(2 * 1024**2)})
    assert await desk.refuses("a.docx", bomb) == "it unpacks to more than the 1 MiB that are allowed"


async def test_a_page_that_is_not_there_is_told(desk: Desk) -> None:
    told = "it has 1 pages, and none of those that options.pages asks for"
    assert await desk.refuses("a.md", "# Hello", pages="2") == told


async def test_a_libreoffice_that_crashes_is_tried_again(desk: Desk, tmp_path: Path) -> None:
    crashing = tmp_path / "soffice"
    crashing.write_text("#!/bin/sh\necho something happened >&2\nexit 77\n")
    crashing.chmod(0o755)
    desk.env["EDWORKERS_SOFFICE"] = str(crashing)
    found = await desk.attempt(source=desk.lay("a.docx", DOCX), to="pdf", destination=desk.storage.url("result.pdf"))
    assert found == Failed("libreoffice", "LibreOffice ended with code 77: something happened")
