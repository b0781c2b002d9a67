"""What a cluster says of the pools that it runs."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol


class PoolView(NamedTuple):
    """A WorkerPool as its cluster sees it."""

    name: str
    queue: str
    ready: int
    """Pods that are ready."""
    wanted: int
    """Pods that there are to be now."""
    least: int
    most: int
    target: float | None
    """How many jobs there should be for each pod, which KEDA's autoscaler aims at; None for a fixed number of pods."""
    queue_length: int | None
    """How many jobs the autoscaler counts; None where that couldn't be read."""
    conditions: Mapping[str, str]
    """Type to message, of each condition that isn't as it should be."""
    fired: Mapping[str, int] = MappingProxyType({})
    """When (Unix ms) each of its schedules fired last, by the schedule's name; without those that never did."""


class ClusterView(Protocol):
    """What a cluster says of its pools."""

    async def pools(self) -> Sequence[PoolView]:
        """Tell of every pool; empty where the cluster doesn't answer."""
        ...
