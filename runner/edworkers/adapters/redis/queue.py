"""One queue on Redis, as runners and keepers use it."""

import asyncio
import hashlib
import itertools
import time
from collections.abc import Iterable, Sequence
from typing import Any

from edworkers.adapters.redis.calls import Client, run_script
from edworkers.adapters.redis.connection import until_answered
from edworkers.adapters.redis.depths import depth_commands, read_depths
from edworkers.adapters.redis.forward import forward
from edworkers.adapters.redis.repair import repair, repair_lines
from edworkers.adapters.redis.retained import Retained
from edworkers.core.follow_up import write_children
from edworkers.core.group_bounds import GroupBounds
from edworkers.core.job import group_of
from edworkers.core.keys import QueueKeys
from edworkers.core.settings import MAX_PAYLOAD_BYTES, Groups, Retention
from edworkers.core.written_text import MAX_TEXT_BYTES, MAX_TEXT_PIECES, TEXT_KEPT_MS
from edworkers.ports import CircuitChange, Cycle, Delivery, Depths, Settlement, Start

MAX_CLAIM = 1000
_REAP_PAUSE_MS = 5000
_BEGUN = ord("1")
"""How cycle.lua says of a delivery that its job was let begin."""
_SERVICES = {True: "-", False: "+", None: "."}
"""How cycle.lua is told whether the service of a job's group failed."""


