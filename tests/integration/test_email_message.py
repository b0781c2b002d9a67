"""What the `email` handler sends: the message as a strict parser, a receiver and a reader see it."""

import base64
import email
import email.policy
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage, MIMEPart
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import dkim  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError
from tests.integration.mailing import ADA, BEN, HANDLER, Mailer, mailing

from edworkers.handlers.email.request import EmailData
from edworkers.standins.mailbox import Mail, Mailbox

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
STRICT = email.policy.SMTP.clone(raise_on_defect=True)


@pytest.fixture
async def mailer(mailbox: Mailbox) -> AsyncIterator[Mailer]:
    async with mailing(mailbox) as mailer:
        yield mailer


def strictly(mail: Mail) -> EmailMessage:
    """Parse so that any defect is an error, also in headers, and check what RFC 5322 demands of every line."""
    for line in mail.content.split(b"\r\n"):
        assert len(line) <= 998
        assert b"\r" not in line
        assert b"\n" not in line
    message = email.message_from_bytes(mail.content, policy=STRICT)
    for part in message.walk():
        assert part.defects == []
        for value in part.values():
            assert value.defects == ()
    return message


def shape(part: MIMEPart) -> object:
    """The types of the parts, nested as they are."""
    if part.is_multipart():
        return (part.get_content_subtype(), [shape(inner) for inner in part.iter_parts()])
    return part.get_content_type()


def leaves(message: EmailMessage) -> Iterator[EmailMessage]:
    return (part for part in message.walk() if not part.is_multipart())


async def test_text_alone_is_one_part(mailbox: Mailbox, mailer: Mailer) -> None:
    await mailer.send_well(text="Hello, Ada")
    message = strictly(mailbox.mails[0])
    assert shape(message) == "text/plain"
    assert message.get_content().splitlines() == ["Hello, Ada"]
    assert parsedate_to_datetime(message["date"]).tzinfo is not None
    assert message["mime-version"] == "1.0"


async def test_html_always_has_a_text_beside_it_that_can_be_read(mailbox: Mailbox, mailer: Mailer) -> None:
    await mailer.send_well(html='<h1>News</h1><p>Read <a href="https://school.example/1">this</a> &amp; smile.</p>')
    message = strictly(mailbox.mails[0])
    assert shape(message) == ("alternative", ["text/plain", "text/html"])
    text, html = leaves(message)
    assert text.get_content().replace("\r", "") == "News\n\nRead this (https://school.example/1) & smile.\n"
    assert "<h1>News</h1>" in html.get_content()


async def test_images_and_files_are_nested_where_mail_programs_look_for_them(mailbox: Mailbox, mailer: Mailer) -> None:
    encoded = base64.b64encode(PNG).decode()
    await mailer.send_well(
        html='<img src="cid:logo" alt="East School">',
        attachments=[
            {"content": encoded, "filename": "logo.png", "inline": "logo"},
            {"content": encoded, "filename": "Zeugnis für Ada, 2026 (1).pdf"},
            {"content": encoded, "filename": "data", "contentType": "application/x-thing"},
        ],
    )
    message = strictly(mailbox.mails[0])
    assert shape(message) == (
        "mixed",
        [
            ("related", [("alternative", ["text/plain", "text/html"]), "image/png"]),
            "application/pdf",
            "application/x-thing",
        ],
    )
    text, _, logo, pdf, thing = leaves(message)
    assert text.get_content().strip() == "East School"
    assert (logo["content-id"], logo.get_content_disposition()) == ("<logo>", "inline")
    assert (pdf.get_filename(), pdf.get_content_disposition()) == ("Zeugnis für Ada, 2026 (1).pdf", "attachment")
    assert [part.get_content() for part in (logo, pdf, thing)] == [PNG] * 3


async def test_names_and_subjects_beyond_ascii_arrive_as_they_were(mailbox: Mailbox, mailer: Mailer) -> None:
    names = ["Zoë Müller", 'Ada "the first", Lovelace', "王小明", "🎓 " * 5, "=?utf-8?q?no?=", "O'Neil, J."]
    to = [f'"{name.replace(chr(34), chr(92) + chr(34))}" <p{n}@home.example>' for n, name in enumerate(names)]
    subject = "Grüße aus der Schule: " + "sehr langer Betreff, ünd noch länger " * 8
    await mailer.send_well(to=to, subject=subject, text="Grüße\n" + "x" * 5000 + "\nöß " * 400)
    message = strictly(mailbox.mails[0])
    assert [address.display_name for address in message["to"].addresses] == [name.strip() for name in names]
    assert [address.addr_spec for address in message["to"].addresses] == [f"p{n}@home.example" for n in range(6)]
    assert message["subject"] == subject.strip()
    assert mailbox.mails[0].content.isascii()
    assert message.get_content().count("öß") == 400


