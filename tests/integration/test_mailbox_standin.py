"""What the stand-in for mail servers takes, keeps, refuses and breaks."""

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosmtplib
import pytest
import trustme

from edworkers.standins.mailbox import KEPT_MAILS, Fault, Mail, Mailbox, read_folder

MESSAGE = b"Subject: Gr\xc3\xbc\xc3\x9fe\r\nMessage-ID: <1@school.example>\r\n\r\n.hello\r\n"
SENDER, ADA, BEN = "school@school.example", "ada@home.example", "ben@home.example"


@asynccontextmanager
async def connected(mailbox: Mailbox, **how: object) -> AsyncIterator[aiosmtplib.SMTP]:
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=mailbox.port, **{"start_tls": False, **how})  # type: ignore[arg-type]
    await client.connect()
    try:
        yield client
    finally:
        client.close()


async def send(mailbox: Mailbox, *recipients: str, **how: object) -> dict[str, int]:
    """Send; gives the status of each recipient that was refused."""
    async with connected(mailbox, **how) as client:
        refused, _ = await client.sendmail(SENDER, recipients or [ADA], MESSAGE)
    return {address: answer.code for address, answer in refused.items()}


async def test_a_message_is_kept_byte_by_byte_with_its_envelope(mailbox: Mailbox) -> None:
    assert await send(mailbox, ADA, BEN) == {}
    [mail] = mailbox.mails
    assert (mail.sender, mail.recipients, mail.content) == (SENDER, (ADA, BEN), MESSAGE)
    assert mail.message["message-id"] == "<1@school.example>"
    assert (mail.as_json()["to"], mail.as_json()["path"]) == ([ADA, BEN], None)
    assert mailbox.said("RCPT") == [f"TO:<{ADA}>", f"TO:<{BEN}>"]


async def test_a_folder_holds_each_message_as_a_file_and_is_read_again(tmp_path: Path) -> None:
    async with Mailbox.serve(folder=tmp_path / "mails") as mailbox:
        await send(mailbox, ADA)
        await send(mailbox, ADA, BEN)
    first, second = read_folder(tmp_path / "mails")
    assert [first.path, second.path] == [mail.path for mail in mailbox.mails]
    assert (second.sender, second.recipients, second.content) == (SENDER, (ADA, BEN), MESSAGE)
    assert {path.suffix for path in (tmp_path / "mails").iterdir()} == {".eml"}


async def test_an_address_steers_the_answer(mailbox: Mailbox) -> None:
    always, twice = "status-550@home.example", "status-451-times-2@home.example"
    assert [await send(mailbox, ADA, always, twice) for _ in range(3)] == [
        {always: 550, twice: 451},
        {always: 550, twice: 451},
        {always: 550},
    ]
    assert [mail.recipients for mail in mailbox.mails] == [(ADA,), (ADA,), (ADA, twice)]


@pytest.mark.parametrize("command", ["CONNECT", "MAIL", "RCPT", "DATA", "."])
async def test_a_fault_answers_in_place_of_the_server_as_often_as_it_says(mailbox: Mailbox, command: str) -> None:
    mailbox.faults.append(Fault(command, reply="451 4.3.0 not now"))
    with pytest.raises(aiosmtplib.SMTPException) as caught:
        await send(mailbox)
    assert "not now" in str(caught.value) or "451" in str(caught.value.__context__)
    assert mailbox.mails == []
    assert await send(mailbox) == {}


