"""A stand-in for mail servers, for loopback: a real SMTP server that keeps every message and passes none on.

Messages are kept in memory (the newest 1000) and, where there is a folder, as `.eml` files that every mail program
opens; headers before the message, Return-Path and X-Envelope-To, tell from whom and for whom it came.

A recipient's address steers the answer, which is 250 for every address but these:

    status-550@…            this status, always (400 to 599)
    status-451-times-2@…    this status the first 2 times that the address is named, then 250

Run by itself: `python -m edworkers.standins.mailbox --port 2525 --folder mails`; it prints each mail as a line of JSON.
"""

import argparse
import asyncio
import email
import email.policy
import json
import re
import ssl
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final, Self

from edworkers.standins.mailbox_protocol import END_OF_DATA, Connection, Fault, Terms
from edworkers.standins.serving import Arrivals, announce_and_stay, say

__all__ = ["Fault", "Mail", "Mailbox", "read_folder"]

KEPT_MAILS: Final = 1000
_KEPT_COMMANDS: Final = 10_000

_STATUS: Final = re.compile(r"status-(?P<status>[45]\d\d)(-times-(?P<times>\d+))?@.*", re.IGNORECASE)
_SENDER: Final = b"Return-Path: "
_RECIPIENT: Final = b"X-Envelope-To: "


