"""One connection to the mailbox stand-in: aiosmtpd's server, with faults wherever a test wants them."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

CONNECT: Final = "CONNECT"
END_OF_DATA: Final = "."


@dataclass(slots=True)
class Fault:
    """What goes wrong at a command, such as RCPT; at CONNECT before the greeting, at `.` when the message is whole.

    It waits so many `seconds`, then answers with `reply` instead of the server's own, then hangs up where `drop` says
    so. A drop at `.` without a reply is the worst case of a lost answer: the message was kept.
    """

    at: str
    reply: str | None = None
    drop: bool = False
    seconds: float = 0
    times: int | None = 1
    """How often it happens; None is always."""
    about: str = ""
    """Only where the command has this in it."""

    def take(self, at: str, argument: str) -> bool:
        """Tell whether it happens now, and count it."""
        if self.at != at or self.about not in argument or self.times == 0:
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass(slots=True)
class Terms:
    """What the server offers and demands."""

    starttls: ssl.SSLContext | None = None
    users: dict[str, str] = field(default_factory=dict[str, str])
    utf8: bool = True
    max_bytes: int | None = 50 * 1024 * 1024


class _Session(Session):
    """A session without the library's warning about an attribute that it sets itself."""

    login_data: Any = None


class Connection(SMTP):
    """One connection. `fault` finds what goes wrong at a command, `heard` is told of each, `gone` of its end."""

    def __init__(
        self,
        hooks: Any,
        terms: Terms,
        *,
        fault: Callable[[str, str], Fault | None],
        heard: Callable[["Connection", str, str], None],
        gone: Callable[["Connection"], None],
    ) -> None:
        self._users = terms.users
        self.ends_unanswered = False
        super().__init__(
            hooks,
            hostname="mailbox.localhost",
            ident="edworkers mailbox",
            data_size_limit=terms.max_bytes,
            enable_SMTPUTF8=terms.utf8,
            tls_context=terms.starttls,
            require_starttls=terms.starttls is not None,
            auth_require_tls=terms.starttls is not None,
            authenticator=self._knows,
            auth_exclude_mechanism=() if terms.users else ("LOGIN", "PLAIN"),
            loop=asyncio.get_running_loop(),
        )
        # Not as an argument: the library warns of a password without TLS, which on loopback is what is asked for.
        self._auth_required = bool(terms.users)
        self._fault, self._heard, self._gone = fault, heard, gone
        self._smtp_methods = {name: partial(self._run, name, method) for name, method in self._smtp_methods.items()}

    @property
    def task(self) -> "asyncio.Task[None] | None":
        """What serves the client."""
        return self._handler_coroutine

    def abort(self) -> None:
        """Hang up without a word."""
        transport: Any = self.transport
        if transport is not None:
            with suppress(AttributeError):  # before Python 3.11.4, of TLS that was closed there is nothing to abort
                transport.abort()
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()

    async def spoil(self, fault: Fault) -> bool:
        """Let a fault happen; tells whether the command is done with."""
        await asyncio.sleep(fault.seconds)
        if fault.reply is not None:
            await self.push(fault.reply)
        if fault.drop and self.transport is not None:
            self.transport.close()  # what it has to say is sent before
        return fault.drop or fault.reply is not None

    async def push(self, status: Any) -> None:
        """Answer, unless what there was to say has been said."""
        if self.ends_unanswered:
            self.ends_unanswered = False
        else:
            await super().push(status)

    async def _run(self, name: str, method: Callable[[str], Awaitable[None]], argument: str) -> None:
        self._heard(self, name, argument or "")
        fault = self._fault(name, argument or "")
        if fault is None or not await self.spoil(fault):
            await method(argument)

    async def _handle_client(self) -> None:
        self._heard(self, CONNECT, "")
        fault = self._fault(CONNECT, "")
        if fault is not None and await self.spoil(fault):
            self.abort() if fault.reply is None else self.transport.close()  # type: ignore[union-attr]
            return
        await super()._handle_client()

    def _create_session(self) -> Session:
        return _Session(self.loop)

    def _knows(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: LoginPassword
    ) -> AuthResult:
        known = self._users.get(login.login.decode("utf-8", "replace"))
        return AuthResult(success=known is not None and known.encode() == login.password, handled=False)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the server."""
        super().connection_lost(error)
        self._gone(self)
