"""A follow-up job on its way to its queue, as it lies in the outbox."""

import re
from typing import NamedTuple

from edworkers.core.keys import QUEUE_NAME

_HEAD = re.compile(rf"({QUEUE_NAME.pattern}) ([!-~]{{1,128}})\n".encode())
NO_FOLLOW_UP = "no follow-up job: it must begin with a queue's name, a space, an id and a line feed"
"""What is wrong with anything else that lies there."""


class FollowUpItem(NamedTuple):
    """Where a follow-up job goes, and what it is."""

    queue: str
    job_id: str
    payload: bytes


def read_follow_up(item: bytes) -> FollowUpItem | None:
    """Read an item of the outbox; nothing where it is no follow-up job."""
    head = _HEAD.match(item)
    return None if head is None else FollowUpItem(head[1].decode(), head[2].decode(), item[head.end() :])
