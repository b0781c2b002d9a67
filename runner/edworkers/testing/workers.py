"""Real runners on queues in memory, in virtual time: what a test pushes is worked on as in production, in a moment."""

from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from pydantic_core import from_json, to_json

from edworkers.core.errors import UnknownJobError
from edworkers.core.job import read_entry
from edworkers.core.settings import PoolSpec
from edworkers.ports import Depths, HandlerModule, JobRecord
from edworkers.testing.broker import MemoryBroker
from edworkers.testing.clock import MemoryClock
from edworkers.testing.driver import Driver, NotDrainedError
from edworkers.testing.served import ServedPool, settings_of

DRAIN_SECONDS = 40 * 86_400.0
"""Longer than any limit of a calendar month keeps a job waiting."""
_MOST_DEAD = 1_000_000
_NO_ENV: Mapping[str, str] = {}

T = TypeVar("T")


class Workers:
    """The runners of a test, and a keeper, on the queues of one `MemoryBroker`.

    Time passes in `drain`, `advance`, `stop` and `kill` only. Between them the queue's clock stands still, while
    handlers that are at work go on with whatever needs no time.
    """

    def __init__(self, broker: MemoryBroker | None = None, *, real_time: bool = False) -> None:
        """Begin with no queue served; with `real_time`, time passes as it really does while any handler runs."""
        self.broker = broker or MemoryBroker()
        self._driver = Driver(self.broker, real_time=real_time)
        self._served = self._driver.served

    @property
    def clock(self) -> MemoryClock:
        """The time of the queues."""
        return self.broker.clock

    async def __aenter__(self) -> Self:
        """Give the runners, which are stopped at the end of the block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Stop the runners."""
        await self.stop()

    def serve(
        self, module: HandlerModule, *, pool: PoolSpec | None = None, env: Mapping[str, str] = _NO_ENV, runners: int = 1
    ) -> None:
        """Let so many runners serve a queue: that of `pool`, or with the settings in the module itself.

        Of the environment they see `env` and nothing else. Raises SettingsError with everything for which a runner
        would refuse to start, ValueError for a queue that is served already.
        """
        spec = settings_of(module, pool, env)
        if spec.queue in self._served:
            raise ValueError(f"the queue {spec.queue!r} is served already")
        self._served[spec.queue] = ServedPool(self.broker, module, spec, env, runners)
        self._driver.forget_keeper(spec.queue)

    def push(self, queue: str, *jobs: bytes | str | Mapping[str, Any], urgent: bool = False) -> None:
        """Push jobs as an API does by LPUSH, or by RPUSH where they are urgent: their bytes, or JSON to be written."""
        payloads = [to_json(job) if isinstance(job, Mapping) else job for job in jobs]
        encoded = [payload.encode() if isinstance(payload, str) else payload for payload in payloads]
        self.broker.push(queue, *encoded, urgent=urgent)

    # Time.

    async def drain(self, seconds: float = DRAIN_SECONDS) -> None:
        """Work until no job of a served queue is left that can still be done, however long that takes; then stop.

        Jobs of a paused queue are left, and those of queues that nobody serves. Raises NotDrainedError where more than
        `seconds` of virtual time would pass, or jobs are put off again and again.
        """
        with self._driver.driving():
            if not await self._driver.go(self._is_drained, within=seconds, progress=self._ended):
                raise NotDrainedError(f"jobs are left after {seconds:g} s of virtual time: {self._counts()}")
            await self._end()

    async def advance(self, seconds: float) -> None:
        """Work for so long, and on all that can be done at once then; what runs, goes on running.

        With 0, everything happens that can happen without time passing. Raises NotDrainedError where that never ends.
        """
        with self._driver.driving():
            await self._driver.go(lambda: False, within=seconds, progress=self.clock.now)

    async def stop(self) -> None:
        """Stop all runners as SIGTERM does: they finish what runs, and give back what takes longer than 25 s."""
        if any(served.is_up() for served in self._served.values()):
            with self._driver.driving():
                await self._end()

    async def _end(self) -> None:
        for served in self._served.values():
            served.stop()
        await self._driver.wind_up(self._served.values())

    async def kill(self, queue: str) -> None:
        """End a queue's runners as SIGKILL does: their jobs are taken back when the leases have run out.

        New ones come up by the next `drain` or `advance`. Handlers see a cancellation, for want of a process to kill.
        Raises KeyError for a queue that isn't served.
        """
        served = self._served[queue]
        with self._driver.driving():
            served.kill()
            await self._driver.wind_up([served])

    def _is_drained(self) -> bool:
        for name in self._served:
            depths = self.depths(name)
            if depths.inflight or (not depths.paused and (depths.pending or depths.delayed)):
                return False
        return True

    def _ended(self) -> int:
        totals = [self.depths(name).totals for name in self._served]
        return sum(total.get(verb, 0) for total in totals for verb in ("ack", "bury", "cancel", "duplicate"))

    def _counts(self) -> str:
        depths = [self.depths(name) for name in self._served]
        return "; ".join(f"{d.queue}: {d.pending} pending, {d.inflight} in flight, {d.delayed} delayed" for d in depths)

    # What producers and operators do, and see.

    def record(self, job_id: str, queue: str | None = None) -> JobRecord:
        """Tell what is known of a job: its state, attempts, progress, result or error.

        Raises UnknownJobError; of a job that was pushed, the id is known once a runner has claimed it.
        """
        name = self._queue_of(job_id, queue)
        record = at_once(self.broker.control(name).find(job_id))
        if record is None:
            raise UnknownJobError(f"the queue {name!r} has no record of a job {job_id!r}")
        return record

    def text(self, job_id: str, queue: str | None = None) -> str | None:
        """Give the text that a job has written in its latest attempt (`JobContext.emit`); None where there is none.

        Raises UnknownJobError.
        """
        text = self.broker.store(self._queue_of(job_id, queue)).text(job_id)
        return None if text is None else b"".join(text.pieces).decode()

    def _queue_of(self, job_id: str, queue: str | None) -> str:
        if queue is not None:
            return queue
        names = self.broker.names()
        found = [name for name in names if at_once(self.broker.control(name).find(job_id)) is not None]
        if len(found) != 1:
            where = f"is in {', '.join(found)}: name one of them" if found else f"is in none of: {', '.join(names)}"
            raise UnknownJobError(f"a job {job_id!r} {where}")
        return found[0]

    def dead(self, queue: str) -> list[JobRecord]:
        """List a queue's dead letters, the latest first, each with its error and its bytes."""
        return at_once(self.broker.control(queue).dead(0, _MOST_DEAD))

    def waiting(self, queue: str) -> list[Any]:
        """List the jobs that wait in a queue, from the front: as JSON was read, or the bytes of what is none."""
        store = self.broker.store(queue)
        entries = [*store.fair.in_order(), *reversed(store.arrived), *reversed(store.pending)]
        return [_read(read_entry(entry).payload) for entry in entries]

    def depths(self, queue: str) -> Depths:
        """Count a queue's jobs by where they are."""
        return at_once(self.broker.control(queue).depths())

    def cancel(self, job_id: str, queue: str | None = None) -> str:
        """Cancel a job: `cancelled` at once, `requested` (it ends when a runner meets it) or `finished` before.

        Raises UnknownJobError where no queue is given and none knows the job yet.
        """
        return at_once(self.broker.control(self._queue_of(job_id, queue)).cancel(job_id))

    def pause(self, queue: str) -> None:
        """Let nobody claim from a queue until it is resumed."""
        at_once(self.broker.control(queue).pause(paused=True))

    def resume(self, queue: str) -> None:
        """Let a paused queue be claimed from again."""
        at_once(self.broker.control(queue).pause(paused=False))


def at_once(call: Coroutine[Any, Any, T]) -> T:
    """Give the answer of a call to a port in memory, which waits for nothing."""
    try:
        call.send(None)
    except StopIteration as end:
        answer: T = end.value
        return answer
    call.close()
    raise RuntimeError("a call to the queue in memory waited for something")


def _read(payload: bytes) -> Any:
    try:
        return from_json(payload)
    except ValueError:
        return payload
