"""What was counted in Redis for one pool, and what follows from it for its pods. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class LimitReading:
    """How much of one limit is used."""

    name: str
    used: int
    limit: int
    resets_at: int = 0
    """Unix ms; 0 where nothing is used of a rolling window."""


@dataclass(frozen=True, slots=True)
class QueueReading:
    """A queue at one moment."""

    pending: int
    inflight: int
    delayed: int
    dead: int
    paused: bool = False
    throttled: bool = False
    opens_at: int = 0
    """While it is throttled: when it opens again (Unix ms)."""
    oldest_seconds: int = 0
    busy: Mapping[str, int] = field(default_factory=dict[str, int])
    """Jobs in flight by the name of the pod that holds them."""
    limits: tuple[LimitReading, ...] = ()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A queue that couldn't be counted, and why."""

    reason: str


def pods_of(receipts: Iterable[bytes]) -> Counter[str]:
    """Count the jobs that each pod holds: a receipt is `<pod>.<runner>.<call>.<number>`."""
    return Counter(parts[0] for receipt in receipts if len(parts := receipt.decode().rsplit(".", 3)) == 4)


COST = "controller.kubernetes.io/pod-deletion-cost"
"""Annotation: of two pods a Deployment first ends the one that costs less."""


def deletion_costs(pods: Sequence[dict[str, Any]], busy: Mapping[str, int]) -> list[tuple[dict[str, Any], str]]:
    """Say which pods' costs are to be changed, and to what, so that idle pods are ended first.

    Only whether a pod is busy counts: a figure that follows each job would be a call to the API server for each.
    """
    if len(pods) < 2:
        return []
    changes: list[tuple[dict[str, Any], str]] = []
    for pod in pods:
        wanted = "100" if busy.get(pod["metadata"]["name"]) else "0"
        if pod["metadata"].get("annotations", {}).get(COST, "0") != wanted:
            changes.append((pod, wanted))
    return changes
