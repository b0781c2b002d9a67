"""How a deleted pool whose deletionPolicy is Drain goes: when its queue is empty, or its time is up. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from edworkers_operator.queue_reading import QueueReading

FINALIZER = "edworkers.dev/drain"


class Drain(NamedTuple):
    """How far it is."""

    is_over: bool
    is_empty: bool
    message: str


def is_deleted(manifest: Mapping[str, Any]) -> bool:
    """Say whether somebody asked for the pool to be deleted."""
    return "deletionTimestamp" in manifest["metadata"]


def with_finalizer(manifest: Mapping[str, Any], *, wanted: bool) -> list[str] | None:
    """Give the finalizers that a pool should have; None where it has them."""
    there = list(manifest["metadata"].get("finalizers", ()))
    if wanted == (FINALIZER in there):
        return None
    return [*there, FINALIZER] if wanted else [name for name in there if name != FINALIZER]


def drain_of(
    manifest: Mapping[str, Any], reading: object, now: datetime, longest_seconds: float, *, has_runners: bool
) -> Drain:
    """Say whether a deleted pool may go. A queue that couldn't be counted is not taken for an empty one.

    Nor does it wait for runners that are gone, as they are when the whole namespace is deleted.
    """
    asked = datetime.fromisoformat(manifest["metadata"]["deletionTimestamp"])
    if isinstance(reading, QueueReading) and reading.pending + reading.inflight + reading.delayed == 0:
        return Drain(is_over=True, is_empty=True, message="the queue is empty")
    if not has_runners:
        return Drain(is_over=True, is_empty=False, message="its pods are gone; what is in the queue stays in Redis")
    if (now - asked).total_seconds() >= longest_seconds:
        message = f"the queue was not empty after {longest_seconds:g} s; what is in it stays in Redis"
        return Drain(is_over=True, is_empty=False, message=message)
    return Drain(is_over=False, is_empty=False, message="waiting for the queue to be empty")
