"""The runner: claims, starts and settles many jobs by few calls, and works on as many at once as it has slots.

Two lanes make the calls to the queue. While a call is under way handlers end and begin; the next call takes all of that
with it. So a call costs little a job under load, and nobody waits when there is none. When a second call is worth its
while before the first is answered, the other lane makes it: Redis works on one while this process works on the other.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

from edworkers.core.errors import QueueUnavailableError
from edworkers.core.outcome import Failed, Outcome, service_down
from edworkers.core.settings import PoolSpec
from edworkers.core.stats import Stats
from edworkers.core.verdict import Cancel, Defer, Duplicate, Release, Verdict, judge
from edworkers.pipeline.budget import Budget
from edworkers.pipeline.circuits import tell_circuits
from edworkers.pipeline.claim import Claimed, Handlers, read_delivery
from edworkers.pipeline.handle import Attempt, End, OpenHandlers
from edworkers.pipeline.ledger import Ledger
from edworkers.pipeline.quota import NOTHING, Quota
from edworkers.pipeline.settle import settlement
from edworkers.ports import Clock, Cycle, Grant, JobQueue, Lifeline, Limiter, Settlement
from edworkers.telemetry import log, tell_settled
from edworkers.telemetry.job_lines import trace_fields
from edworkers.telemetry.tracing import begin_attempt

SWEEP_SECONDS = 0.05
PAUSED_LOOK_SECONDS = 1.0
FULL_LOOK_SECONDS = 1.0
SORT_BATCH = 500
SORT_BATCHES = 20
FRESH = 0.1
"""For what part of a lease a claim is fresh: its jobs begin without a look whether their lease is still held."""
LANES = 2


class Exit(IntEnum):
    """How a runner ended; also the exit code of its process."""

    DONE = 0
    FAILED = 1
    """Redis refused what the runner asked."""
    STUCK = 70
    """A handler could not be stopped: only the end of the process ends it."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a runner waits for handlers, in seconds."""

    drain: float = 25
    """After a request to stop, until unfinished jobs are given back."""
    grace: float = 5
    """After a handler was cancelled, until it counts as stuck."""


Number = TypeVar("Number", int, float)

DEFAULT_PATIENCE = Patience()


