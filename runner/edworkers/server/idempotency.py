"""Requests that are sent again with the same `Idempotency-Key`: they enqueue nothing twice.

The id of the job is made of the key, so that the queue itself knows a job again, even where a server was lost between
the two. The servers' books keep what was asked under the key, so that another request isn't taken for the same one.
"""

import hashlib

from edworkers.ports.books import ServerBooks
from edworkers.server.access.identity import Identity
from edworkers.server.problems import Problem

KEPT_SECONDS = 86_400


def name_of(identity: Identity, queue: str, key: str) -> str:
    """Name what is sent under a key: no other sender, queue or key has this name."""
    whole = f"{identity.kind}\n{identity.name}\n{queue}\n{key}"
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


async def is_repeat(books: ServerBooks, name: str, body: bytes) -> bool:
    """Note what is about to be done under a name, and say whether the same was noted before.

    Raises Problem 422 where something else was, and QueueUnavailableError.
    """
    asked = hashlib.sha256(body).digest()
    before = await books.once(name, asked, KEPT_SECONDS)
    if before is not None and before != asked:
        detail = (
            "the key was sent within a day with another body: take a new one for each request, and keep it to retry"
        )
        raise Problem(422, "key-reused", detail)
    return before is not None
