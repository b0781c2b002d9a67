"""Sends mails through an SMTP server.

The Message-ID is made from the job's id, so that a second attempt is the same message to whoever gets both. Receivers
whom the server puts off while others are accepted get it by a job of their own; those who have it aren't sent it again.

Environment: SMTP_URL or SMTP_HOST, and MAIL_FROM (needed); see `settings.py` and the adapter for the others.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from edworkers.adapters.smtp import Delivery, Outgoing, SmtpPool, open_pool
from edworkers.core.errors import (
    MailUnavailableError,
    MailUnknownError,
    SettingsError,
    StorageError,
    StorageUnavailableError,
)
from edworkers.core.outcome import Done, Failed, FollowUp, Outcome
from edworkers.core.settings import Autoscaling, Backoff, JobPolicy, PoolSpec
from edworkers.handlers.away import until_back
from edworkers.handlers.email.attachments import TooLargeError, load_files
from edworkers.handlers.email.bounces import Bounce, one_line, read_bounce
from edworkers.handlers.email.message import Content, File, message_id, write_message
from edworkers.handlers.email.request import EmailData
from edworkers.handlers.email.settings import MailSettings, find_faults, read_settings
from edworkers.handlers.email.signature import sign
from edworkers.handlers.email.templates import TemplateError
from edworkers.handlers.mail_addresses import Address, parse_address
from edworkers.ports import Handle, Handler, HandlerModule, JobContext

_RESERVED_SECONDS = 2.0
"""How much of the job's time is left to say how it ended; half of that where the server says nothing at all."""

POOL = PoolSpec(
    queue="email",
    handlers="edworkers.handlers.email",
    concurrency=5,
    autoscaling=Autoscaling(max_replicas=5, target_per_replica=20),
    # The last attempt is some 20 minutes after the first: longer than greylisting servers want to be waited for.
    job=JobPolicy(timeout_seconds=60, max_attempts=5, backoff=Backoff(initial_seconds=15, factor=4, max_seconds=3600)),
)


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends mails over the connections of `pool`; `env` is where storage is found."""

    pool: SmtpPool
    settings: MailSettings
    env: Mapping[str, str]

    async def deliver(self, data: EmailData, job: JobContext) -> Outcome:
        """Make one attempt and say what it comes to."""
        made = await self._make(data, job)
        if isinstance(made, Failed):
            return made
        reserved = min(_RESERVED_SECONDS, job.seconds_left / 2)
        patience = job.seconds_left - reserved
        try:
            # The pool gives up first once the message is on its way: then, and only then, it may have arrived.
            async with asyncio.timeout(patience + reserved / 2):
                delivery = await self.pool.send(made, patience)
        except MailUnavailableError as error:
            said = read_bounce(421, str(error)).after_seconds
            wait = max(said or 0, until_back(job) or 0) or None
            return Failed(error.kind, str(error), after_seconds=wait, service_down=True)
        except MailUnknownError as error:
            text = f"{error}: whether it was sent isn't known; the next attempt has the same Message-ID"
            return Failed("unknown", text)
        except TimeoutError:
            return Failed("timeout", f"{self.pool.server} didn't take the message within {patience:.3g} s")
        return self._judge(data, job, made, delivery)

    async def _make(self, data: EmailData, job: JobContext) -> Outgoing | Failed:
        """Make the message, or say why it can't be made."""
        try:
            files = await load_files(data.attachments, self.env, self.settings.most_bytes)
            mail = await asyncio.to_thread(self._write, data, job.id, files)
        except StorageUnavailableError as error:
            return Failed("storage", str(error), after_seconds=until_back(job))
        except (StorageError, SettingsError) as error:
            return Failed("attachment", str(error), retryable=False)
        except TooLargeError as error:
            return Failed("too-large", str(error), retryable=False)
        except TemplateError as error:
            return Failed("template", str(error), retryable=False)
        except ValueError as error:
            return Failed("header", str(error), retryable=False)
        return mail

    def _write(self, data: EmailData, job_id: str, files: list[File]) -> Outgoing:
        """Write the message and its envelope; it computes, so it is called in a thread."""
        sender = self.settings.sender if data.sender is None else parse_address(data.sender)
        unsubscribe = self.settings.unsubscribe if data.list_unsubscribe is None else data.list_unsubscribe
        message = write_message(
            data,
            self._content(data),
            files,
            sender=sender,
            message_id=self._message_id(data, job_id),
            unsubscribe=unsubscribe,
            now=datetime.now(UTC),
        )
        if self.settings.dkim is not None:
            message = sign(message, self.settings.dkim)
        if len(message) > self.settings.most_bytes:
            most = self.settings.most_bytes
            raise TooLargeError(f"the message has {len(message)} bytes, and MAIL_MAX_BYTES allows {most}")
        return Outgoing(sender.bare, tuple(data.receivers()), message, _needs_utf8(sender, data))

    def _content(self, data: EmailData) -> Content:
        if data.template is None:
            return Content(data.subject or "", data.html, data.text)
        filled = self.settings.templates.render(data.template, data.variables)
        return Content(data.subject or filled.subject, filled.html, filled.text)

    def _message_id(self, data: EmailData, job_id: str) -> str:
        if data.again is not None:
            return data.again.message_id
        return message_id(job_id, data.idempotency_key, self.settings.sender.domain)

    def _judge(self, data: EmailData, job: JobContext, made: Outgoing, delivery: Delivery) -> Outcome:
        """Say what a server's answers come to."""
        refused = [(address, read_bounce(refusal.code, refusal.text)) for address, refusal in delivery.refused]
        if delivery.refusal is not None:
            bounce = read_bounce(delivery.refusal.code, delivery.refusal.text)
            return Failed(bounce.kind, bounce.message, bounce.retryable, after_seconds=bounce.after_seconds)
        if not delivery.accepted:
            return _all_refused(refused)
        put_off = [address for address, bounce in refused if bounce.retryable]
        result: dict[str, Any] = {
            "messageId": self._message_id(data, job.id),
            "server": self.pool.server,
            "answer": one_line(delivery.answer),
            "bytes": len(made.content),
            "accepted": len(delivery.accepted),
            "refused": [_refused(address, bounce) for address, bounce in refused if not bounce.retryable],
            "putOff": put_off,
        }
        return Done(result, follow_ups=(self._again(data, job, put_off),) if put_off else ())

    def _again(self, data: EmailData, job: JobContext, receivers: list[str]) -> FollowUp:
        """Make the job that sends the same message to those who were put off."""
        same = data.model_dump(mode="json", by_alias=True, exclude_unset=True)
        again = {"to": receivers, "messageId": self._message_id(data, job.id)}
        return FollowUp(job.queue, {**same, "again": again})


