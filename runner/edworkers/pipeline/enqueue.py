"""From what a producer has to a job that may be enqueued, or to every fault in it."""

from typing import Any

from pydantic_core import to_json

from edworkers.core.errors import InvalidJobError
from edworkers.core.job import Entry, write_entry
from edworkers.core.settings import JobPolicy
from edworkers.core.verdict import Bury
from edworkers.pipeline.claim import Handlers, read_delivery
from edworkers.ports import Delivery, Enqueue


def prepare(
    payload: bytes, handlers: Handlers, policy: JobPolicy, *, new_id: str, now: int, urgent: bool = False
) -> Enqueue:
    """Check a payload as a runner would; `new_id` is the job's id where it names none, `now` is in Unix ms.

    Raises InvalidJobError with every fault.
    """
    # Under a header of the queue's own, a header that a producer made up is no JSON, and so refused.
    entry = write_entry(Entry(payload, origin=new_id))
    claimed = read_delivery(Delivery(new_id, entry), handlers, policy, now)
    if isinstance(claimed.refusal, Bury):
        error = claimed.refusal.error
        raise InvalidJobError("this is no job for the queue:", error.get("faults", [error["message"]]))
    job = claimed.job
    assert job is not None  # noqa: S101
    return Enqueue(job.id, payload, job.unique_key or "", urgent=urgent, due=claimed.put_off_until)


def envelope(data: dict[str, Any], **fields: Any) -> bytes:
    """Write data and the envelope's other fields as a payload; fields that are None are left out."""
    return to_json({**{name: value for name, value in fields.items() if value is not None}, "data": data})
