"""From a user's notifications to one mail."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import groupby
from typing import Any

from edworkers.handlers.mail_addresses import parse_address

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_LONGEST_SUBJECT = 150


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification, as it lies in the database."""

    user_id: str
    email: str
    name: str
    kind: str
    title: str
    body: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """How the mails of a batch look."""

    subject: str | None = None
    """In it {count} stands for how many there are. Without it: the first title, or the template's subject."""
    template: str | None = None
    """A template of the queue `email`, given `name` and `items`. Without it: a plain list."""


def by_user(notifications: Sequence[Notification]) -> list[list[Notification]]:
    """Part notifications, which are in the order of users, into those of each user."""
    return [list(group) for _, group in groupby(notifications, key=lambda each: each.user_id)]


def unmailable(users: Sequence[Sequence[Notification]]) -> dict[str, str]:
    """Say, by their ids, which users have an address that can't be right, and why."""
    found: dict[str, str] = {}
    for notifications in users:
        latest = notifications[-1]
        try:
            parse_address(latest.email)
        except ValueError as error:
            found[latest.user_id] = f"email: {error}"
    return found


def key_of(user_id: str) -> str:
    """Make a key for a user's mail in a batch: the same each time, and with nothing of the user in it."""
    return hashlib.sha256(user_id.encode()).hexdigest()[:32]


def mail_of(notifications: Sequence[Notification], batch: str, look: Look) -> dict[str, Any]:
    """Write the data of the `email` job for one user's notifications; to the address of the latest."""
    latest = notifications[-1]
    told = [_told(each) for each in notifications]
    mail: dict[str, Any] = {
        "to": [latest.email],
        "idempotencyKey": f"notifications.{hashlib.sha256(f'{batch} {latest.user_id}'.encode()).hexdigest()[:40]}",
    }
    if look.subject is not None:
        mail["subject"] = look.subject.replace("{count}", str(len(told)))
    if look.template is not None:
        return {**mail, "template": look.template, "variables": {"name": _name(latest), "items": told}}
    return {"subject": _subject(told), **mail, "text": _text(told), "html": _html(told)}


def _told(each: Notification) -> dict[str, str]:
    return {
        "kind": one_line(each.kind),
        "title": one_line(each.title),
        "text": _CONTROL.sub(" ", each.body.replace("\r\n", "\n")).strip(),
        "at": each.created_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def _name(latest: Notification) -> str:
    return one_line(latest.name) or one_line(latest.email).partition("@")[0]


def one_line(text: str) -> str:
    """Make one line of text without control characters."""
    return " ".join(_CONTROL.sub(" ", text).split())


def _subject(told: Sequence[dict[str, str]]) -> str:
    first = told[0]["title"] or told[0]["kind"] or "Notification"
    if len(told) == 1:
        return first[:_LONGEST_SUBJECT]
    return f"{first[:_LONGEST_SUBJECT]} (and {len(told) - 1} more)"


def _text(told: Sequence[dict[str, str]]) -> str:
    return "\n\n".join("\n".join(part for part in (each["title"], each["text"]) if part) for each in told) + "\n"


def _html(told: Sequence[dict[str, str]]) -> str:
    items = "".join(
        f"<li><p><strong>{escape(each['title'])}</strong></p>{_paragraph(each['text'])}</li>" for each in told
    )
    return f'<!DOCTYPE html><html><head><meta charset="utf-8"></head><body><ul>{items}</ul></body></html>'


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>".replace("\n", "<br>") if text else ""