async def test_a_hundred_receivers_are_folded_and_one_more_is_refused(mailbox: Mailbox, mailer: Mailer) -> None:
    people = [f"Person Nümber {n} <p{n}@home.example>" for n in range(100)]
    await mailer.send_well(to=people)
    assert len(strictly(mailbox.mails[0])["to"].addresses) == len(mailbox.mails[0].recipients) == 100
    with pytest.raises(ValidationError, match="101 receivers"):
        await mailer.send(to=people, bcc=[BEN])


async def test_without_to_and_cc_nobody_is_named(mailbox: Mailbox, mailer: Mailer) -> None:
    await mailer.send_well(to=[], bcc=[ADA, BEN])
    assert strictly(mailbox.mails[0])["to"] == "undisclosed-recipients:;"
    assert ADA.encode() not in mailbox.mails[0].content


@pytest.mark.parametrize("character", ["\r\n", "\n", "\r", "\0", "\x0b", "\u2028", "\x85", "\u202e"])
@pytest.mark.parametrize("field", ["to", "cc", "replyTo", "from", "subject", "headers", "filename", "listUnsubscribe"])
async def test_no_field_smuggles_a_header_in(field: str, character: str) -> None:
    evil = f"x{character}Bcc: evil@evil.example"
    address = f"Ada{character}Bcc: evil <{ADA}>"
    injected: dict[str, dict[str, Any]] = {
        "to": {"to": address},
        "cc": {"cc": [address]},
        "replyTo": {"replyTo": f"{ADA}{character}x"},
        "from": {"from": address},
        "subject": {"subject": evil},
        "headers": {"headers": {"X-Evil": evil}},
        "filename": {"attachments": [{"content": "", "filename": evil}]},
        "listUnsubscribe": {"listUnsubscribe": f"https://school.example/{character}Bcc:x"},
    }
    with pytest.raises(ValidationError):
        EmailData.model_validate({"to": ADA, "subject": "s", "text": "t", **injected[field]})


async def test_a_variable_that_breaks_the_subject_is_buried(mailbox: Mailbox, mailer: Mailer) -> None:
    variables = {"name": "Ada\r\nBcc: evil@evil.example", "school": "East", "url": "https://school.example"}
    failed = await mailer.send_in_vain(template="welcome", variables=variables)
    assert (failed.kind, failed.retryable) == ("template", False)
    assert mailbox.mails == []


@pytest.mark.parametrize("name", ["Bcc", "To", "from", "DKIM-Signature", "Content-Type", "Received", "X Evil", "X-E:"])
def test_a_header_that_would_make_another_message_of_it_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="can't be set"):
        EmailData.model_validate({"to": ADA, "subject": "s", "text": "t", "headers": {name: "x"}})


async def test_headers_of_a_job_and_where_to_unsubscribe_are_in_the_message(mailbox: Mailbox) -> None:
    usual = "https://school.example/u/1 mailto:leave@school.example"
    async with mailing(mailbox, MAIL_LIST_UNSUBSCRIBE=usual) as mailer:
        await mailer.send_well(headers={"X-School": "Öst 9", "In-Reply-To": "<1@school.example>"}, replyTo=BEN)
        await mailer.send_well(listUnsubscribe="mailto:other@school.example")
        await mailer.send_well(listUnsubscribe=[])
    first, second, third = (strictly(mail) for mail in mailbox.mails)
    assert (first["x-school"], first["reply-to"]) == ("Öst 9", BEN)
    assert first["list-unsubscribe"] == "<https://school.example/u/1>, <mailto:leave@school.example>"
    assert first["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert (second["list-unsubscribe"], second["list-unsubscribe-post"]) == ("<mailto:other@school.example>", None)
    assert third["list-unsubscribe"] is None


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize(
    "form", [serialization.PrivateFormat.TraditionalOpenSSL, serialization.PrivateFormat.PKCS8], ids=str
)
async def test_a_signature_verifies_and_any_change_breaks_it(
    mailbox: Mailbox, rsa_key: rsa.RSAPrivateKey, tmp_path: Path, form: serialization.PrivateFormat
) -> None:
    pem = rsa_key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    (tmp_path / "dkim.pem").write_bytes(pem)
    public = rsa_key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)

    def look_up(name: bytes, timeout: int = 5) -> bytes | None:
        return record if name == b"mail2026._domainkey.school.example." else None

    env = {"DKIM_DOMAIN": "school.example", "DKIM_SELECTOR": "mail2026"}
    async with mailing(mailbox, **env, DKIM_PRIVATE_KEY_FILE=str(tmp_path / "dkim.pem")) as mailer:
        await mailer.send_well(html="<p>Grüße</p>", to=f"Ada Ü <{ADA}>", listUnsubscribe="https://school.example/u")
    async with mailing(mailbox, **env, DKIM_PRIVATE_KEY=pem.decode().replace("\n", "\\n")) as mailer:
        await mailer.send_well(text="Hello")
    for mail in mailbox.mails:
        strictly(mail)
        assert b"c=relaxed/relaxed" in mail.content
        assert dkim.verify(mail.content, dnsfunc=look_up)
        assert not dkim.verify(mail.content.replace(b"Subject: News", b"Subject: Fake"), dnsfunc=look_up)
        assert not dkim.verify(b"From: evil@evil.example\r\n" + mail.content, dnsfunc=look_up)
        assert not dkim.verify(mail.content[:-4] + b"x" + mail.content[-4:], dnsfunc=look_up)


