"""One connection to a mail server, and one message over it."""

import asyncio
import re
import socket
import ssl
from typing import TYPE_CHECKING, Any

from edworkers.adapters.smtp.delivery import Delivery, Outgoing, Refusal
from edworkers.adapters.smtp.settings import SmtpSettings
from edworkers.core.errors import MailUnavailableError, MailUnknownError

if TYPE_CHECKING:
    from aiosmtplib import SMTP, SMTPResponse

_GO_AHEAD = 354
_CLOSING = 421
_STEP_SECONDS = 30.0
"""How long one answer may take; that to the whole message may take longer (RFC 5321 allows 10 minutes)."""
_RESET_SECONDS = 5.0
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}")


class SmtpConnection:
    """An open connection. `sent` counts its messages, `opened_at` is when it was opened, on the loop's clock."""

    def __init__(self, client: "SMTP", server: str) -> None:
        self._client = client
        self._server = server
        self.sent = 0
        self.opened_at = asyncio.get_running_loop().time()

    @classmethod
    async def open(cls, settings: SmtpSettings, context: ssl.SSLContext, seconds: float) -> "SmtpConnection":
        """Connect, take up TLS and log in, all within `seconds`. Raises MailUnavailableError."""
        from aiosmtplib import SMTP

        client = SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.user,
            password=settings.password,
            use_tls=settings.tls == "tls",
            start_tls=settings.tls == "starttls",
            tls_context=None if settings.tls == "none" else context,
            local_hostname=_own_name(),
            timeout=_STEP_SECONDS,
        )
        try:
            async with asyncio.timeout(seconds):
                await client.connect()
                await _greet(client)
        except BaseException as error:
            client.close()
            raise _unavailable(settings, error, seconds) from error
        return cls(client, settings.name)

    @property
    def is_open(self) -> bool:
        """Whether the server hasn't hung up, as far as is known."""
        return self._client.is_connected

    def close(self) -> None:
        """Hang up without a word."""
        self._client.close()

    async def quit(self) -> None:
        """Take leave and hang up."""
        from aiosmtplib import SMTPException

        try:
            await self._client.quit(timeout=1)
        except (SMTPException, OSError):
            pass
        finally:
            self._client.close()

    async def reset(self) -> None:
        """Forget the last message, and see whether the server is still there. Raises MailUnavailableError."""
        answer = await self._say(b"RSET", seconds=_RESET_SECONDS)
        if answer.code != 250:
            raise MailUnavailableError(f"{self._server} answered {_line(answer)}")

    async def send(self, mail: Outgoing, seconds: float) -> Delivery:
        """Send a message; `seconds` is how long the answer to the whole of it may take.

        Raises MailUnavailableError where nothing was sent, MailUnknownError where it isn't known.
        """
        unfit = self._unfit(mail)
        if unfit is not None:
            return Delivery(refusal=unfit)
        answer = await self._say(self._from(mail))
        if answer.code != 250:
            return Delivery(refusal=_refusal(answer))
        accepted, refused = await self._name_recipients(mail)
        if not accepted:
            return Delivery(refused=refused)
        answer = await self._hand_over(mail.content, seconds)
        self.sent += 1
        if answer.code != 250:
            return Delivery((), refused, _refusal(answer))
        return Delivery(accepted, refused, None, answer.message)

    def _unfit(self, mail: Outgoing) -> Refusal | None:
        """Say what the server would say, had it not told beforehand."""
        if mail.utf8 and not self._client.supports_extension("smtputf8"):
            return Refusal(553, "5.6.7 the server doesn't take addresses with letters beyond ASCII (SMTPUTF8)")
        most = self._client.esmtp_extensions.get("size", "")
        if most.isascii() and most.isdigit() and 0 < int(most) < len(mail.content):
            return Refusal(552, f"5.3.4 the message has {len(mail.content)} bytes, and the server takes {most}")
        return None

    def _from(self, mail: Outgoing) -> bytes:
        options = b""
        if self._client.supports_extension("size"):
            options += b" SIZE=%d" % len(mail.content)
        if mail.utf8:
            options += b" BODY=8BITMIME SMTPUTF8"
        return b"MAIL FROM:<" + mail.sender.encode() + b">" + options

    async def _name_recipients(self, mail: Outgoing) -> tuple[tuple[str, ...], tuple[tuple[str, Refusal], ...]]:
        accepted: list[str] = []
        refused: list[tuple[str, Refusal]] = []
        for recipient in mail.recipients:
            answer = await self._say(b"RCPT TO:<" + recipient.encode() + b">")
            if answer.code in {250, 251, 252}:
                accepted.append(recipient)
            else:
                refused.append((recipient, _refusal(answer)))
        return tuple(accepted), tuple(refused)

    async def _hand_over(self, content: bytes, seconds: float) -> "SMTPResponse":
        """Send the message itself. After a refusal the connection is of no use: it may have come before the end."""
        from aiosmtplib import SMTPException

        answer = await self._say(b"DATA")
        protocol = self._client.protocol
        if answer.code != _GO_AHEAD or protocol is None:
            self._client.close()
            return answer
        # The library's own way copies the message several times, line by line, and all others would wait for that.
        reading = asyncio.ensure_future(protocol.read_response(seconds))
        reading.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.sleep(0)  # from here on an answer is listened for
        try:
            protocol.write(_stuffed(content))
            answer = await reading
        except (SMTPException, OSError) as error:
            self._client.close()
            raise MailUnknownError(f"{self._server} {_why(error)} after the whole message") from error
        finally:
            reading.cancel()
        if answer.code != 250:
            self._client.close()
        return answer

    async def _say(self, line: bytes, *, seconds: float = _STEP_SECONDS) -> "SMTPResponse":
        """Say a line and give the answer, which is none that ends the connection. Raises MailUnavailableError."""
        from aiosmtplib import SMTPException

        try:
            answer = await self._client.execute_command(line, timeout=seconds)
        except (SMTPException, OSError) as error:
            self._client.close()
            raise MailUnavailableError(f"{self._server} {_why(error)}") from error
        if answer.code == _CLOSING:
            self._client.close()
            raise MailUnavailableError(f"{self._server} answered {_line(answer)}", kind="busy")
        return answer