class RedisQueue:
    """The `JobQueue` port on Redis. Every call waits until Redis answers; what is repeated is safe to repeat."""

    def __init__(
        self,
        client: Client,
        queue: str,
        *,
        runner: str,
        lease_ms: int,
        retention: Retention,
        groups: Groups | None = None,
        max_inflight: int | None = None,
        begins: bool = False,
    ) -> None:
        self._client = client
        self._begins = int(begins)
        self._is_fair = groups is not None
        self._group_by = groups.by if groups is not None else None
        self._bounds = GroupBounds.of(groups)
        self._max_inflight = max_inflight or 0
        self._keys = QueueKeys(queue)
        self._runner = runner
        self._lease_ms = lease_ms
        self._result_ms = retention.result_seconds * 1000
        self._dead_ms = retention.dead_seconds * 1000
        self._max_bytes = retention.max_bytes
        self._keeps_data = retention.keep_data
        self._retained = Retained(queue, retention.max_bytes)
        self._calls = itertools.count(1)
        k = self._keys
        self._cycle_keys = [
            *(k.pending, k.arrived, k.inflight, k.lease, k.delayed, k.entries, k.dead, k.finished, k.outbox),
            *(k.paused, k.gate, k.throttled, k.cancel, k.unique, k.totals),
            *(k.fair, k.turns, k.shares, k.fairness, k.grouped, k.running, k.shut, k.circuits),
            *(k.failures, k.fingerprints, k.events, k.job("")),
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
            self._max_inflight,
            int(self._is_fair),
            *self._bounds,
            "".join(_SERVICES[s.service_down] for s in settlements) if self._bounds.failures else "",
            int(self._keeps_data),
            self._begins,
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
        await self._run("hand back a job", "hand_back", (k.arrived, k.pending), ())

    async def reap(self, at_most: int) -> int:
        """Put jobs whose lease ran out back to the front, or off for a while; returns how many."""
        k = self._keys
        keys = (
            *(k.pending, k.arrived, k.inflight, k.lease, k.delayed, k.entries, k.totals),
            *(k.fair, k.turns, k.shares, k.fairness, k.grouped, k.running, k.shut, k.circuits, k.events),
        )
        args = (at_most, _REAP_PAUSE_MS, self._bounds.most, self._bounds.failures)
        return int(await self._run("reap", "reap", keys, args))

    async def sort(self, at_most: int) -> int:
        """Where the queue is fair, move jobs that wait in the list to the lines of their groups.

        Returns for how many it tried: another may have moved them at the same time.
        """
        if not self._is_fair:
            return 0
        k = self._keys
        reply = await self._run("read jobs to sort", "unsorted", (k.pending, k.arrived), (at_most, MAX_PAYLOAD_BYTES))
        if not reply:
            return 0
        args: list[str | int] = [self._bounds.most, self._bounds.failures]
        for sha, group in _sorted_by_group(zip(reply[::2], reply[1::2], strict=True), self._group_by):
            args += (sha, group)
        keys = (k.pending, k.fair, k.turns, k.shares, k.fairness, k.grouped, k.running, k.shut, k.circuits)
        await self._run("sort jobs by group", "sort", keys, args)
        return len(reply) // 2

    async def promote(self, at_most: int) -> int:
        """Move due delayed jobs to the list; returns how many."""
        k = self._keys
        return int(await self._run("promote", "promote", (k.pending, k.delayed, k.entries), (at_most,)))

    async def trim(self, at_most: int) -> int:
        """Forget records beyond their retention in time or bytes; returns how many."""
        k = self._keys
        keys = (k.finished, k.dead, k.cancel, k.totals, k.failures, k.fingerprints)
        args = (self._result_ms, self._dead_ms, self._max_bytes, at_most)
        squeezed, early, max_bytes, ids = await self._run("trim", "trim", keys, args)
        self._retained.tell(squeezed=squeezed, early=early, max_bytes=max_bytes)
        if ids:
            prefixes = (self._job_prefix.encode(), self._keys.text("").encode())
            names = [prefix + job_id for prefix in prefixes for job_id in ids]

            async def unlink(_repeated: bool) -> None:  # noqa: FBT001
                await self._client.execute_command("UNLINK", *names)

            await until_answered("delete records", unlink)
        return len(ids)

    async def forward(self, at_most: int) -> int:
        """Pass follow-up jobs on to their queues; returns how many."""
        return await forward(self._client, self._keys, at_most, self._dead_ms)

    async def repair(self, at_most: int) -> int:
        """Mend what a person or a restore broke, looking at up to `at_most` things of each kind; returns how many."""
        lines = await repair_lines(self._client, self._keys, at_most, self._bounds) if self._is_fair else 0
        return await repair(self._client, self._keys, at_most) + lines

    async def sample(self) -> Depths:
        """Count the queue, for those who watch it; other calls may come between the counts."""

        async def count(_repeated: bool) -> Depths:  # noqa: FBT001
            calls = [self._client.execute_command(*words) for words in depth_commands(self._keys)]
            replies = await asyncio.gather(*calls)
            return await read_depths(self._client, self._keys, replies, time.time_ns() // 1_000_000)

        return await until_answered("count a queue", count)

    async def report_progress(self, job_id: str, receipt: str, progress: bytes) -> bool:
        """Keep the progress (JSON) of a running job; False if `receipt` doesn't hold it any more."""
        keys = (self._keys.job(job_id), self._keys.lease)
        return bool(await self._run("report progress", "progress", keys, (receipt, progress)))

    async def append_text(self, job_id: str, receipt: str, text: bytes, *, restart: bool) -> bool:
        """Add a piece (UTF-8) to the text that a running job writes; False if `receipt` doesn't hold it any more.

        With `restart` the text begins anew. Of the rest only the first `MAX_TEXT_BYTES` are kept.
        """
        call = f"{self._runner}.{next(self._calls):x}"
        args = (receipt, call, int(restart), text, MAX_TEXT_BYTES, MAX_TEXT_PIECES, TEXT_KEPT_MS)
        return bool(await self._run("add to a text", "append_text", (self._keys.text(job_id), self._keys.lease), args))

    async def throttle(self, milliseconds: int, reason: str) -> None:
        """Tell the autoscaler that nothing can be claimed for so long."""
        await self._run("throttle", "throttle", (self._keys.throttled,), (milliseconds, reason))


def _more(s: Settlement) -> Sequence[str | bytes | int]:
    """Write what a settlement says beyond what all do."""
    match s.verb:
        case "ack" | "cancel":
            is_old = s.receipt != s.origin
            if not (is_old or s.logs or s.follow_ups):
                return ()
            return (int(is_old), s.logs, write_children(s.follow_ups), *s.follow_ups)
        case "retry" | "defer":
            return (s.origin, s.attempts, s.delay_ms, s.due, s.gate_ms, s.logs)
        case "bury":
            return (s.fingerprint, s.cause, s.logs)
        case "release":
            return (s.origin, int(s.started), s.shut_ms, s.logs)
        case _:
            return ()


def _sorted_by_group(entries: Iterable[tuple[int, bytes]], by: str | None) -> Iterable[tuple[str, str]]:
    """Give of each entry its SHA-1, by which the script knows it again, and its group."""
    for is_whole, raw in entries:
        if is_whole:
            yield hashlib.sha1(raw, usedforsecurity=False).hexdigest(), group_of(raw, by)
        else:
            yield raw.decode("ascii"), ""


def _read_cycle(reply: list[Any], *, repeated: bool) -> Cycle:
    lost, admissions, deliveries, closed, waiting, now, changes, begun = reply
    claimed = zip(deliveries[::2], deliveries[1::2], begun, strict=True)
    return Cycle(
        # After a repeat, a receipt that is gone may as well have been settled by the call whose reply was lost.
        lost=() if repeated else tuple(receipt.decode() for receipt in lost),
        admissions=tuple(admission.decode() for admission in admissions),
        deliveries=tuple(_read_delivery(receipt, raw, mark == _BEGUN) for receipt, raw, mark in claimed),
        closed_ms=int(closed),
        waiting=int(waiting),
        now=int(now),
        circuits=tuple(map(_read_change, changes[::3], changes[1::3], changes[2::3])),
    )


def _read_change(group: bytes, failures: int, open_ms: int) -> CircuitChange:
    return CircuitChange(group.decode(errors="replace"), failures, open_ms)


def _read_delivery(receipt: bytes, raw: bytes | int, is_begun: bool) -> Delivery:  # noqa: FBT001
    if isinstance(raw, int):
        return Delivery(receipt.decode(), b"", raw)
    return Delivery(receipt.decode(), raw, is_begun=is_begun)
