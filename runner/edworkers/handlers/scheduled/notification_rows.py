"""Notifications in the database: claimed for a batch, read, and marked sent, each in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edworkers.adapters.postgres.connection import transaction
from edworkers.handlers.scheduled.digest import Notification

_SECONDS = 60
_LOCK_SECONDS = 10

_BEGIN = "INSERT INTO edworkers.notification_batches (id) VALUES (%s) ON CONFLICT DO NOTHING"
_CHOOSE = """
WITH users AS (
    SELECT DISTINCT user_id FROM edworkers.notifications
    WHERE batch_id IS NULL AND NOT opted_out AND user_id > %(after)s
    ORDER BY user_id LIMIT %(users)s
)
UPDATE edworkers.notifications SET batch_id = %(batch)s WHERE id IN (
    SELECT chosen.id FROM users CROSS JOIN LATERAL (
        SELECT id FROM edworkers.notifications n
        WHERE n.user_id = users.user_id AND n.batch_id IS NULL AND NOT n.opted_out
        ORDER BY id LIMIT %(each)s FOR UPDATE SKIP LOCKED
    ) chosen
)
"""
_NEXT = """
UPDATE edworkers.notification_batches SET next_after = (
    SELECT last.user_id
    FROM (SELECT max(user_id) AS user_id FROM edworkers.notifications WHERE batch_id = %(batch)s) last
    WHERE EXISTS (
        SELECT FROM edworkers.notifications n
        WHERE n.batch_id IS NULL AND NOT n.opted_out AND n.user_id > last.user_id
    )
) WHERE id = %(batch)s
"""
_BATCH = "SELECT next_after, sent_at IS NOT NULL FROM edworkers.notification_batches WHERE id = %s"
_READ = """
SELECT user_id, email, coalesce(name, ''), kind, title, body, created_at FROM edworkers.notifications
WHERE batch_id = %s ORDER BY user_id, id
"""
_MARK = "UPDATE edworkers.notifications SET sent_at = now() WHERE batch_id = %s AND sent_at IS NULL AND failure IS NULL"
_FAIL = "UPDATE edworkers.notifications SET failure = %s WHERE batch_id = %s AND user_id = %s AND sent_at IS NULL"
_MARK_BATCH = "UPDATE edworkers.notification_batches SET sent_at = coalesce(sent_at, now()) WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch has claimed, in a fixed order."""

    notifications: list[Notification]
    next_after: str | None
    """After which user the next batch begins; None where nobody waits there."""
    sent: bool
    """Whether it is marked sent."""


@dataclass(frozen=True, slots=True)
class Claim:
    """How much a batch may claim."""

    batch: str
    after: str
    """Only users behind this one, in the database's order; "" for all."""
    users: int
    each: int
    """Notifications a user."""


async def claim_batch(connection: Any, claim: Claim) -> bool:
    """Claim notifications for a batch, once and for all; False where it has been done by an earlier attempt.

    Of two at once the second waits for the first, and then finds the batch there. Committed when this returns.
    """
    async with transaction(connection, statement_seconds=_SECONDS, lock_seconds=_LOCK_SECONDS):
        is_first = bool((await connection.execute(_BEGIN, [claim.batch])).rowcount)
        if is_first:
            await choose(connection, claim)
        return is_first


async def choose(connection: Any, claim: Claim) -> None:
    """Give waiting notifications to the batch, and note whether there are users after them."""
    values = {"batch": claim.batch, "after": claim.after, "users": claim.users, "each": claim.each}
    await connection.execute(_CHOOSE, values)
    await connection.execute(_NEXT, values)


async def read_batch(connection: Any, batch: str) -> Batch:
    """Give a batch that has been claimed."""
    async with transaction(connection, statement_seconds=_SECONDS, lock_seconds=_LOCK_SECONDS):
        rows = await (await connection.execute(_READ, [batch])).fetchall()
        [next_after, sent] = await (await connection.execute(_BATCH, [batch])).fetchone()
    return Batch([Notification(*row) for row in rows], next_after, sent)


async def mark_failed(connection: Any, batch: str, failures: Mapping[str, str]) -> None:
    """Note of users of a batch, by their ids, why they can't be mailed. It may be done again."""
    async with transaction(connection, statement_seconds=_SECONDS, lock_seconds=_LOCK_SECONDS):
        for user_id, failure in failures.items():
            await connection.execute(_FAIL, [failure, batch, user_id])


async def mark_sent(connection: Any, batch: str) -> int | None:
    """Mark a batch sent, and say how many notifications were not before; None where there is no such batch."""
    async with transaction(connection, statement_seconds=_SECONDS, lock_seconds=_LOCK_SECONDS):
        count = await mark(connection, batch)
        known = (await connection.execute(_MARK_BATCH, [batch])).rowcount == 1
    return count if known else None


async def mark(connection: Any, batch: str) -> int:
    """Mark the notifications of a batch that are not marked yet, and count them."""
    return int((await connection.execute(_MARK, [batch])).rowcount)
