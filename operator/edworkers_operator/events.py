"""Kubernetes events: what changed in a pool's conditions, for `kubectl describe` and `kubectl get events`. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from edworkers_operator.status import timestamp

COMPONENT = "edworkers-operator"
_GOOD = {"Ready": "True", "ScalerReady": "True", "SchedulesReady": "True", "Degraded": "False", "Stalled": "False"}
_TOLD = ("Ready", "ScalerReady", "Degraded", "Stalled", "Throttled")
_CALM = frozenset({"Creating", "CronJobMissing", "Pending", "RollingOut", "Starting"})
"""Why a pool isn't ready where nothing is wrong: it only takes its time."""
_LONGEST_MESSAGE = 1000


class Note(NamedTuple):
    """Something to be told of a pool."""

    type: str
    """`Normal` or `Warning`."""
    reason: str
    message: str


def notes_on(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[Note]:
    """Say what changed between two lists of conditions; a reason that changed while the status did not is no news.

    What is so from the start is told only where it is bad.
    """
    known = {condition["type"]: condition["status"] for condition in before}
    notes: list[Note] = []
    for condition in after:
        name, status = condition["type"], condition["status"]
        is_blind = condition["reason"] == "QueueUnreadable"
        if name not in _TOLD or (status == "Unknown" and not is_blind) or known.get(name) == status:
            continue
        bad = is_blind or _GOOD.get(name, status) != status
        was_known = known.get(name) in {"True", "False"}
        if bad or was_known:
            is_alarming = bad and condition["reason"] not in _CALM
            notes.append(Note("Warning" if is_alarming else "Normal", _reason(condition), condition["message"]))
    # The reason why a pool isn't ready is a condition of its own.
    return list({(note.reason, note.message): note for note in notes}.values())


def _reason(condition: Mapping[str, Any]) -> str:
    if condition["type"] == "Throttled":
        return "QueueOpened" if condition["status"] == "False" else str(condition["reason"])
    return str(condition["reason"])


def event(pool: Mapping[str, Any], note: Note, name: str, now: datetime) -> dict[str, Any]:
    """Write a note as an event of a pool."""
    metadata = pool["metadata"]
    moment = timestamp(now.timestamp() * 1000)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": pool["apiVersion"],
            "kind": pool["kind"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
        "type": note.type,
        "reason": note.reason,
        "message": note.message[:_LONGEST_MESSAGE] or note.reason,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": COMPONENT,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }
