"""The `email` handler and its server: what is accepted, refused, put off, lost, and how connections are used."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from tests.integration.mailing import ADA, BEN, CAT, HANDLER, Job, Mailer, mailing

from edworkers.adapters.smtp import pool as smtp_pool
from edworkers.core.outcome import Done
from edworkers.handlers.email.request import EmailData
from edworkers.standins.mailbox import Fault, Mailbox
from edworkers.standins.mailbox_protocol import Terms


@pytest.fixture
async def mailer(mailbox: Mailbox) -> AsyncIterator[Mailer]:
    async with mailing(mailbox) as mailer:
        yield mailer


def retries(mailbox: Mailbox) -> list[str]:
    """The verbs of each line that the server heard."""
    return [line.split(" ")[0] for _, line in mailbox.commands]


async def test_a_mail_arrives_at_everybody_and_bcc_is_on_the_envelope_alone(mailbox: Mailbox, mailer: Mailer) -> None:
    done = await mailer.send_well(to=[f"Ada <{ADA}>"], cc=BEN, bcc=[CAT, ADA])
    [mail] = mailbox.mails
    assert (mail.sender, mail.recipients) == ("mail@school.example", (ADA, BEN, CAT))
    assert CAT.encode() not in mail.content
    assert mail.message["bcc"] is None
    assert done.result == {
        "messageId": "<job.01JOB@school.example>",
        "server": f"127.0.0.1:{mailbox.port}",
        "answer": "2.0.0 OK, kept",
        "bytes": len(mail.content),
        "accepted": 3,
        "refused": [],
        "putOff": [],
    }
    assert done.follow_ups == ()


async def test_a_second_attempt_is_the_same_message(mailbox: Mailbox, mailer: Mailer) -> None:
    mailbox.faults.append(Fault(".", reply="451 4.3.0 not now"))
    failed = await mailer.send_in_vain(job_id="a.b/c")
    assert (failed.kind, failed.retryable) == ("server", True)
    await mailer.send_well(job_id="a.b/c")
    await mailer.send_well(job_id="a.b/c")
    first, second = mailbox.mails
    assert first.message["message-id"] == second.message["message-id"]
    dateless = [b"".join(mail.content.split(b"\r\n", 1)[1:]) for mail in mailbox.mails]
    assert dateless[0] == dateless[1]


async def test_jobs_with_one_idempotency_key_are_one_message(mailbox: Mailbox, mailer: Mailer) -> None:
    await mailer.send_well(job_id="1", idempotencyKey="welcome:42")
    await mailer.send_well(job_id="2", idempotencyKey="welcome:42")
    await mailer.send_well(job_id="3", idempotencyKey="welcome:43")
    first, second, third = (mail.message["message-id"] for mail in mailbox.mails)
    assert first == second != third
    assert first.endswith("@school.example>")


@pytest.mark.parametrize(
    ("at", "reply", "kind"),
    [
        ("MAIL", "452 4.3.1 no room", "busy"),
        ("RCPT", "450 4.2.2 mailbox full", "mailbox-full"),
        ("RCPT", "451 4.7.1 greylisted, try again in 5 minutes", "greylisted"),
        ("DATA", "451 4.3.0 wait", "server"),
        (".", "451 4.3.0 wait", "server"),
        ("MAIL", "421 4.3.2 shutting down", "busy"),
        ("CONNECT", "421 4.3.2 shutting down", "busy"),
        ("CONNECT", "554 5.3.2 no mail here", "busy"),
    ],
)
async def test_what_may_go_better_later_is_tried_again(
    mailbox: Mailbox, mailer: Mailer, at: str, reply: str, kind: str
) -> None:
    mailbox.faults.append(Fault(at, reply=reply))
    failed = await mailer.send_in_vain()
    assert (failed.kind, failed.retryable) == (kind, True)
    assert reply in failed.message
    assert failed.after_seconds == (300 if "5 minutes" in reply else None)
    await mailer.send_well()
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize(
    ("at", "reply", "kind", "words"),
    [
        ("MAIL", "550 5.1.8 bad sender", "sender-refused", "the sender's domain is not accepted"),
        ("RCPT", "550 5.1.1 no such user", "unknown-recipient", "there is no such mailbox"),
        ("RCPT", "552 5.2.2 over quota", "mailbox-full", "the mailbox is full"),
        ("DATA", "554 no", "policy", "the server doesn't accept the message"),
        (".", "550 5.7.26 unauthenticated", "authentication", "neither SPF nor DKIM"),
    ],
)
async def test_what_will_never_go_is_buried_with_the_servers_words(
    mailbox: Mailbox, mailer: Mailer, at: str, reply: str, kind: str, words: str
) -> None:
    mailbox.faults.append(Fault(at, reply=reply))
    failed = await mailer.send_in_vain()
    assert (failed.kind, failed.retryable) == (kind, False)
    assert words in failed.message
    assert reply in failed.message
    assert mailbox.mails == []
    await mailer.send_well()


async def test_of_several_receivers_those_refused_are_listed_and_nobody_is_sent_it_twice(
    mailbox: Mailbox, mailer: Mailer
) -> None:
    gone = "status-550@home.example"
    done = await mailer.send_well(to=[ADA, gone], bcc=BEN)
    assert mailbox.mails[0].recipients == (ADA, BEN)
    assert done.result["accepted"] == 2
    assert (
        done.result["refused"]
        == [
            {
                "address": gone,
                "kind": "unknown-recipient",
                "code": 550,
                "enhanced": None,
                "reason": "there is no such mailbox, or it is closed to this sender",
                "said": "5.0.0 as the address asks for",
            }
        ]
        or done.result["refused"][0]["enhanced"] == "5.0.0"
    )
    assert done.follow_ups == ()


async def test_those_who_are_put_off_get_the_same_message_by_a_job_of_their_own(
    mailbox: Mailbox, mailer: Mailer
) -> None:
    late = "status-451-times-2@home.example"
    fields = {"to": [f"Ada <{ADA}>", late], "from": "Ms. Byron <byron@school.example>", "template": "welcome"}
    variables = {"name": "Ada", "school": "East", "url": "https://school.example"}
    done = await mailer.send_well(**fields, variables=variables)
    assert (done.result["accepted"], done.result["putOff"]) == (1, [late])
    [follow_up] = done.follow_ups
    assert follow_up.queue == "email"
    data = EmailData.model_validate(follow_up.data)
    failed = await mailer.handle(data, Job(id="01JOB.email.email"))
    assert failed.retryable
    assert isinstance(await mailer.handle(data, Job(id="01JOB.email.email", attempt=2)), Done)
    first, second = mailbox.mails
    assert (first.recipients, second.recipients) == ((ADA,), (late,))
    assert first.content.partition(b"From:")[2] == second.content.partition(b"From:")[2]


async def test_all_refused_for_good_are_buried_and_one_who_may_get_it_later_is_enough_to_try_again(
    mailbox: Mailbox, mailer: Mailer
) -> None:
    gone, also_gone, late = "status-550@home.example", "status-551@home.example", "status-450-times-1@home.example"
    failed = await mailer.send_in_vain(to=[gone, also_gone])
    assert not failed.retryable
    assert gone in failed.message
    assert also_gone in failed.message
    failed = await mailer.send_in_vain(to=[gone, late])
    assert (failed.kind, failed.retryable) == ("mailbox-busy", True)
    await mailer.send_well(to=[gone, late])
    assert [mail.recipients for mail in mailbox.mails] == [(late,)]
    assert retries(mailbox).count("DATA") == 1


async def test_an_answer_that_is_lost_after_the_message_is_tried_again_with_the_same_id(
    mailbox: Mailbox, mailer: Mailer
) -> None:
    mailbox.faults.append(Fault(".", drop=True))
    failed = await mailer.send_in_vain()
    assert (failed.kind, failed.retryable) == ("unknown", True)
    assert "whether it was sent isn't known" in failed.message
    await mailer.send_well()
    first, second = mailbox.mails
    assert first.message["message-id"] == second.message["message-id"]


@pytest.mark.parametrize("at", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_a_new_connection_that_breaks_before_the_message_is_a_failed_attempt(
    mailbox: Mailbox, mailer: Mailer, at: str
) -> None:
    mailbox.faults.append(Fault(at, drop=True))
    failed = await mailer.send_in_vain()
    assert (failed.kind, failed.retryable) == ("connection", True)
    assert f"127.0.0.1:{mailbox.port}" in failed.message
    await mailer.send_well()


async def test_a_server_that_is_not_there_is_a_failed_attempt() -> None:
    async with Mailbox.serve() as gone:
        pass
    async with mailing(gone) as mailer:
        failed = await mailer.send_in_vain()
    assert (failed.kind, failed.retryable) == ("connection", True)


@pytest.mark.parametrize(("at", "kind"), [("CONNECT", "connection"), ("MAIL", "timeout"), (".", "unknown")])
async def test_a_server_that_says_nothing_is_given_up_in_time(
    mailbox: Mailbox, mailer: Mailer, at: str, kind: str
) -> None:
    mailbox.faults.append(Fault(at, seconds=3600))
    failed = await mailer.send_in_vain(seconds=0.4)
    assert (failed.kind, failed.retryable) == (kind, True)
    await mailer.send_well()


async def test_a_connection_is_used_again_and_reset_between_messages(mailbox: Mailbox, mailer: Mailer) -> None:
    for number in range(3):
        await mailer.send_well(job_id=str(number))
    assert mailbox.connections == 1
    verbs = ["MAIL", "RCPT", "DATA"]
    assert retries(mailbox) == ["CONNECT", "EHLO", *verbs, "RSET", *verbs, "RSET", *verbs]


async def test_a_connection_is_used_again_after_a_refusal(mailbox: Mailbox, mailer: Mailer) -> None:
    await mailer.send_in_vain(to="status-550@home.example")
    await mailer.send_well()
    assert mailbox.connections == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault("RSET", drop=True),
        Fault("RSET", reply="421 4.4.2 idle for too long", drop=True),
        Fault("RSET", reply="500 what?"),
        Fault("MAIL", drop=True),
        Fault("MAIL", reply="421 4.4.2 idle for too long", drop=True),
        Fault("RCPT", drop=True),
        Fault("DATA", drop=True),
    ],
)
async def test_a_kept_connection_that_the_server_closed_is_replaced_without_a_failed_attempt(
    mailbox: Mailbox, mailer: Mailer, fault: Fault
) -> None:
    await mailer.send_well()
    mailbox.faults.append(Fault(fault.at, reply=fault.reply, drop=fault.drop))
    await mailer.send_well(job_id="2")
    assert (len(mailbox.mails), mailbox.connections) == (2, 2)


async def test_every_kept_connection_may_be_gone(mailbox: Mailbox, mailer: Mailer) -> None:
    mailbox.faults.append(Fault("RCPT", seconds=0.05, times=3))
    await asyncio.gather(*(mailer.send_well(job_id=str(number)) for number in range(3)))
    assert mailbox.connections == 3
    await mailbox.hang_up()
    await mailer.send_well()
    assert (len(mailbox.mails), mailbox.connections) == (4, 4)


async def test_there_are_never_more_connections_than_allowed(mailbox: Mailbox) -> None:
    mailbox.faults.append(Fault("RCPT", seconds=0.02, times=None))
    async with mailing(mailbox, SMTP_CONNECTIONS="2") as mailer:
        await asyncio.gather(*(mailer.send_well(job_id=str(number)) for number in range(8)))
    assert (len(mailbox.mails), mailbox.connections) == (8, 2)


async def test_a_connection_goes_after_so_many_messages_and_when_it_is_idle(
    mailbox: Mailbox, mailer: Mailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_pool, "MOST_MESSAGES", 2)
    for number in range(3):
        await mailer.send_well(job_id=str(number))
    assert mailbox.connections == 2
    monkeypatch.setattr(smtp_pool, "IDLE_SECONDS", 0.0)
    await mailer.send_well()
    while "QUIT" not in retries(mailbox)[-1:]:
        await mailbox.commands.reached(mailbox.commands.total + 1)
    monkeypatch.setattr(smtp_pool, "MOST_SECONDS", 0.0)
    await mailer.send_well()
    await mailer.send_well()
    assert mailbox.connections == 4


async def test_connections_are_left_politely_at_the_end(mailbox: Mailbox) -> None:
    before = asyncio.all_tasks()
    async with mailing(mailbox) as mailer:
        await mailer.send_well()
    assert retries(mailbox)[-1] == "QUIT"
    await mailbox.hang_up()
    assert asyncio.all_tasks() <= before


async def test_a_cancelled_attempt_leaves_no_half_used_connection(mailbox: Mailbox, mailer: Mailer) -> None:
    mailbox.faults.append(Fault("RCPT", seconds=3600))
    sending = asyncio.create_task(mailer.send())
    while "RCPT" not in retries(mailbox):
        await mailbox.commands.reached(mailbox.commands.total + 1)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await mailer.send_well()
    assert (len(mailbox.mails), mailbox.connections) == (1, 2)


async def test_a_line_that_is_a_full_stop_ends_nothing(mailbox: Mailbox, mailer: Mailer) -> None:
    await mailer.send_well(text=".\r\n.\r\nMAIL FROM:<evil@evil.example>\r\n..\r\nend")
    [mail] = mailbox.mails
    assert mail.message.get_content().replace("\r", "") == ".\n.\nMAIL FROM:<evil@evil.example>\n..\nend\n"
    assert len(mailbox.said("MAIL")) == 1


async def test_a_message_that_is_too_large_for_the_server_is_buried_before_it_is_sent(
    mailbox: Mailbox, mailer: Mailer
) -> None:
    mailbox.terms.max_bytes = 1000
    failed = await mailer.send_in_vain(text="x" * 2000)
    assert (failed.kind, failed.retryable) == ("too-large", False)
    assert "1000" in failed.message
    assert mailbox.said("MAIL") == []


async def test_an_address_beyond_ascii_goes_where_the_server_can_and_is_buried_where_not(
    mailbox: Mailbox, mailer: Mailer
) -> None:
    await mailer.send_well(to="Jürgen <jürgen@münchen.example>")
    [mail] = mailbox.mails
    assert mail.recipients == ("jürgen@xn--mnchen-3ya.example",)
    assert mailbox.said("MAIL")[0].endswith("BODY=8BITMIME SMTPUTF8")
    async with Mailbox.serve(utf8=False) as old, mailing(old) as mailer_of_old:
        failed = await mailer_of_old.send_in_vain(to="jürgen@school.example")
        assert (failed.kind, failed.retryable) == ("needs-smtputf8", False)
        await mailer_of_old.send_well(to="ada@münchen.example")
        assert old.mails[0].recipients == ("ada@xn--mnchen-3ya.example",)
        assert "SMTPUTF8" not in old.said("MAIL")[0]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> dict[str, str]:
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    return {"SMTP_CA_FILE": str(tmp_path / "authority.pem")}


def certified(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("localhost", "127.0.0.1"))).configure_cert(context)
    return context


async def test_tls_is_taken_up_the_login_is_made_and_the_password_is_in_no_message(
    authority: trustme.CA, trusted: dict[str, str]
) -> None:
    async with Mailbox.serve(starttls=certified(authority), users={"ada@x": "p/:w"}) as server:
        url = f"smtp://ada%40x:p%2F%3Aw@127.0.0.1:{server.port}"
        async with mailing(server, **trusted, SMTP_URL=url, SMTP_TLS="") as mailer:
            await mailer.send_well()
            await mailer.send_well()
        assert retries(server)[:5] == ["CONNECT", "EHLO", "STARTTLS", "EHLO", "AUTH"]
        assert server.connections == 1
        parts = {"SMTP_URL": "", "SMTP_TLS": "", "SMTP_HOST": "localhost", "SMTP_PORT": str(server.port)}
        async with mailing(server, **trusted, **parts, SMTP_USER="ada@x", SMTP_PASSWORD="wrong") as mailer:
            failed = await mailer.send_in_vain()
        assert (failed.kind, failed.retryable) == ("login", True)
        assert "SMTP_PASSWORD" in failed.message
        assert "wrong" not in failed.message


async def test_tls_from_the_first_byte(authority: trustme.CA, trusted: dict[str, str]) -> None:
    async with Mailbox.serve(tls=certified(authority)) as server, mailing(server, **trusted, SMTP_TLS="tls") as mailer:
        await mailer.send_well()
        await mailer.send_well()
    assert (len(server.mails), server.connections) == (2, 1)


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_certificate_that_is_not_trusted_or_of_another_name_gets_no_mail(
    authority: trustme.CA, trusted: dict[str, str], *, at_once: bool
) -> None:
    for context, trust in ((certified(authority), {}), (certified(authority, "other.example"), trusted)):
        given = {"tls": context} if at_once else {"starttls": context}
        tls = "tls" if at_once else "starttls"
        async with Mailbox.serve(**given) as server, mailing(server, **trust, SMTP_TLS=tls) as mailer:  # type: ignore[arg-type]
            failed = await mailer.send_in_vain()
        assert (failed.kind, failed.retryable) == ("tls", True)
        assert "SMTP_CA_FILE" in failed.message
        assert server.said("MAIL") == []


async def test_without_starttls_at_the_server_nothing_is_sent_in_the_clear(mailbox: Mailbox) -> None:
    async with mailing(mailbox, SMTP_TLS="starttls") as mailer:
        failed = await mailer.send_in_vain()
    assert failed.retryable
    assert "SMTP_TLS" in failed.message
    assert mailbox.said("MAIL") == []


async def test_a_login_that_the_server_does_not_know_is_said(mailbox: Mailbox) -> None:
    async with mailing(mailbox, SMTP_USER="ada", SMTP_PASSWORD="pass") as mailer:
        failed = await mailer.send_in_vain()
    assert failed.retryable
    assert mailbox.said("MAIL") == []
    assert "AUTH" in failed.message


async def test_what_is_no_mail_server_is_a_failed_attempt() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    mailbox = Mailbox(Terms())
    mailbox.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        async with mailing(mailbox) as mailer:
            failed = await mailer.send_in_vain()
    finally:
        server.close()
        await server.wait_closed()
    assert failed.retryable
    assert failed.kind in {"busy", "connection"}


def test_every_fault_of_the_environment_is_named_at_once(tmp_path: Path) -> None:
    faults = HANDLER.faults(
        {
            "SMTP_HOST": "mail.example",
            "SMTP_TLS": "none",
            "SMTP_PORT": "x",
            "SMTP_USER": "ada",
            "SMTP_CA_FILE": str(tmp_path / "nowhere"),
            "MAIL_FROM": "nobody",
            "MAIL_TEMPLATES": str(tmp_path / "nowhere"),
            "MAIL_LIST_UNSUBSCRIBE": "http://plain.example",
            "MAIL_MAX_BYTES": "0",
            "DKIM_DOMAIN": "school.example",
        }
    )
    named = [fault.partition(":")[0] for fault in faults]
    assert {"SMTP_TLS", "SMTP_PORT", "SMTP_PASSWORD", "SMTP_CA_FILE", "MAIL_FROM", "MAIL_TEMPLATES"} <= set(named)
    assert {"MAIL_LIST_UNSUBSCRIBE", "MAIL_MAX_BYTES", "DKIM_SELECTOR", "DKIM_PRIVATE_KEY_FILE"} <= set(named)
