"""The queues of a server: their settings from manifests that may change, opened on Redis."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from edworkers import pools
from edworkers.core.errors import SettingsError
from edworkers.core.manifest import read_manifest
from edworkers.core.schedule import PlannedSchedule, read_schedules
from edworkers.core.settings import PoolSpec
from edworkers.server.platform import ServedQueue
from edworkers.telemetry import log

_LOOK_SECONDS = 1.0
"""So often at most a file of pools is read."""


class PlannedQueue(NamedTuple):
    """A queue as a manifest has it."""

    spec: PoolSpec
    schedules: tuple[PlannedSchedule, ...] = ()


Plan = Callable[[], Sequence[PlannedQueue]]


def read_plan(text: str, source: str) -> list[PlannedQueue]:
    """Read WorkerPool manifests with their schedules. Raises SettingsError with every fault."""
    specs = pools.read_manifests(text, source)
    faults: list[str] = []
    schedules: dict[str, tuple[PlannedSchedule, ...]] = {}
    documents: list[Any] = [document for document in yaml.safe_load_all(text) if document is not None]
    for document in documents:
        spec = read_manifest(document, faults)
        if spec is not None:
            schedules[spec.queue] = schedules.get(spec.queue, ()) + read_schedules(document, faults)
    if faults:
        raise SettingsError(f"{source} can't be used:", faults)
    return [PlannedQueue(spec, schedules[spec.queue]) for spec in {spec.queue: spec for spec in specs}.values()]


class PlanFile:
    """The queues in a file of manifests. What can't be read leaves those that were read last, and is told once."""

    def __init__(self, path: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._monotonic = monotonic
        self._looked = -_LOOK_SECONDS
        self._text: str | None = None
        self._fault = ""
        self._plan: list[PlannedQueue] = []

    def __call__(self) -> Sequence[PlannedQueue]:
        """Give those that are in the file now; none where it isn't there yet."""
        if self._monotonic() - self._looked >= _LOOK_SECONDS:
            self._looked = self._monotonic()
            self._read()
        return self._plan

    def _read(self) -> None:
        try:
            text = self._path.read_text(encoding="utf-8")
            if text != self._text:
                self._plan = read_plan(text, str(self._path)) if text.strip() else []
                self._text, self._fault = text, ""
        except (OSError, UnicodeDecodeError, SettingsError) as error:
            if str(error) != self._fault:
                self._fault = str(error)
                log.error("pools.unreadable", file=str(self._path), reason=str(error), then="keeping those read before")


class ServedQueues:
    """The queues that are served now, each opened once for as long as its settings stay the same."""

    def __init__(self, plan: Plan, open_queue: Callable[[PlannedQueue], ServedQueue]) -> None:
        self._plan = plan
        self._open = open_queue
        self._planned: Sequence[PlannedQueue] | None = None
        self._queues: dict[str, ServedQueue] = {}
        self._opened_as: dict[str, PlannedQueue] = {}

    def __call__(self) -> Mapping[str, ServedQueue]:
        """Give them by name."""
        planned = self._plan()
        if planned is not self._planned:
            self._planned = planned
            self._queues = {one.spec.queue: self._opened(one) for one in planned}
            self._opened_as = {one.spec.queue: one for one in planned}
            log.info("server.serves", queues=list(self._queues))
        return self._queues

    def _opened(self, planned: PlannedQueue) -> ServedQueue:
        queue = planned.spec.queue
        return self._queues[queue] if self._opened_as.get(queue) == planned else self._open(planned)
