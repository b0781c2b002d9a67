"""Real runners for one pool, on a queue in memory."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from edworkers.core.errors import SettingsError
from edworkers.core.limits import begins_at_claim, limiters
from edworkers.core.settings import PoolSpec
from edworkers.handlers import registry
from edworkers.pipeline.budget import Budget
from edworkers.pipeline.runner import Exit, Runner
from edworkers.ports import HandlerModule
from edworkers.testing.broker import MemoryBroker
from edworkers.testing.queue import MemoryQueue

NO_JITTER = 0.5
"""The roll of a die that makes a wait neither shorter nor longer."""
_MOST_CANCELLATIONS = 100


class AtWork(NamedTuple):
    """A runner that is up."""

    runner: Runner
    task: asyncio.Task[Exit]


def settings_of(module: HandlerModule, pool: PoolSpec | None, env: Mapping[str, str]) -> PoolSpec:
    """Give a pool's settings as they hold in this environment.

    Raises SettingsError with everything for which a runner would refuse to start.
    """
    spec = pool or module.pool
    faults = [fault for handler in module.handlers for fault in handler.faults(env)]
    try:
        spec = registry.override(module, spec, env)
    except SettingsError as error:
        faults += error.faults
    if faults:
        raise SettingsError(f"no runner of the queue {spec.queue!r} would start with these settings:", faults)
    return spec


class ServedPool:
    """One queue and the runners that serve it."""

    def __init__(
        self, broker: MemoryBroker, module: HandlerModule, spec: PoolSpec, env: Mapping[str, str], runners: int
    ) -> None:
        self.spec = spec
        self.queue = self._open_queue(broker)
        """The queue in the hands of a keeper."""
        self._broker = broker
        self._handlers = {handler.type: handler for handler in module.handlers}
        self._env = env
        self._runners = runners
        self._up: list[AtWork] = []
        self._stopping = False
        self._doomed: Counter[asyncio.Task[Any]] = Counter()
        """Tasks that end with a process in production, by how often they were cancelled."""

    def is_at_work(self) -> bool:
        """Tell whether a handler runs, or closes what it works with."""
        ending = (*self._doomed, *(up.task for up in self._up if self._stopping))
        return any(not task.done() for task in ending) or any(up.runner.running for up in self._up)

    def is_up(self) -> bool:
        """Tell whether anything of a runner is left."""
        return bool(self._up or self._doomed)

    def start(self) -> bool:
        """Bring up those runners that aren't: one that ended by itself, as it does when stuck, is started anew.

        Returns whether there was anything to do. Raises what a runner raised.
        """
        self._stopping = False
        changed = self.clear_away() or len(self._up) < self._runners
        while len(self._up) < self._runners:
            runner = self._make()
            self._up.append(AtWork(runner, asyncio.get_running_loop().create_task(runner.run())))
        return changed

    def stop(self) -> None:
        """Tell the runners to stop, as SIGTERM does."""
        self._stopping = True
        for up in self._up:
            if not up.task.done():
                up.runner.stop()

    def kill(self) -> None:
        """End the runners as SIGKILL does, as far as that is possible for tasks: nothing is settled any more."""
        for up in self._up:
            self._doom([up.task, *(attempt.task for attempt in up.runner.running.values())])
        self._up.clear()

    def clear_away(self) -> bool:
        """Forget runners that ended, and cancel what they left behind.

        Returns whether there was anything to do. Raises what a runner raised.
        """
        changed = bool(self._doomed) or any(up.task.done() for up in self._up)
        for up in [up for up in self._up if up.task.done()]:
            self._up.remove(up)
            self._doom([attempt.task for attempt in up.runner.stuck])
            if not up.task.cancelled():
                up.task.result()
        for task, times in list(self._doomed.items()):
            if task.done() or times > _MOST_CANCELLATIONS:
                del self._doomed[task]
            else:
                self._doom([task])
        return changed

    def _doom(self, tasks: Sequence[asyncio.Task[Any] | None]) -> None:
        for task in tasks:
            if task is not None and not task.done():
                self._doomed[task] += 1
                task.cancel()

    def _open_queue(self, broker: MemoryBroker) -> MemoryQueue:
        spec = self.spec
        return broker.queue(
            spec.queue,
            lease_ms=round(spec.lease_seconds * 1000),
            retention=spec.retention,
            groups=spec.groups,
            max_inflight=spec.max_inflight,
            begins=begins_at_claim(spec),
        )

    def _make(self) -> Runner:
        spec, broker, queue = self.spec, self._broker, self._open_queue(self._broker)
        limits = limiters(spec.queue, spec.limits)
        of_jobs = next((limited for limited in limits if limited.is_asked_first), None)
        others = [limited for limited in limits if limited is not of_jobs]
        return Runner(
            pool=spec,
            queue=queue,
            lifeline=broker.lifeline(queue),
            handlers=self._handlers,
            env=self._env,
            clock=broker.clock,
            limiter=broker.limiter(of_jobs.name, of_jobs.windows) if of_jobs is not None else None,
            budget=Budget(others, broker.limiter) if others else None,
            roll=lambda: NO_JITTER,
        )