async def _greet(client: "SMTP") -> None:
    from aiosmtplib import SMTPHeloError

    if client.is_ehlo_or_helo_needed:
        try:
            await client.ehlo()
        except SMTPHeloError:
            await client.helo()


def _own_name() -> str:
    """Give the name under which the server is greeted; a look at DNS, as the library has it, may take seconds."""
    name = socket.gethostname()
    return name if _HOST.fullmatch(name) else "localhost"


def _stuffed(content: bytes) -> bytes:
    """Double the full stop at the beginning of lines, and end with one alone on its line."""
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    return (
        (b"." if stuffed.startswith(b".") else b"")
        + stuffed
        + (b"" if stuffed.endswith(b"\r\n") else b"\r\n")
        + b".\r\n"
    )


def _refusal(answer: "SMTPResponse") -> Refusal:
    return Refusal(answer.code, answer.message)


def _line(answer: Any) -> str:
    return f"{answer.code} {' '.join(str(answer.message).split())}"


def _why(error: BaseException) -> str:
    from aiosmtplib import SMTPResponseException

    if isinstance(error, SMTPResponseException):
        return f"answered {_line(error)}"
    return "gave no answer in time" if isinstance(error, TimeoutError) else "hung up"


def _unavailable(settings: SmtpSettings, error: BaseException, seconds: float) -> BaseException:
    """Say why there is no connection; what isn't about that is given back as it is."""
    from aiosmtplib import SMTPAuthenticationError, SMTPException, SMTPResponseException

    certificate = _certificate_error(error)
    match error:
        case _ if certificate is not None:
            said = certificate.verify_message
            text = f"{settings.name} can't be trusted: {said}; SMTP_CA_FILE names a file with further authorities"
            return MailUnavailableError(text, kind="tls")
        case SMTPAuthenticationError():
            text = (
                f"{settings.name} refused the login of {settings.user!r}: {_line(error)}; see SMTP_USER, SMTP_PASSWORD"
            )
            return MailUnavailableError(text, kind="login")
        case SMTPResponseException():
            return MailUnavailableError(f"{settings.name} answered {_line(error)}", kind="busy")
        case SMTPException() if "STARTTLS" in str(error):
            text = f"{settings.name} doesn't offer STARTTLS, and nothing is sent in the clear; see SMTP_TLS"
            return MailUnavailableError(text, kind="tls")
        case SMTPException() if "AUTH" in str(error) or "authentication method" in str(error):
            text = f"{settings.name} offers no login (AUTH) that is known here; see SMTP_USER and SMTP_TLS"
            return MailUnavailableError(text, kind="login")
        case TimeoutError():
            return MailUnavailableError(f"{settings.name} can't be reached within {seconds:.3g} s")
        case SMTPException() | OSError():
            return MailUnavailableError(f"{settings.name} can't be reached: {error}")
        case _:
            return error


def _certificate_error(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        error = error.__cause__ or error.__context__
    return None