class Runner:
    """Works on one queue until it is stopped."""

    _stopping = False
    _sweeping = False
    _woken = False
    """Whether a job has come since the last call was sent."""
    _probing = False
    """Whether a call is under way for the job that woke this runner; until its answer nobody knows of any others."""
    _expecting = True
    """Whether there may be jobs in the list."""
    _is_full = False
    """Whether jobs wait that may not run, as many of the queue or of their groups run as may, or limits shut these."""
    _looks_later = False
    _calls = 0
    """How many calls are under way."""
    _asked = 0
    """For how many jobs they ask."""
    _starting = 0
    """How many jobs they let begin."""

    def __init__(  # noqa: PLR0913
        self,
        *,
        pool: PoolSpec,
        queue: JobQueue,
        lifeline: Lifeline,
        handlers: Handlers,
        env: Mapping[str, str],
        clock: Clock,
        limiter: Limiter | None = None,
        budget: Budget | None = None,
        ledger: Ledger | None = None,
        patience: Patience = DEFAULT_PATIENCE,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self.pool = pool
        self.stats = Stats.of_types(pool.queue, handlers, pool.concurrency)
        self.running: dict[str, Attempt] = {}
        self.stuck: list[Attempt] = []
        self._queue = queue
        self._lifeline = lifeline
        self._handlers = handlers
        self._open_handlers = OpenHandlers(env)
        self._clock = clock
        self._quota = Quota(limiter, queue, self._look_again)
        self._budget = budget
        if budget is not None:
            budget.on_room = self._quota.open
        self._ledger = ledger
        self._patience = patience
        self._roll = roll
        self._poke = asyncio.Event()
        self._settlements: list[Settlement] = []
        self._admitting: list[Claimed] = []

    @property
    def is_ready(self) -> bool:
        """Whether Redis answered and the runner isn't about to end; one that a limit keeps from claiming is ready."""
        return (self.stats.cycles > 0 or self._quota.has_answered) and not self._stopping

    # What others tell the runner.

    def stop(self) -> None:
        """Claim no more; finish what runs, or give it back when the time to drain is over."""
        if self._stopping:
            self._release_all()
            return
        self._stopping = True
        log.info("runner.draining", queue=self.pool.queue, running=len(self.running), seconds=self._patience.drain)
        for claimed in self._admitting:
            self._settle(claimed, Release(), started=False)
        self._admitting = []
        self._loop.call_later(self._patience.drain, self._release_all)
        self._poke.set()

    def _release_all(self) -> None:
        for attempt in list(self.running.values()):
            attempt.stop(End.RELEASE)

    def _on_wake(self) -> None:
        self._woken = True
        self._quota.open()

    def _on_lost(self, receipts: Sequence[str]) -> None:
        for receipt in receipts:
            attempt = self.running.get(receipt)
            if attempt is not None:
                self._count_lost(attempt.id, receipt, attempt.attempt, attempt.claimed.traceparent)
                attempt.stop(End.LOST)

    def _on_cancel(self, job_ids: Sequence[str]) -> None:
        for attempt in list(self.running.values()):
            if attempt.claimed.id in job_ids:
                attempt.stop(End.CANCEL)

    def _count_lost(self, job_id: str, receipt: str, attempt: int, traceparent: str | None) -> None:
        self.stats.lease_losses += 1
        log.warning(
            "lease.lost",
            queue=self.pool.queue,
            job=job_id,
            receipt=receipt,
            attempt=attempt,
            then="another runner gets the job, or has it",
            **trace_fields(traceparent),
        )

    # The loop.

    async def run(self) -> Exit:
        """Work until stopped; returns how it ended."""
        self._loop = asyncio.get_running_loop()
        self._lifeline.open(on_wake=self._on_wake, on_lost=self._on_lost, on_cancel=self._on_cancel)
        lanes = [self._loop.create_task(self._lane()) for _ in range(LANES)]
        try:
            await asyncio.gather(*lanes)
        finally:
            for lane in lanes:
                lane.cancel()
            for attempt in list(self.running.values()):
                attempt.stop(End.LOST)  # Redis refused what the runner asked: nothing can be settled any more
            self._lifeline.close()
            if self._budget is not None:
                await self._budget.close()
            if not self.stuck:
                await self._open_handlers.close()
        return Exit.STUCK if self.stuck else Exit.DONE

    def _is_over(self) -> bool:
        return self._stopping and not (self.running or self._settlements or self._admitting or self._calls)

    async def _lane(self) -> None:
        while not self._is_over():
            self._poke.clear()
            room = self._room()
            if self._is_worth_a_call(room):
                await self._call(room)
            else:
                self._ask_to_be_woken()
                await self._poke.wait()
        self._poke.set()

    def _room(self) -> int:
        if self._stopping or self._probing or not self._expecting or self._quota.is_used_up:
            return 0
        # No more than half the slots a call, or all jobs would go their way in step and nothing would overlap.
        return min(self._free_slots(), (self.pool.concurrency + 1) // 2)

    def _free_slots(self) -> int:
        return self.pool.concurrency - len(self.running) - len(self._admitting) - self._starting - self._asked

    def _is_worth_a_call(self, room: int) -> bool:
        if self._stopping and self._woken:
            return True  # to hand back the job that came too late for this runner
        # A small second call would cost as much as a large one, and what it carries can as well go with the next.
        least = self.pool.concurrency // 4 if self._calls else 0
        return len(self._settlements) + len(self._admitting) + room > least

    def _ask_to_be_woken(self) -> None:
        if self._is_full and self.pool.groups is None:
            return  # every job in the list would wake it, and none can run
        if self._free_slots() > 0 and not (self._stopping or self._expecting or self._asked or self._quota.is_used_up):
            self._lifeline.wake_me()

    async def _call(self, room: int) -> None:
        """Make one call: claim for up to `room` jobs, with all that is to be settled and started by now."""
        self._calls += 1
        self._asked += room
        self._woken, woken = False, self._woken
        self._probing |= woken
        if room and self.pool.groups is not None:
            await self._sort()
        grant = await self._quota.allow(room) if room else NOTHING
        if woken and not grant.granted:
            await self._queue.hand_back()
        settlements, self._settlements = self._settlements, []
        admitting, self._admitting = self._admitting, []
        self._starting += len(admitting)
        if grant.granted or settlements or admitting:
            await self._cycle(settlements, admitting, room, grant)
        else:
            self._asked -= room
        self._probing = self._probing and not woken
        self._calls -= 1
        self._poke.set()

    async def _sort(self) -> None:
        """Sort what waits, so that the claim that follows knows of every group; of very long lists the first part."""
        for _ in range(SORT_BATCHES):
            if not await self._queue.sort(SORT_BATCH):
                break

    async def _cycle(self, settlements: list[Settlement], admitting: list[Claimed], room: int, grant: Grant) -> None:
        asked_at = self._loop.time()
        cycle = await self._queue.cycle(settlements, [claimed.start() for claimed in admitting], grant.granted)
        self.stats.cycles += 1
        self._starting -= len(admitting)
        self._note_lost(settlements, cycle)
        tell_circuits(cycle.circuits, self.pool, self.stats)
        if admitting:
            # Once more: they were let go if Redis was away for long meanwhile.
            self._lifeline.hold({claimed.receipt: claimed.id for claimed in admitting})
        for claimed, admission in zip(admitting, cycle.admissions, strict=True):
            self._admit(claimed, admission)
        runnable = await self._receive(cycle, is_fresh=self._loop.time() - asked_at < FRESH * self.pool.lease_seconds)
        self._asked -= room
        if grant.granted:
            self._expect(cycle, grant.granted)
            await self._quota.used(grant, runnable)
        if any(s.follow_ups for s in settlements):
            await self._forward(len(settlements) * 4)

    async def _forward(self, at_most: int) -> None:
        """Pass follow-up jobs on at once; where that fails they are safe, and the keeper goes on trying."""
        try:
            await self._queue.forward(at_most)
        except QueueUnavailableError as error:
            log.error("forward.failed", queue=self.pool.queue, reason=str(error), then="the keeper tries again")

    def _note_lost(self, settlements: Sequence[Settlement], cycle: Cycle) -> None:
        self._lifeline.let_go([s.receipt for s in settlements])
        if self._ledger is not None:
            self._ledger.settled(settlements, cycle.lost)
        if cycle.lost:
            refused = {s.receipt: s for s in settlements}
            for receipt in cycle.lost:
                made = refused[receipt]
                self._count_lost(made.job_id, receipt, made.begun, made.traceparent)

    def _expect(self, cycle: Cycle, want: int) -> None:
        """Judge from an answer whether to ask for more at once, later, or when woken."""
        # Woken since the call was sent: a job has come that the answer doesn't know of.
        is_short = len(cycle.deliveries) < want
        self._expecting = self._woken or (cycle.closed_ms == 0 and not is_short)
        if is_short and (self.pool.groups is not None or self.pool.max_inflight is not None):
            self._is_full = cycle.waiting > 0 and cycle.closed_ms == 0
            self._look_later()
        if cycle.closed_ms:
            wait = PAUSED_LOOK_SECONDS if cycle.closed_ms < 0 else min(cycle.closed_ms / 1000, PAUSED_LOOK_SECONDS)
            self._quota.close_for(wait)

    def _look_later(self) -> None:
        """Look again in a while for what no arrival in the list tells of: room in the queue, or in a group's limits."""
        if not self._looks_later:
            self._looks_later = True
            self._loop.call_later(FULL_LOOK_SECONDS, self._look_now)

    def _look_now(self) -> None:
        self._looks_later = False
        self._look_again()

    def _look_again(self) -> None:
        self._expecting = True
        self._poke.set()

    # A job's way.

    async def _receive(self, cycle: Cycle, *, is_fresh: bool) -> int:
        """Read what was claimed; returns how many of it can be run."""
        by = self.pool.groups.by if self.pool.groups is not None else None
        read = [read_delivery(delivery, self._handlers, self.pool.job, cycle.now, by) for delivery in cycle.deliveries]
        self.stats.claimed += len(read)
        self._lifeline.hold({claimed.receipt: claimed.id for claimed in read})
        affordable = read if self._budget is None else await self._afford(self._budget, read)
        begun = {delivery.receipt for delivery in cycle.deliveries if delivery.is_begun and is_fresh}
        for claimed in affordable:
            if claimed.receipt in begun:
                self._admit(claimed, "start")
            elif self._stopping:
                self._settle(claimed, Release(), started=False)
            else:
                self._admitting.append(claimed)
        return sum(claimed.is_runnable for claimed in affordable)

    async def _afford(self, budget: Budget, read: Sequence[Claimed]) -> list[Claimed]:
        """Reserve what jobs need; those for which a limit has no room go back, and their group or the queue waits."""
        affordable: list[Claimed] = []
        for claimed, refusal in await budget.take(read):
            if refusal is None:
                affordable.append(claimed)
                continue
            release = Release(refusal.wait_ms if refusal.is_of_group else 0)
            self._settle(claimed, release, started=False, quiet=True)
            if not refusal.is_of_group:
                await self._quota.refused(refusal.grant, refusal.wait_ms)
        return affordable

    def _admit(self, claimed: Claimed, admission: str) -> None:
        if admission == "lost":
            self._count_lost(claimed.id, claimed.receipt, claimed.attempt, claimed.traceparent)
            self._let_go(claimed.receipt)
        elif admission == "duplicate" and claimed.refusal is None:
            self._settle(claimed, Duplicate(), started=False)
        elif admission == "cancel":
            self._settle(claimed, Cancel())
        elif claimed.refusal is not None:
            if admission == "duplicate":
                claimed.id = claimed.origin  # its bytes are kept, and the record of the other is left alone
            self._settle(claimed, claimed.refusal)
        elif claimed.put_off_until:
            self._settle(claimed, Defer(max(claimed.put_off_until - self._clock.now(), 0) / 1000, ""))
        elif self._stopping:
            self._settle(claimed, Release())
        else:
            self._begin(claimed)

    def _begin(self, claimed: Claimed) -> None:
        job, policy = claimed.job, self.pool.job
        assert job is not None  # noqa: S101
        attempt = Attempt(
            claimed,
            queue=self._queue,
            queue_name=self.pool.queue,
            loop=self._loop,
            now=self._clock.now,
            max_attempts=_least(policy.max_attempts, job.max_attempts),
            timeout_seconds=_least(policy.timeout_seconds, job.timeout_seconds),
        )
        claimed.span = begin_attempt(attempt)
        if job.time is not None and claimed.entry.attempts == 0:
            now = self._clock.now()
            self.stats.of(job.type).latency.add(max(now - job.time, 0) / 1000, claimed.traceparent, now / 1000)
        self.running[claimed.receipt] = attempt
        attempt.task = self._loop.create_task(attempt.run(self._open_handlers, self._finished))
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def _finished(self, attempt: Attempt) -> None:
        """Judge an attempt that has ended."""
        receipt = attempt.claimed.receipt
        if receipt not in self.running:
            return  # it was given up before, and what it says now is too late
        outcome = attempt.outcome
        if attempt.end is End.LOST or outcome is None:
            self._let_go(receipt)
        else:
            self._judge(attempt, outcome)
        if (span := attempt.claimed.span) is not None:
            span.end(outcome)
        del self.running[receipt]
        # The end of a job is what makes room where as many run as may.
        self._expecting |= self._is_full
        self._poke.set()

    def _let_go(self, receipt: str) -> None:
        """Forget a job whose lease was lost."""
        self._lifeline.let_go([receipt])
        if self._budget is not None:
            self._budget.forget(receipt)

    def _judge(self, attempt: Attempt, outcome: Outcome) -> None:
        policy = self.pool.job
        if attempt.max_attempts != policy.max_attempts:
            policy = policy.model_copy(update={"max_attempts": attempt.max_attempts})
        verdict = judge(outcome, attempt=attempt.attempt, policy=policy, roll=self._roll())
        ran = self._loop.time() - attempt.began
        # A service that lets a job run out of time is as good as down.
        down = attempt.end is End.TIMEOUT or service_down(outcome)
        self._settle(attempt.claimed, verdict, ran=ran, outcome=outcome, down=down, logs=attempt.logs)

    def _settle(
        self,
        claimed: Claimed,
        verdict: Verdict,
        *,
        started: bool = True,
        ran: float | None = None,
        outcome: Outcome | None = None,
        down: bool | None = None,
        logs: bytes = b"",
        quiet: bool = False,
    ) -> None:
        """Settle a job; `ran` is for how many seconds its handler did, and `outcome` what it came to, if it did.

        `down` is what that tells of the service of the job's group, and `logs` what its handler logged.
        """
        name, now = self.pool.queue, self._clock.now()
        made = settlement(claimed, verdict, queue=name, now=now, started=started, ran=ran, service_down=down, logs=logs)
        if self._budget is not None:
            self._budget.settle(claimed, outcome)
        if self._ledger is not None:
            self._ledger.note(claimed, made, now=now, ran=ran)
        self._settlements.append(made)
        self._count(claimed, made, ran, now)
        if not quiet:
            tell_settled(
                made.verb,
                made.job_id,
                verdict,
                queue=self.pool.queue,
                attempt=made.begun,
                seconds=made.seconds,
                traceparent=made.traceparent,
            )
        self._poke.set()

    def _count(self, claimed: Claimed, made: Settlement, ran: float | None, now: int) -> None:
        stats = self.stats.of(claimed.type)
        stats.settled[made.verb] += 1
        if ran is not None:
            stats.attempt.add(ran, made.traceparent, now / 1000)
        if claimed.span is not None:
            claimed.span.settled(made.verb)

    def give_everything_up(self, culprits: Sequence[Attempt]) -> list[Settlement]:
        """Write off what is in hand, as the process is about to end: `culprits` failed, the others are given back."""
        for claimed in self._admitting:
            self._settle(claimed, Release(), started=False)
        for attempt in list(self.running.values()):
            attempt.end = attempt.end or End.RELEASE
            attempt.outcome = attempt.ended(attempt.end)
            if attempt in culprits and attempt.end is not End.LOST:
                message = f"not done within {attempt.timeout_seconds:g} s, and the handler blocked the event loop"
                attempt.outcome = Failed("timeout", message)
            self._finished(attempt)
        return self._settlements

    # Time.

    def _sweep(self) -> None:
        """End what ran out of time, and give up what can't be ended. One timer for all jobs."""
        now = self._loop.time() + 1e-6  # a sum of floats may be a rounding short of the moment that is meant
        for attempt in list(self.running.values()):
            if attempt.end is None:
                if now >= attempt.deadline:
                    attempt.stop(End.TIMEOUT)
            elif now >= attempt.ended_at + self._patience.grace:
                self._give_up(attempt)
        self._sweeping = bool(self.running)
        if self._sweeping:
            self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def _give_up(self, attempt: Attempt) -> None:
        """Settle a job whose handler ignores its cancellation; the process has to end to be rid of it."""
        log.error(
            "handler.stuck",
            queue=self.pool.queue,
            job=attempt.id,
            attempt=attempt.attempt,
            reason=f"the handler went on for {self._patience.grace:g} s after it was cancelled ({attempt.end})",
            then="the runner finishes its other jobs and ends, to be started anew",
            **trace_fields(attempt.claimed.traceparent),
        )
        self.stuck.append(attempt)
        if attempt.end is End.TIMEOUT:
            message = f"not done within {attempt.timeout_seconds:g} s, and the handler ignored its cancellation"
            attempt.outcome = Failed("timeout", message)
        elif attempt.end is not None:
            attempt.outcome = attempt.ended(attempt.end)
        self._finished(attempt)
        if not self._stopping:
            self.stop()


def _least(allowed: Number, asked: Number | None) -> Number:
    """Give a job what it asks for, and no more than its pool allows."""
    return allowed if asked is None or asked > allowed else asked
