"""The rules of the game: whatever producers, runners, keepers and operators may do, in any order."""

import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import uvloop
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pydantic_core import to_json
from tests.contract.model.invariants import check, check_moves
from tests.contract.model.jobs import LOG_LINE, Held, Job, Phase, Setting
from tests.contract.model.limits import ModelLimiter
from tests.contract.model.model import Model
from tests.contract.model.sides import RETENTION, Answer, MemorySide, RedisSide, Side
from tests.contract.model.turns import Turns
from tests.contract.model.view import View, of_model
from tests.contract.world import LEASE_MS, MemoryWorld, RedisWorld

from edworkers.adapters.redis.connection import connect
from edworkers.core.job import read_entry, write_entry
from edworkers.core.lifecycle import State
from edworkers.core.settings import Circuit
from edworkers.ports import Cycle, Enqueue, Settlement, Start

KEYS = {"a": "", "b": "k", "c": "k", "d": "", "": ""}
"""Of each id the unique key: two ids share one."""
GROUPS = ("", "g", "h", "i")
HALF_AN_HOUR_MS = 30 * 60_000
LONGEST_MS = 24 * 86_400_000
"""How much time may pass in all: the month in memory must not end."""
ENDS = ("ack", "ack", "ack", "retry", "retry", "defer", "bury", "bury", "cancel", "release")

CAUSES: dict[bool | None, dict[str, Any]] = {
    True: {"fingerprint": "1c", "cause": b'{"kind":"x","message":"one"}'},
    False: {"fingerprint": "2c", "cause": b'{"kind":"x","message":"two"}'},
    None: {},
}
"""Why jobs are buried; those of a runner of old times don't say."""
LOGS = (b"", b"[%s,%s]" % (LOG_LINE, LOG_LINE))

FAILURES = ("retry", "retry", "bury", "bury", "ack")
"""How jobs end whose service fails most of the time."""

KEPT_SECONDS = (0, RETENTION.result_seconds, RETENTION.dead_seconds)
"""How long to wait before what has ended is trimmed."""

which = st.integers(0, 5)
few = st.integers(1, 3)
runners = st.integers(0, 1)
ids = st.sampled_from(["", "a", "a", "b", "c", "d"])
groups = st.sampled_from(GROUPS)
pushes = st.tuples(ids, groups)
delays = st.sampled_from([0, 0, HALF_AN_HOUR_MS])
flips = st.booleans()
lossy = st.sampled_from([False, False, False, True])
downs = st.sampled_from([True, True, True, False, None])
acts = st.tuples(which, st.sampled_from(ENDS), delays, downs)
circuits = st.builds(
    Circuit, failures=st.integers(1, 2), open_seconds=st.just(15 * 60), max_open_seconds=st.just(40 * 60)
)

SETTINGS = st.one_of(
    st.builds(Setting, max_inflight=st.sampled_from([0, 0, 3]), begins=flips),
    st.builds(
        Setting,
        fair=st.just((True, True)),
        group_max=st.integers(0, 2),
        max_inflight=st.sampled_from([0, 4]),
    ),
    st.builds(Setting, fair=st.just((True, True)), group_max=st.sampled_from([0, 0, 2]), circuit=circuits),
    st.builds(
        Setting, fair=st.just((True, False)), group_max=st.integers(0, 2), circuit=st.none() | circuits, begins=flips
    ),
)

Deed = Callable[[Side], Coroutine[Any, Any, Answer]]
Act = tuple[int, str, int, bool | None]
"""Which job is settled, how, after which delay, and whether its service failed."""


