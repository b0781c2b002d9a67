"""One queue on Redis, as runners and keepers use it."""

import itertools
from collections.abc import Sequence
from typing import Any

from edworkers.adapters.redis.calls import Client, enqueue_arguments, run_script
from edworkers.adapters.redis.connection import until_answered
from edworkers.core.keys import QueueKeys
from edworkers.core.settings import MAX_PAYLOAD_BYTES, Retention
from edworkers.ports import Cycle, Delivery, Enqueue, Settlement, Start
from edworkers.telemetry import log

MAX_CLAIM = 1000
_REAP_PAUSE_MS = 5000


class RedisQueue:
    """The `JobQueue` port on Redis. Every call waits until Redis answers; what is repeated is safe to repeat."""

    def __init__(self, client: Client, queue: str, *, runner: str, lease_ms: int, retention: Retention) -> None:
        self._client = client
        self._keys = QueueKeys(queue)
        self._runner = runner
        self._lease_ms = lease_ms
        self._result_ms = retention.result_seconds * 1000
        self._dead_ms = retention.dead_seconds * 1000
        self._max_bytes = retention.max_bytes
        self._calls = itertools.count(1)
        k = self._keys
        self._cycle_keys = [
            *(k.pending, k.arrived, k.inflight, k.lease, k.delayed, k.entries, k.dead, k.finished, k.outbox),
            *(k.paused, k.gate, k.throttled, k.cancel, k.unique, k.totals),
        ]
        self._job_prefix = k.job("")

    async def _run(self, what: str, name: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        async def call(_repeated: bool) -> Any:  # noqa: FBT001
            return await run_script(self._client, name, keys, args)

        return await until_answered(what, call)

    async def cycle(self, settlements: Sequence[Settlement], starts: Sequence[Start], want: int) -> Cycle:
        """Settle what ended, start what is about to run and claim up to `want` jobs, in one step."""
        keys, args = self.cycle_call(settlements, starts, want)
        repeats = 0

        async def call(repeated: bool) -> Any:  # noqa: FBT001
            nonlocal repeats
            args[3] = repeats = int(repeated)
            return await run_script(self._client, "cycle", keys, args)

        reply = await until_answered(f"cycle the queue {self._keys.queue}", call)
        return _read_cycle(reply, repeated=bool(repeats))

    def cycle_call(
        self, settlements: Sequence[Settlement], starts: Sequence[Start], want: int
    ) -> tuple[list[str], list[Any]]:
        """Write a cycle as KEYS and ARGV of cycle.lua."""
        token = f"{self._runner}.{next(self._calls):x}"
        args: list[Any] = [
            token,
            min(want, MAX_CLAIM),
            self._lease_ms,
            0,
            self._result_ms,
            self._dead_ms,
            MAX_PAYLOAD_BYTES,
        ]
        args += (len(settlements), len(starts))
        for s in settlements:
            more = _more(s)
            args += (s.verb, s.receipt, s.job_id, s.unique_key, s.begun, f"{s.seconds:.6f}", s.body, len(more), *more)
        for start in starts:
            args += start
        prefix = self._job_prefix
        keys = [*self._cycle_keys, *(prefix + s.job_id for s in settlements), *(prefix + s.job_id for s in starts)]
        return keys, args

    async def hand_back(self) -> None:
        """Let another runner have the job that woke this one."""
        k = self._keys

        async def call(_repeated: bool) -> None:  # noqa: FBT001
            while await self._client.execute_command("LMOVE", k.arrived, k.pending, "RIGHT", "RIGHT"):
                pass

        await until_answered("hand back a job", call)

    async def reap(self, at_most: int) -> int:
        """Put jobs whose lease ran out back to the front, or off for a while; returns how many."""
        k = self._keys
        keys = (k.pending, k.arrived, k.inflight, k.lease, k.delayed, k.entries, k.totals)
        return int(await self._run("reap", "reap", keys, (at_most, _REAP_PAUSE_MS)))

    async def promote(self, at_most: int) -> int:
        """Move due delayed jobs to the list; returns how many."""
        k = self._keys
        return int(await self._run("promote", "promote", (k.pending, k.delayed, k.entries), (at_most,)))

    async def trim(self, at_most: int) -> int:
        """Forget records beyond their retention in time or bytes; returns how many."""
        k = self._keys
        keys = (k.finished, k.dead, k.cancel, k.totals)
        args = (self._result_ms, self._dead_ms, self._max_bytes, at_most)
        squeezed, ids = await self._run("trim", "trim", keys, args)
        if squeezed:
            log.error(
                "dead.squeezed",
                queue=k.queue,
                count=squeezed,
                reason="dead letters were deleted for want of room; raise retention.maxBytes or replay and drop them",
            )
        if ids:
            names = [k.job(job_id.decode()) for job_id in ids]

            async def unlink(_repeated: bool) -> None:  # noqa: FBT001
                await self._client.execute_command("UNLINK", *names)

            await until_answered("delete records", unlink)
        return len(ids)

    async def forward(self, at_most: int) -> int:
        """Pass follow-up jobs on to their queues; returns how many.

        A crash in between sends one again, and so may two that forward at once; its id makes the second a duplicate,
        even if the first is dead by then.
        """
        outbox = self._keys.outbox

        async def read(_repeated: bool) -> Any:  # noqa: FBT001
            return await self._client.execute_command("LRANGE", outbox, -at_most, -1)

        items: list[bytes] = await until_answered("read the outbox", read)
        for item in reversed(items):
            head, _, payload = item.partition(b"\n")
            queue, _, job_id = head.decode("ascii").partition(" ")
            keys, args = enqueue_arguments(QueueKeys(queue), [Enqueue(job_id, payload, revive=False)], self._dead_ms)
            await self._run("forward a job", "enqueue", keys, args)

            async def remove(_repeated: bool, item: bytes = item) -> None:  # noqa: FBT001
                await self._client.execute_command("LREM", outbox, -1, item)

            await until_answered("empty the outbox", remove)
        return len(items)

    async def report_progress(self, job_id: str, receipt: str, progress: bytes) -> bool:
        """Keep the progress (JSON) of a running job; False if `receipt` doesn't hold it any more."""
        keys = (self._keys.job(job_id), self._keys.lease)
        return bool(await self._run("report progress", "progress", keys, (receipt, progress)))

    async def throttle(self, milliseconds: int, reason: str) -> None:
        """Tell the autoscaler that nothing can be claimed for so long."""
        await self._run("throttle", "throttle", (self._keys.throttled,), (milliseconds, reason))


def _more(s: Settlement) -> Sequence[str | bytes | int]:
    """Write what a settlement says beyond what all do."""
    if s.verb == "ack":
        return s.follow_ups
    if s.verb in {"retry", "defer"}:
        return (s.origin, s.attempts, s.delay_ms, s.due, s.gate_ms)
    return (s.origin, int(s.started)) if s.verb == "release" else ()


def _read_cycle(reply: list[Any], *, repeated: bool) -> Cycle:
    lost, admissions, deliveries, closed, waiting = reply
    pairs = zip(deliveries[::2], deliveries[1::2], strict=True)
    return Cycle(
        # After a repeat, a receipt that is gone may as well have been settled by the call whose reply was lost.
        lost=() if repeated else tuple(receipt.decode() for receipt in lost),
        admissions=tuple(admission.decode() for admission in admissions),
        deliveries=tuple(_read_delivery(receipt, raw) for receipt, raw in pairs),
        closed_ms=int(closed),
        waiting=int(waiting),
    )


def _read_delivery(receipt: bytes, raw: bytes | int) -> Delivery:
    return Delivery(receipt.decode(), b"", raw) if isinstance(raw, int) else Delivery(receipt.decode(), raw)
