"""A follow-up job on its way to its queue, as it lies in the outbox, and how it and its parent name each other."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple, cast

from pydantic_core import from_json, to_json

from edworkers.core.keys import QUEUE_NAME

_HEAD = re.compile(rf"({QUEUE_NAME.pattern}) ([!-~]{{1,128}})\n".encode())
_SOURCE = re.compile(rf"edworkers/({QUEUE_NAME.pattern})")
_ID = re.compile(r"[!-~]{1,128}")
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


def source_of(queue: str) -> str:
    """Name the `source` of the follow-up jobs of a queue's jobs."""
    return f"edworkers/{queue}"


def read_parent(payload: bytes) -> str:
    """Read from a follow-up job which one it follows: its queue, a space and its id. Empty for any other job.

    Its envelope says it by `source` and `parentid`, an extension attribute in the words of CloudEvents.
    """
    if b'"parentid"' not in payload:
        return ""
    try:
        document: Any = from_json(payload)
    except ValueError:
        return ""
    fields = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    source = _SOURCE.fullmatch(str(fields.get("source")))
    job_id = fields.get("parentid")
    return f"{source[1]} {job_id}" if source and isinstance(job_id, str) and _ID.fullmatch(job_id) else ""


def write_children(items: Iterable[bytes]) -> bytes:
    """Write as JSON which follow-up jobs a job has, for its record; `items` are as they lie in the outbox."""
    found = [item for item in map(read_follow_up, items) if item is not None]
    return to_json([{"queue": item.queue, "id": item.job_id} for item in found]) if found else b""