class QueueMachine(RuleBasedStateMachine):
    """Plays every rule in both worlds and in the model, and holds them against each other after each."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.loop = uvloop.new_event_loop()
        client: Any = connect(url)
        self.client = client
        self.loop.run_until_complete(self.client.execute_command("FLUSHALL"))
        self.serial = 0
        self.passed_ms = 0
        self.slack_ms = 1.0
        self.gone: list[tuple[Held, str]] = []
        """What runners held once, and under which id."""
        self.told: dict[str, State | None] = {}
        """In which state the ports have said that each job is."""

    @initialize(setting=SETTINGS, stock=st.lists(pushes, max_size=8), want=st.integers(0, 5))
    def set_up(self, setting: Setting, stock: list[tuple[str, str]], want: int) -> None:
        """Open two worlds that are in the midst of their work."""
        memory, redis = MemoryWorld(), RedisWorld("", self.client)
        self.clock = memory.broker.clock
        self.ticked = self.played = time.time_ns() // 1_000_000
        self.memory = MemorySide(memory, setting)
        self.redis = RedisSide(redis, setting, self.shift)
        self.model = Model(self.clock.now, setting, RETENTION, LEASE_MS)
        self.turns = Turns(self.model)
        self.limits = ModelLimiter(self.clock.now)
        self.before = self.views()
        self.push(stock, urgent=False)
        self.play_sort(0, max(len(stock), 1))
        self.claim(0, want, lost_reply=False, begin=bool(want % 2))

    def teardown(self) -> None:
        self.loop.run_until_complete(self.client.aclose())
        self.loop.close()

    # How a rule is played.

    def tick(self) -> None:
        """Bring the clock in memory to where Redis' is: at least a millisecond after all that was before."""
        while (now := time.time_ns() // 1_000_000) <= self.played:
            pass
        self.clock.advance((now - self.ticked) / 1000)
        self.ticked = self.played = now

    def shift(self) -> int:
        """Say by how many ms the clock in memory is ahead of that of Redis."""
        return self.clock.now() - self.ticked

    def play(self, act: Deed) -> Answer:
        """Do the same in both worlds; returns the answer, which must be the same."""
        self.tick()
        began = time.monotonic()
        in_memory, on_redis = self.loop.run_until_complete(self._both(act))
        self.played = time.time_ns() // 1_000_000
        # Redis comes to do it a little later by its clock than memory does.
        self.slack_ms = max(self.slack_ms, (time.monotonic() - began) * 1000 + 2)
        assert in_memory == on_redis, f"in memory {in_memory}, on Redis {on_redis}"
        return in_memory

    async def _both(self, act: Deed) -> tuple[Answer, Answer]:
        return await act(self.memory), await act(self.redis)

    def play_twice(self, act: Deed, *, lost_reply: bool) -> Answer:
        async def repeated(side: Side) -> Answer:
            return await side.twice(lambda: act(side))

        return self.play(repeated if lost_reply else act)

    def views(self) -> tuple[View, View]:
        async def look() -> tuple[View, View]:
            return await self.memory.view(), await self.redis.view()

        return self.loop.run_until_complete(look())

    # What holds after every rule.

    @invariant()
    def everyone_agrees(self) -> None:
        self._see()
        self._ask()

    def _see(self) -> None:
        began = time.monotonic()
        views = self.views()
        slack_ms = self.slack_ms + (time.monotonic() - began) * 1000
        expected = of_model(self.model)
        for view, before in zip(views, self.before, strict=True):
            check(view, self.model)
            check_moves(before, view, self.model)
            _agree(expected, view, slack_ms)
        self.before = views

    def _ask(self) -> None:
        """Ask by the ports for what has changed since they were last asked."""
        states = {job_id: self.model.state_of(job_id) for job_id in [*KEYS, *self.model.known]}
        states = {
            job_id: state
            for job_id, state in states.items()
            if job_id not in self.told or self.told[job_id] is not state
        }
        self.told.update(states)
        answer = self.play(lambda side: side.look(list(states)))
        assert answer["pending"] == self.model.waiting + len(self.model.arrived)
        assert answer["usage"] == self.limits.used()
        assert sorted(answer["dead_ids"]) == sorted(job_id for job_id in self.model.dead if self.model.find(job_id))
        for job_id, true in states.items():
            told = answer["records"][job_id] and answer["records"][job_id]["state"]
            assert told == true, f"{job_id} is said to be {told} and is {true}"

    # Producers.

    def make(self, job_id: str, group: str) -> Job:
        self.serial += 1
        fields: dict[str, Any] = {"id": job_id, "uniqueKey": KEYS[job_id], "group": group}
        given = {name: value for name, value in fields.items() if value}
        # A decoder would spoil what isn't exactly representable, and what is empty.
        body = to_json({**given, "data": {"n": self.serial}})[:-2] + b',"big":9007199254740993,"l":[],"e":1e400}}'
        return Job(body, job_id, KEYS[job_id], group)

    @rule(named=st.lists(pushes, min_size=1, max_size=4), urgent=flips)
    def push_some(self, named: list[tuple[str, str]], urgent: bool) -> None:  # noqa: FBT001
        self.push(named, urgent=urgent)

    def push(self, named: list[tuple[str, str]], *, urgent: bool) -> None:
        if not named:
            return
        jobs = [self.make(job_id, group) for job_id, group in named]
        self.play(lambda side: side.world.push(*(job.payload for job in jobs), urgent=urgent))
        for job in jobs:
            self.model.push(job, urgent=urgent)

    @rule(job_id=ids.filter(bool), group=groups, delay_ms=delays, urgent=flips, revive=flips)
    def enqueue(self, job_id: str, group: str, delay_ms: int, urgent: bool, revive: bool) -> None:  # noqa: FBT001
        self.enqueue_one(job_id, group, delay_ms, urgent=urgent, revive=revive)

    @precondition(lambda self: not self.model.dead.keys().isdisjoint(KEYS))
    @rule(number=which, group=groups, delay_ms=delays)
    def enqueue_anew(self, number: int, group: str, delay_ms: int) -> None:
        """Enqueue a job whose id a dead one has, which makes way."""
        dead = sorted(set(KEYS) & set(self.model.dead))
        self.enqueue_one(dead[number % len(dead)], group, delay_ms, urgent=False, revive=True)

    def enqueue_one(self, job_id: str, group: str, delay_ms: int, *, urgent: bool, revive: bool) -> None:
        job = self.make(job_id, group)

        def asked(now: int) -> Enqueue:
            due = now + delay_ms if delay_ms else 0
            return Enqueue(job_id, job.payload, job.key, urgent=urgent, due=due, revive=revive)

        self.tick()
        told = asked(self.clock.now())
        # By the clock of Redis it is the same moment.
        shift = self.shift()

        async def enqueue(side: Side) -> Answer:
            due = told.due - (shift if side is self.redis and told.due else 0)
            return await side.control.enqueue([told._replace(due=due)])

        (added,) = self.play(enqueue)
        assert added == self.model.enqueue(job, told)

    # Runners.

    def cycle(
        self,
        runner: int,
        settlements: Sequence[Settlement] = (),
        starts: Sequence[Start] = (),
        want: int = 0,
        *,
        lost_reply: bool = False,
    ) -> None:
        async def call(side: Side) -> Answer:
            async def cycle() -> Cycle:
                return await side.queues[runner].cycle(settlements, starts, want)

            if not lost_reply:
                return _rough(await cycle())
            if side is self.memory:
                # Its token makes a repeat as good as one call; only what became of settlements isn't known any more.
                return _rough((await cycle())._replace(lost=(), circuits=()))
            return _rough(await side.twice(cycle))

        answer: Cycle = self.play(call)
        held = dict(self.model.held)
        expected = self.model.cycle(runner, settlements, starts, answer)
        self.turns.take(runner, want, answer.deliveries)
        if lost_reply:
            expected = expected._replace(lost=(), circuits=())
        expected = expected._replace(waiting=self.model.waiting)
        assert answer == expected, f"answered {answer} where {expected} is expected"
        ids_of = {s.receipt: s.job_id for s in settlements}
        self.gone += [(held[receipt], ids_of[receipt]) for receipt in ids_of if receipt in held]

    @rule(runner=runners, want=st.integers(1, 4), lost_reply=lossy, begin=flips)
    def claim_some(self, runner: int, want: int, lost_reply: bool, begin: bool) -> None:  # noqa: FBT001
        self.claim(runner, want, lost_reply=lost_reply, begin=begin)

    def claim(self, runner: int, want: int, *, lost_reply: bool, begin: bool) -> None:
        """Claim, and ask for what was claimed to be let begin, as a runner does at once unless it is lost.

        Where the answer came late it asks that even for what its claim has let begin.
        """
        before = set(self.model.held)
        self.cycle(runner, want=want, lost_reply=lost_reply)
        claimed = [held for receipt, held in self.model.held.items() if receipt not in before]
        asked = [held for held in claimed if held.phase is Phase.CLAIMED or lost_reply]
        if begin and asked:
            self.cycle(runner, (), [_start(held) for held in asked], lost_reply=lost_reply)

    @precondition(lambda self: self.model.held)
    @rule(act=acts)
    def work(self, act: Act) -> None:
        """Take one job a step further."""
        self.cycle(0, *self._plan([act]))

    @precondition(lambda self: self.model.held)
    @rule(runner=runners, plan=st.lists(acts, min_size=1, max_size=4), want=st.integers(0, 3), lost_reply=lossy)
    def work_on_many(
        self,
        runner: int,
        plan: list[Act],
        want: int,
        lost_reply: bool,  # noqa: FBT001
    ) -> None:
        self.cycle(runner, *self._plan(plan), want, lost_reply=lost_reply)

    def _plan(self, plan: Sequence[Act]) -> tuple[list[Settlement], list[Start]]:
        """Do with jobs that are held what a runner may, each once."""
        settlements: list[Settlement] = []
        starts: list[Start] = []
        left = list(self.model.held.values())
        for number, verb, delay_ms, down in plan[: len(left)]:
            held = left.pop(number % len(left))
            if held.phase is Phase.CLAIMED and verb != "release":
                starts.append(_start(held))
            else:
                settlements.append(self._settlement(held, verb, delay_ms, down))
        return settlements, starts

    def _settlement(self, held: Held, verb: str, delay_ms: int, down: bool | None) -> Settlement:  # noqa: FBT001
        """Settle as a runner does, which says of each job what became of it."""
        match held.phase:
            case Phase.CLAIMED:
                shut_ms = delay_ms if held.job.group else 0
                return _settle(held, "release", started=False, begun=held.job.attempts, shut_ms=shut_ms)
            case Phase.DUPLICATE if verb == "bury":
                # What can't be read is buried, but not in place of another job.
                more = {"body": b'{"kind":"rejected"}', **CAUSES[True]}
                return _settle(held, "bury", job_id=held.origin, begun=held.job.attempts, **more)
            case Phase.DUPLICATE:
                return _settle(held, "duplicate", started=False, begun=held.job.attempts)
            case Phase.CANCELLED:
                return _settle(held, "cancel", begun=held.job.attempts)
            case _:
                return self._end(held, verb, delay_ms, down)

    def _end(
        self,
        held: Held,
        verb: str,
        delay_ms: int,
        down: bool | None,  # noqa: FBT001
        *,
        logs: bool = False,
    ) -> Settlement:
        more: dict[str, Any] = {"seconds": 0.25, "logs": LOGS[logs or delay_ms > 0]}
        if verb in {"ack", "retry", "bury"}:
            more["service_down"] = False if verb == "ack" else down
        if verb == "ack" and held.id in {"a", "b"}:
            follow = self.make("d", held.job.group)
            raw = b"work d\n" + follow.payload
            self.model.jobs.append(follow)
            more |= {"body": b'{"x":[]}', "follow_ups": (raw,)}
        elif verb in {"retry", "defer", "bury"}:
            more |= {"body": b'{"kind":"x"}'}
        if verb == "bury":
            more |= CAUSES[down]
        if verb in {"retry", "defer"}:
            gate_ms = delay_ms if verb == "defer" and held.id == "c" else 0
            more |= {"delay_ms": delay_ms, "gate_ms": gate_ms, "attempts": held.job.attempts + (verb == "retry")}
        return _settle(held, verb, **more)

    @rule(
        job_id=ids,
        group=groups,
        verbs=st.lists(st.sampled_from(FAILURES), min_size=1, max_size=3),
        down=downs,
        logs=flips,
    )
    def take_to_its_end(self, job_id: str, group: str, verbs: list[str], down: bool | None, logs: bool) -> None:  # noqa: FBT001
        """Push a job, and let its attempts end one after the other, as far as it comes to be claimed."""
        self.push([(job_id, group)], urgent=False)
        pushed = self.model.jobs[-1]
        for verb in verbs:
            self.everyone_agrees()
            self._keep(10, "promote", 0, lost_reply=False)  # what is tried again at once is due
            self.everyone_agrees()
            self.play_sort(0, len(self.model.pending) + len(self.model.arrived))
            self.claim(0, 4, lost_reply=False, begin=True)
            for held in [*self.model.held.values()]:
                if held.job is pushed and held.phase is Phase.STARTED:
                    self.cycle(0, [self._end(held, verb, 0, down, logs=logs)])

    @rule(named=st.lists(pushes, min_size=2, max_size=4), down=downs, at_most=few)
    def bury_and_forget(self, named: list[tuple[str, str]], down: bool | None, at_most: int) -> None:  # noqa: FBT001
        """Push jobs and bury what can be begun; forget a few of all dead when their time has passed."""
        self.push(named, urgent=False)
        self.play_sort(0, len(self.model.pending) + len(self.model.arrived))
        self.everyone_agrees()
        self.claim(0, 4, lost_reply=False, begin=True)
        for held in [*self.model.held.values()]:
            if held.phase is Phase.STARTED:
                self.cycle(0, [self._end(held, "bury", 0, down)])
        self.everyone_agrees()
        if self.model.dead:
            self.let_pass(RETENTION.dead_seconds * 1000)
            self._keep(at_most, "trim", 1, lost_reply=False)

    @precondition(lambda self: self.model.setting.circuit)
    @rule(group=groups.filter(bool), ends=st.lists(st.sampled_from(FAILURES), min_size=1, max_size=3))
    def use_a_service(self, group: str, ends: list[str]) -> None:
        """Push jobs of a group, and let its service fail for those that are begun, or work."""
        self.push([("", group)] * (len(ends) + 1), urgent=False)
        self.play_sort(0, len(self.model.pending) + len(self.model.arrived))
        self.everyone_agrees()
        self.claim(0, len(ends) + 1, lost_reply=False, begin=True)
        self.everyone_agrees()
        started = [held for held in self.model.held.values() if held.group == group and held.phase is Phase.STARTED]
        for held, verb in zip(started, ends, strict=False):
            self.cycle(0, [self._end(held, verb, 0, down=True)])

    @precondition(lambda self: self.model.circuits.failing.keys() & self.model.circuits.shut.keys())
    @rule(want=few)
    def try_again(self, want: int) -> None:
        """Let the time of the circuit pass that is open for longest, and claim."""
        now, circuits = self.clock.now(), self.model.circuits
        open_ms = max(circuits.shut[group] - now for group in circuits.failing if group in circuits.shut)
        # By whole minutes: what happens next mustn't hang on how fast the machine is.
        self.let_pass(max(-(-open_ms // 60_000), 1) * 60_000)
        self.claim(0, want, lost_reply=False, begin=True)

    @precondition(lambda self: self.gone and not self.model.arrived)
    @rule(number=which, verb=st.sampled_from(["start", "start", "start", *ENDS, "duplicate"]))
    def speak_too_late(self, number: int, verb: str) -> None:
        """A runner that lost its job, or settled it before, is refused and changes nothing at all."""
        held, job_id = self.gone[-1 - number % len(self.gone)]
        before = self.views()
        if verb == "start":
            self.cycle(held.runner, (), [_start(held)])
        else:
            follow_ups = (b"work x\n{}",) if verb == "ack" else ()
            self.cycle(held.runner, [_settle(held, verb, job_id=job_id, body=b"{}", follow_ups=follow_ups)])
        self._expect_unchanged(before)

    def _expect_unchanged(self, before: tuple[View, View]) -> None:
        for view, old in zip(self.views(), before, strict=True):
            _agree(old, view, self.slack_ms * 3)

    @precondition(lambda self: self.model.held or self.gone)
    @rule(runner=runners, picks=st.lists(which, max_size=3))
    def renew(self, runner: int, picks: list[int]) -> None:
        """A runner renews what it holds, and tells of what it has lost since that it holds it."""
        mine = {receipt: held for receipt, held in self.model.held.items() if held.runner == runner}
        all_mine = [*((held, held.id) for held in mine.values()), *self.gone]
        chosen = (
            {held.receipt: job_id for held, job_id in (all_mine[pick % len(all_mine)] for pick in picks)}
            if all_mine
            else {}
        )
        lost, cancelled = self.play(lambda side: side.renew(runner, chosen))
        assert lost == [receipt for receipt in chosen if receipt not in self.model.held]
        assert cancelled == [job_id for job_id in chosen.values() if job_id in self.model.cancels]
        for receipt in chosen:
            if receipt in self.model.held:
                self.model.held[receipt].deadline = self.clock.now() + LEASE_MS

    @precondition(lambda self: self.model.pending or self.model.arrived)
    @rule(runner=runners)
    def wake(self, runner: int) -> None:
        """A job wakes a runner that waits; one that has been woken and is full lets another have it."""
        if self.model.arrived:
            self.play(lambda side: side.queues[runner].hand_back())
            self.model.hand_back()
        elif self.play(lambda side: side.wake()):
            self.model.arrived.append(self.model.pending.pop())

    @precondition(lambda self: self.model.held or self.gone)
    @rule(number=which, late=flips)
    def report_progress(self, number: int, late: bool) -> None:  # noqa: FBT001
        started = [held for held in self.model.held.values() if held.phase is Phase.STARTED]
        holders = [held for held, _ in self.gone] if late else started
        if not holders:
            return
        held = holders[number % len(holders)]
        kept = self.play(lambda side: side.queues[0].report_progress(held.id, held.receipt, b'{"fraction":0.5}'))
        assert kept == (held.receipt in self.model.held)

    # Keepers.

    def _keep(self, at_most: int, verb: str, runner: int, *, lost_reply: bool) -> None:
        answer = self.play_twice(lambda side: getattr(side.queues[runner], verb)(at_most), lost_reply=lost_reply)
        for _ in range(1 + lost_reply):
            expected = getattr(self.model, verb)(at_most)
        assert answer == expected

    @rule(at_most=few, runner=runners, lost_reply=lossy, dying=flips)
    def reap(self, at_most: int, runner: int, lost_reply: bool, dying: bool) -> None:  # noqa: FBT001
        """Take back what was lost; most of the time something has been."""
        if dying:
            self.play(lambda side: side.world.expire_leases())
            for dying_one in self.model.held.values():
                dying_one.deadline -= 10**9
        held = dict(self.model.held)
        # What two calls take back within a millisecond would have no order that is known.
        self._keep(100 if lost_reply else at_most, "reap", runner, lost_reply=lost_reply)
        self.gone += [(held[receipt], held[receipt].id) for receipt in held if receipt not in self.model.held]

    @precondition(lambda self: self.model.delayed)
    @rule(at_most=few, lost_reply=lossy, waiting=flips)
    def promote(self, at_most: int, lost_reply: bool, waiting: bool) -> None:  # noqa: FBT001
        """Put what is due back in the list; most of the time something is."""
        if waiting:
            self.let_pass(HALF_AN_HOUR_MS)
        self._keep(at_most, "promote", 0, lost_reply=lost_reply)

    @precondition(lambda self: self.model.finished or self.model.dead)
    @rule(at_most=st.sampled_from([1, 2, 10]), wait_seconds=st.sampled_from(KEPT_SECONDS))
    def trim(self, at_most: int, wait_seconds: int) -> None:
        """Forget; no reply is lost, as the records named in one that is stay until they expire."""
        if wait_seconds:
            self.let_pass(wait_seconds * 1000)
        self._keep(at_most, "trim", 1, lost_reply=False)

    @rule(runner=runners)
    def repair(self, runner: int) -> None:
        """What is whole has nothing to be repaired, and is left alone."""
        assert self.play(lambda side: side.queues[runner].repair(100)) == self.model.repair(runner)

    @precondition(lambda self: any(self.model.setting.fair) and (self.model.pending or self.model.arrived))
    @rule(at_most=st.integers(1, 6), runner=runners)
    def sort(self, at_most: int, runner: int) -> None:
        self.play_sort(runner, at_most)

    def play_sort(self, runner: int, at_most: int) -> None:
        answer = self.play(lambda side: side.queues[runner].sort(at_most))
        assert answer == self.model.sort(runner, at_most)

    @precondition(lambda self: self.model.outbox)
    @rule(at_most=few, lost_reply=lossy)
    def forward(self, at_most: int, lost_reply: bool) -> None:  # noqa: FBT001
        if lost_reply:
            # A keeper that dies between its two steps has sent what it hasn't taken off the list.
            raw, job = self.model.outbox[-1]
            asked = Enqueue("d", raw.partition(b"\n")[2], revive=False)
            self.play(lambda side: side.control.enqueue([asked]))
            self.model.forward_one(raw, job)
        answer = self.play(lambda side: side.queues[0].forward(at_most))
        assert answer == self.model.forward(at_most)

    # Operators.

    @rule(job_id=ids.filter(bool))
    def cancel(self, job_id: str) -> None:
        answer = self.play(lambda side: side.control.cancel(job_id))
        assert answer == self.model.cancel(job_id)

    @rule(paused=st.sampled_from([False, False, True]))
    def pause(self, paused: bool) -> None:  # noqa: FBT001
        answer = self.play(lambda side: side.control.pause(paused=paused))
        assert answer == self.model.pause(paused=paused)

    @precondition(lambda self: self.model.dead)
    @rule(number=which)
    def replay(self, number: int) -> None:
        job_id = self._dead_id(number)
        answer = self.play(lambda side: side.control.replay(job_id))
        assert answer == self.model.replay(job_id)

    @precondition(lambda self: self.model.dead)
    @rule(number=which, group=groups)
    def edit(self, number: int, group: str) -> None:
        """Replay a dead job as another, which has its id: of what has been buried under its receipt, none."""
        job_id = self._dead_id(number)
        known = self.model.find(job_id)
        job = self.make(job_id if known is not None and known.job.id == job_id else "", group)
        answer = self.play(lambda side: side.control.edit(job_id, job.payload, job.key))
        assert answer == self.model.replay(job_id, job)

    @precondition(lambda self: self.model.dead)
    @rule(number=which)
    def drop(self, number: int) -> None:
        job_id = self._dead_id(number)
        answer = self.play(lambda side: side.control.drop(job_id))
        assert answer == self.model.drop(job_id)

    def _dead_id(self, number: int) -> str:
        """Pick a dead job, or once in a while an id that isn't dead."""
        return [*self.model.dead, "a"][number % (len(self.model.dead) + 1)]

    # Limits and time.

    @rule(count=few, number=which, giving_back=flips)
    def use_quota(self, count: int, number: int, giving_back: bool) -> None:  # noqa: FBT001
        if not giving_back:
            answer = self.play(lambda side: side.reserve(count))
            assert answer == self.limits.reserve(count)
        elif self.limits.reserved:
            chosen = number % len(self.limits.reserved)
            self.play(lambda side: side.refund(chosen, count))
            self.limits.refund(chosen, count)

    @rule(minutes=st.sampled_from([5, 15, 60, 180, 20 * 60]))
    def let_time_pass(self, minutes: int) -> None:
        self.let_pass(minutes * 60_000)

    def let_pass(self, milliseconds: int) -> None:
        until = self.clock.now() + milliseconds
        # A job is remembered while it waits for as long as dead letters are kept, and no longer; and what has ended
        # has to be trimmed within a day after its time.
        if any(known.expires is not None and known.expires <= until for known in self.model.known.values()):
            return
        if self.passed_ms + milliseconds > LONGEST_MS:
            return
        self.passed_ms += milliseconds
        self.play(lambda side: side.world.advance(milliseconds / 1000))


def _agree(expected: View, view: View, slack_ms: float) -> None:
    """Hold two looks against each other."""
    for name in View.__slots__:
        if name != "times":
            is_, should = getattr(view, name), getattr(expected, name)
            assert is_ == should, f"{name}: {is_} where {should} is expected"
    assert view.times.keys() == expected.times.keys(), f"times: {view.times} where {expected.times} are expected"
    for name, at in expected.times.items():
        assert abs(view.times[name] - at) <= slack_ms, f"{name}: {view.times[name] - at} ms apart"


def _rough(cycle: Cycle) -> Cycle:
    """Tell of how long a queue is closed, and until when a job was put off, only whether it is."""
    rough = [delivery._replace(raw=_timeless(delivery.raw)) for delivery in cycle.deliveries]
    closed = (cycle.closed_ms > 0) - (cycle.closed_ms < 0)
    return cycle._replace(closed_ms=closed, deliveries=tuple(rough), now=0)


def _timeless(raw: bytes) -> bytes:
    entry = read_entry(raw)
    return write_entry(entry._replace(due=int(entry.due > 0)))


def _start(held: Held) -> Start:
    return Start(held.receipt, held.id, held.origin, held.job.attempts + 1, held.job.key)


def _settle(held: Held, verb: str, *, job_id: str = "", **more: Any) -> Settlement:
    usual = {"attempts": held.job.attempts, "begun": held.job.attempts + 1}
    return Settlement(
        held.receipt, job_id or held.id, held.origin, verb, **{**usual, "unique_key": held.job.key, **more}
    )