@dataclass(frozen=True, slots=True)
class Mail:
    """One message that arrived. `content` is what came after DATA, byte by byte; `at` is in UTC."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    at: datetime
    path: Path | None = None
    """Where it lies as a file."""

    @property
    def message(self) -> EmailMessage:
        """The message, read leniently, as mail programs do."""
        return email.message_from_bytes(self.content, policy=email.policy.SMTP)

    def as_json(self) -> dict[str, Any]:
        """Say what it is about, as JSON values; the body is left out."""
        message = self.message
        return {
            "from": self.sender,
            "to": list(self.recipients),
            "subject": str(message["subject"] or ""),
            "messageId": str(message["message-id"] or ""),
            "bytes": len(self.content),
            "at": self.at.isoformat(),
            "path": None if self.path is None else str(self.path),
        }


def read_folder(folder: Path) -> Iterator[Mail]:
    """Give the mails that lie in a folder, oldest first; `at` is when the file was written."""
    for path in sorted(folder.glob("*.eml")):
        content = path.read_bytes()
        head: list[bytes] = []
        while content.startswith((_SENDER, _RECIPIENT)):
            line, _, content = content.partition(b"\r\n")
            head.append(line)
        sender = next((line[len(_SENDER) :].strip(b"<>") for line in head if line.startswith(_SENDER)), b"")
        recipients = (line[len(_RECIPIENT) :].decode() for line in head if line.startswith(_RECIPIENT))
        yield Mail(sender.decode(), tuple(recipients), content, datetime.fromtimestamp(path.stat().st_mtime, UTC), path)


class Mailbox:
    """The stand-in. `url` is where it listens, `mails` what arrived, `faults` what goes wrong (any may be added).

    `commands` are the lines it heard, each with the number of its connection; `connections` counts those. `terms` are
    what it offers and demands of the next connection.
    """

    def __init__(self, terms: Terms, folder: Path | None = None, on_mail: Callable[[Mail], None] | None = None) -> None:
        self.url = ""
        self.port = 0
        self.mails: Arrivals[Mail] = Arrivals(KEPT_MAILS)
        self.commands: Arrivals[tuple[int, str]] = Arrivals(_KEPT_COMMANDS)
        self.connections = 0
        self.faults: list[Fault] = []
        self.terms = terms
        self._folder, self._on_mail = folder, on_mail
        self._open: dict[Connection, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._seen: Counter[str] = Counter()

    @classmethod
    @asynccontextmanager
    async def serve(
        cls,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        folder: Path | None = None,
        tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None,
        users: Mapping[str, str] | None = None,
        utf8: bool = True,
        on_mail: Callable[[Mail], None] | None = None,
    ) -> AsyncGenerator[Self]:
        """Serve a new mailbox in the running event loop until the block ends. Port 0 takes any free port.

        `tls` talks TLS from the first byte, `starttls` demands STARTTLS; `users` (name to password) have to log in
        where there are any; without `utf8` it doesn't offer SMTPUTF8. Raises OSError when the address can't be had.
        """
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - once, before anyone is served
        mailbox = cls(Terms(starttls, dict(users or {}), utf8), folder, on_mail)
        server = await asyncio.get_running_loop().create_server(mailbox._connection, host, port, ssl=tls)
        mailbox.port = server.sockets[0].getsockname()[1]
        mailbox.url = f"smtp{'s' if tls else ''}://{host}:{mailbox.port}"
        try:
            yield mailbox
        finally:
            server.close()
            await mailbox.hang_up()

    @property
    def env(self) -> dict[str, str]:
        """The settings with which the queue `email` sends its mails here, where neither TLS nor a login is asked."""
        return {"SMTP_URL": self.url, "SMTP_TLS": "none"}

    async def hang_up(self) -> None:
        """Close every connection that is open, and return when they are."""
        for connection in list(self._open):
            connection.abort()
        while self._tasks:
            for task in self._tasks:
                task.cancel()  # one whose client left in the middle of STARTTLS would never hear of it
            await asyncio.wait(self._tasks)
        self._open.clear()

    def clear(self) -> None:
        """Forget what arrived, what was said and what should go wrong."""
        self.faults.clear()
        self.mails = Arrivals(KEPT_MAILS)
        self.commands = Arrivals(_KEPT_COMMANDS)
        self.connections = 0
        self._seen.clear()

    def said(self, command: str) -> list[str]:
        """Give the arguments of each such command, in all connections, oldest first."""
        words = (line.partition(" ") for _, line in self.commands)
        return [argument for name, _, argument in words if name == command]

    def _connection(self) -> Connection:
        return Connection(self, self.terms, fault=self._fault, heard=self._heard, gone=self._gone)

    def _fault(self, at: str, argument: str) -> Fault | None:
        return next((fault for fault in self.faults if fault.take(at, argument)), None)

    def _heard(self, connection: Connection, name: str, argument: str) -> None:
        if connection not in self._open:
            self.connections += 1
            self._open[connection] = self.connections
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 - it is the task that serves the client
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        shown = "…" if name == "AUTH" else argument
        self.commands.record((self._open[connection], f"{name} {shown}".rstrip()))

    def _gone(self, connection: Connection) -> None:
        self._open.pop(connection, None)

    async def handle_RCPT(  # noqa: N802 - named and called so by aiosmtpd
        self, _server: Any, _session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or answer as its address says."""
        asked = _STATUS.fullmatch(address)
        if asked is not None:
            self._seen[address] += 1
            if asked["times"] is None or self._seen[address] <= int(asked["times"]):
                status = asked["status"]
                return f"{status} {status[0]}.0.0 as the address asks for"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Connection, _session: Any, envelope: Any) -> str:  # noqa: N802 - by aiosmtpd
        """Keep a message."""
        fault = self._fault(END_OF_DATA, "")
        if fault is None or fault.reply is None:
            self._keep(Mail(envelope.mail_from, tuple(envelope.rcpt_tos), envelope.content, datetime.now(UTC)))
        if fault is not None and await server.spoil(fault):
            server.ends_unanswered = True
        return "250 2.0.0 OK, kept"

    def _keep(self, mail: Mail) -> None:
        if self._folder is not None:
            mail = self._write(self._folder, mail)
        self.mails.record(mail)
        if self._on_mail is not None:
            self._on_mail(mail)

    def _write(self, folder: Path, mail: Mail) -> Mail:
        path = folder / f"{mail.at:%Y%m%dT%H%M%S.%f}-{self.mails.total + 1}.eml"
        head = [_SENDER + f"<{mail.sender}>".encode(), *(_RECIPIENT + address.encode() for address in mail.recipients)]
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(b"".join(line + b"\r\n" for line in head) + mail.content)
        unfinished.rename(path)
        return Mail(mail.sender, mail.recipients, mail.content, mail.at, path)


async def _run(host: str, port: int, folder: Path | None) -> None:
    async with Mailbox.serve(
        host, port, folder=folder, on_mail=lambda mail: say(json.dumps(mail.as_json()))
    ) as mailbox:
        await announce_and_stay(f"Mailbox at {mailbox.url}")


def main() -> None:
    """Serve a mailbox until the process is told to stop; print its URL when it listens, then every mail."""
    parser = argparse.ArgumentParser(description="A stand-in for mail servers.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes any free port")
    parser.add_argument("--folder", type=Path, help="where to keep the messages as .eml files")
    told = parser.parse_args()
    asyncio.run(_run(told.host, told.port, told.folder))


if __name__ == "__main__":
    main()