def _needs_utf8(sender: Address, data: EmailData) -> bool:
    written = [*data.to, *data.cc, *data.bcc, *data.reply_to]
    return sender.is_utf8 or any(parse_address(address).is_utf8 for address in written)


def _all_refused(refused: list[tuple[str, Bounce]]) -> Failed:
    """Say why nobody got it: to be tried again as long as one of them may get it then."""
    again = [bounce for _, bounce in refused if bounce.retryable]
    first = again[0] if again else refused[0][1]
    said = "; ".join(f"{address}: {bounce.message}" for address, bounce in refused[:10])
    more = f"; and {len(refused) - 10} more" if len(refused) > 10 else ""
    waits = [bounce.after_seconds for bounce in again if bounce.after_seconds is not None]
    return Failed(first.kind, f"{said}{more}", bool(again), after_seconds=max(waits, default=None))


def _refused(address: str, bounce: Bounce) -> dict[str, Any]:
    return {
        "address": address,
        "kind": bounce.kind,
        "code": bounce.code,
        "enhanced": bounce.enhanced,
        "reason": bounce.words,
        "said": bounce.said,
    }


@asynccontextmanager
async def _open(env: Mapping[str, str]) -> AsyncGenerator[Handle]:
    faults: list[str] = []
    settings = await asyncio.to_thread(read_settings, env, faults)
    if settings is None:
        raise SettingsError("mail can't be sent:", faults)
    async with open_pool(settings.smtp) as pool:
        yield Sender(pool, settings, env).deliver


MODULE = HandlerModule(pool=POOL, handlers=(Handler(data=EmailData, open=_open, faults=find_faults),))