@pytest.mark.parametrize("command", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."])
async def test_a_fault_hangs_up(mailbox: Mailbox, command: str) -> None:
    mailbox.faults.append(Fault(command, drop=True, times=None))
    for _ in range(2):
        with pytest.raises((aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPConnectError)):
            await send(mailbox)
    # At the end of the data it is the answer that is lost, not the message.
    assert len(mailbox.mails) == (2 if command == "." else 0)


async def test_a_fault_answers_and_then_hangs_up(mailbox: Mailbox) -> None:
    for command in ("MAIL", "."):
        mailbox.faults.append(Fault(command, reply="421 4.3.2 shutting down", drop=True))
        async with connected(mailbox) as client:
            with pytest.raises(aiosmtplib.SMTPResponseException, match="shutting down"):
                await client.sendmail(SENDER, [ADA], MESSAGE)
            with pytest.raises(aiosmtplib.SMTPServerDisconnected):
                await client.noop()
    assert mailbox.mails == []


async def test_a_fault_is_for_the_commands_that_it_is_about(mailbox: Mailbox) -> None:
    mailbox.faults.append(Fault("RCPT", reply="450 4.7.1 greylisted", about=BEN))
    assert await send(mailbox, ADA, BEN) == {BEN: 450}
    assert await send(mailbox, ADA, BEN) == {}


async def test_a_slow_answer_does_not_hold_up_the_end(mailbox: Mailbox) -> None:
    before = asyncio.all_tasks()
    async with Mailbox.serve() as slow:
        slow.faults.append(Fault("MAIL", seconds=3600))
        sending = asyncio.create_task(send(slow))
        await slow.commands.reached(3)
        assert slow.said("MAIL") != []
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await sending
    assert asyncio.all_tasks() == before


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def contexts(authority: trustme.CA) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return server, client


async def test_starttls_and_a_login_can_be_demanded(authority: trustme.CA) -> None:
    server, client = contexts(authority)
    async with Mailbox.serve(starttls=server, users={"ada": "pass"}) as mailbox:
        known = {"start_tls": True, "tls_context": client, "username": "ada"}
        assert await send(mailbox, **known, password="pass") == {}
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await send(mailbox, **known, password="other")
        with pytest.raises(aiosmtplib.SMTPResponseException):
            await send(mailbox, start_tls=True, tls_context=client)
        with pytest.raises(aiosmtplib.SMTPResponseException, match="STARTTLS"):
            await send(mailbox)
    assert len(mailbox.mails) == 1
    assert set(mailbox.said("AUTH")) == {"…"}


async def test_tls_can_be_there_from_the_first_byte(authority: trustme.CA) -> None:
    server, client = contexts(authority)
    async with Mailbox.serve(tls=server, users={"ada": "pass"}) as mailbox:
        assert mailbox.url == f"smtps://127.0.0.1:{mailbox.port}"
        assert await send(mailbox, use_tls=True, tls_context=client, username="ada", password="pass") == {}


async def test_addresses_beyond_ascii_are_taken_only_where_they_are_offered(mailbox: Mailbox) -> None:
    async with connected(mailbox) as client:
        await client.sendmail(SENDER, ["grüße@home.example"], MESSAGE, mail_options=["SMTPUTF8"])
    assert mailbox.mails[0].recipients == ("grüße@home.example",)
    async with Mailbox.serve(utf8=False) as plain, connected(plain) as client:
        await client.ehlo()
        assert not client.supports_extension("smtputf8")


async def test_the_server_hangs_up_on_everybody_and_goes_on(mailbox: Mailbox) -> None:
    async with connected(mailbox) as client:
        await mailbox.hang_up()
        with pytest.raises(aiosmtplib.SMTPServerDisconnected):
            await client.noop()
    assert await send(mailbox) == {}
    assert mailbox.connections == 2


async def test_a_message_beyond_what_the_server_takes_is_refused(mailbox: Mailbox) -> None:
    mailbox.terms.max_bytes = 10
    with pytest.raises(aiosmtplib.SMTPResponseException, match="size"):
        await send(mailbox)


async def test_only_the_newest_are_kept_and_clearing_forgets_them(mailbox: Mailbox) -> None:
    async with connected(mailbox) as client:
        for _ in range(KEPT_MAILS + 1):
            await client.sendmail(SENDER, [ADA], MESSAGE)
    assert (len(mailbox.mails), mailbox.mails.total) == (KEPT_MAILS, KEPT_MAILS + 1)
    mailbox.clear()
    assert (mailbox.mails, mailbox.mails.total, mailbox.commands, mailbox.connections) == ([], 0, [], 0)


async def test_the_process_prints_its_url_and_each_mail(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edworkers.standins.mailbox", "--folder", str(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout
        url = (await process.stdout.readline()).decode().split()[-1]
        port = int(url.split(":")[-1])
        await aiosmtplib.send(
            MESSAGE, sender=SENDER, recipients=[ADA], hostname="127.0.0.1", port=port, start_tls=False
        )
        printed = json.loads(await process.stdout.readline())
        assert (printed["from"], printed["to"], printed["messageId"]) == (SENDER, [ADA], "<1@school.example>")
        [mail] = read_folder(tmp_path)
        assert isinstance(mail, Mail)
        assert printed["path"] == str(mail.path)
        process.terminate()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
