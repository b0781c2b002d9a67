"""Sends through the opened `email` handler, for its tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from edworkers.core.outcome import Done, Failed
from edworkers.handlers.email import MODULE
from edworkers.handlers.email.request import EmailData
from edworkers.ports import Handle
from edworkers.standins.mailbox import Mailbox

[HANDLER] = MODULE.handlers

FROM = "East School <mail@school.example>"
ADA, BEN, CAT = "ada@home.example", "ben@home.example", "cat@home.example"


@dataclass
class Job:
    """A job in its first attempt."""

    id: str = "01JOB"
    queue: str = "email"
    type: str | None = None
    attempt: int = 1
    max_attempts: int = 5
    receipt: str = "r1"
    seconds_left: float = 60.0
    traceparent: str | None = None

    async def progress(self, fraction: float, note: str = "") -> None:
        raise AssertionError(f"the handler tells of progress: {fraction} {note}")

    async def emit(self, text: str) -> None:
        raise AssertionError(f"the handler tells a text: {text}")

    def log(self, message: str, level: str = "info") -> None:
        raise AssertionError(f"the handler logs: {level} {message}")


@dataclass
class Mailer:
    """The opened handler."""

    handle: Handle

    async def send(self, *, job_id: str = "01JOB", seconds: float = 60, **fields: Any) -> Any:
        """Send a mail; fields that aren't given are those of a short one to Ada."""
        body = {} if {"template", "html", "text"} & fields.keys() else {"text": "Hello"}
        subject = {} if "template" in fields else {"subject": "News"}
        data = EmailData.model_validate({"to": ADA, **subject, **body, **fields})
        return await self.handle(data, Job(id=job_id, seconds_left=seconds))

    async def send_well(self, **fields: Any) -> Done:
        outcome = await self.send(**fields)
        assert isinstance(outcome, Done), outcome
        return outcome

    async def send_in_vain(self, **fields: Any) -> Failed:
        outcome = await self.send(**fields)
        assert isinstance(outcome, Failed), outcome
        return outcome


@asynccontextmanager
async def mailing(mailbox: Mailbox, **env: str) -> AsyncIterator[Mailer]:
    """Open the handler for a mailbox."""
    settings = {**mailbox.env, "MAIL_FROM": FROM, **env}
    assert HANDLER.faults(settings) == []
    async with HANDLER.opened(settings) as handle:
        yield Mailer(handle)