def test_a_key_that_is_none_is_a_fault_that_does_not_show_it() -> None:
    env = {"DKIM_DOMAIN": "school.example", "DKIM_SELECTOR": "s", "DKIM_PRIVATE_KEY": "secret words"}
    faults = [fault for fault in HANDLER.faults(env) if fault.startswith("DKIM")]
    assert len(faults) == 1
    assert "secret words" not in faults[0]


async def test_an_attachment_comes_from_storage(mailbox: Mailbox, tmp_path: Path) -> None:
    (tmp_path / "report 1.pdf").write_bytes(b"%PDF-1.7" + bytes(200_000))
    async with mailing(mailbox, STORAGE_FOLDER=str(tmp_path)) as mailer:
        await mailer.send_well(attachments=[{"url": f"file://{tmp_path}/report%201.pdf"}])
        missing = await mailer.send_in_vain(attachments=[{"url": f"file://{tmp_path}/nowhere.pdf"}])
        outside = await mailer.send_in_vain(attachments=[{"url": "file:///etc/hostname"}])
    _, pdf = leaves(strictly(mailbox.mails[0]))
    assert (pdf.get_filename(), pdf.get_content_type()) == ("report 1.pdf", "application/pdf")
    assert pdf.get_content() == b"%PDF-1.7" + bytes(200_000)
    for failed in (missing, outside):
        assert (failed.kind, failed.retryable) == ("attachment", False)
    assert len(mailbox.mails) == 1


async def test_what_is_too_large_is_buried_with_the_reason(mailbox: Mailbox, tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(bytes(90_000))
    url = f"file://{tmp_path}/large.bin"
    async with mailing(mailbox, STORAGE_FOLDER=str(tmp_path), MAIL_MAX_BYTES="200000") as mailer:
        await mailer.send_well(attachments=[{"url": url}])
        two = await mailer.send_in_vain(attachments=[{"url": url}, {"url": url}])
        long = await mailer.send_in_vain(text="x" * 250_000)
    for failed in (two, long):
        assert (failed.kind, failed.retryable) == ("too-large", False)
        assert "MAIL_MAX_BYTES" in failed.message
    assert len(mailbox.mails) == 1


async def test_a_template_fills_in_subject_html_and_text(mailbox: Mailbox, mailer: Mailer) -> None:
    variables = {"name": "<script>alert(1)</script>", "school": "East & West", "url": "https://school.example/?a=1&b=2"}
    await mailer.send_well(template="welcome", variables=variables)
    message = strictly(mailbox.mails[0])
    text, html = leaves(message)
    assert message["subject"] == "Welcome to East & West, <script>alert(1)</script>"
    assert "<script>" not in html.get_content()
    assert "&lt;script&gt;alert(1)" in html.get_content()
    assert "https://school.example/?a=1&b=2" in text.get_content()


async def test_a_variable_of_a_kind_that_a_template_cannot_use_is_buried_with_its_name_and_kind(
    mailbox: Mailbox, mailer: Mailer
) -> None:
    failed = await mailer.send_in_vain(template="digest", variables={"name": "Ada", "items": 7})
    assert (failed.kind, failed.retryable) == ("template", False)
    assert failed.message == "digest/subject.txt, line 1: object of type 'int' has no len() (items is a number)"
    assert mailbox.mails == []


async def test_a_file_of_text_may_say_how_its_letters_are_written(mailbox: Mailbox, mailer: Mailer) -> None:
    content = base64.b64encode("größe".encode()).decode()
    kind = "text/csv; charset=utf-8"
    await mailer.send_well(attachments=[{"content": content, "filename": "a.csv", "contentType": kind}])
    [file] = strictly(mailbox.mails[0]).iter_attachments()
    assert (file["content-type"].content_type, file["content-type"].params["charset"]) == ("text/csv", "utf-8")
    assert file.get_content() == "größe"


async def test_a_variable_that_is_missing_is_buried_with_its_name_and_the_line(
    mailbox: Mailbox, mailer: Mailer
) -> None:
    failed = await mailer.send_in_vain(template="welcome", variables={"name": "Ada", "school": "East"})
    assert (failed.kind, failed.retryable) == ("template", False)
    assert failed.message == "welcome/mjml.j2, line 7: the variable 'url' is missing"
    unknown = await mailer.send_in_vain(template="nowhere")
    assert not unknown.retryable
    assert "welcome" in unknown.message
    assert mailbox.mails == []
