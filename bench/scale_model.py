"""A school day of many jobs, simulated: how long they wait, how many pods it takes, how busy Redis is.

    python bench/scale_model.py

Queues fill by a school's timetable and are emptied by pools that scale as KEDA and the HorizontalPodAutoscaler do. The
hot queue is in one piece or in partitions, which are queues of their own; each lies on the Redis node that has the hash
slot of its name, which is simply numbered or chosen for its node. Jobs are a fluid: what arrives, waits and runs are
numbers, stepped by five seconds, with a noise that comes from a seed. docs/scaling.md says where each figure below is
from, and shows what this prints.
"""

import itertools
import math
import random
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from redis.crc import key_slot

from edworkers.core.keys import QueueKeys

DAY = 86_400
STEP = 5
"""Seconds of a step."""
SLOTS_OF_CLUSTER = 16_384

JOB_US = 50.0
"""Processor time of Redis for a job, from LPUSH to the end of its record (microseconds)."""
MOST_BUSY = 0.8
"""Part of a node's one thread that may be used; the rest is for everything else that asks it."""

POLL_SECONDS = 5
"""KEDA's pollingInterval: how often it looks whether to leave zero."""
HPA_SECONDS = 15
COOLDOWN_SECONDS = 60
STABLE_SECONDS = 300
"""For how long the HPA must have wanted fewer pods before it takes any."""
TOLERANCE = 0.1
POD_SECONDS = 10
"""From the decision to have a pod until it claims."""
HEADROOM = 1.3
"""How much more than the usual peak maxReplicas allows."""

HOURS = (2, 1, 1, 1, 1, 3, 10, 45, 100, 95, 90, 92, 80, 60, 50, 55, 60, 62, 58, 50, 40, 25, 12, 5)
"""How busy each hour of the day is, beside the busiest."""
BELL_SECONDS = 300
"""How long after a lesson's start twice as much is asked."""
LESSONS = range(8, 13)


@dataclass(frozen=True, slots=True)
class Kind:
    """A queue, and what its jobs are like."""

    name: str
    share: float
    """Of all jobs."""
    seconds: float
    """How long a job runs."""
    slots: int
    """Of a pod."""


KINDS = (
    Kind("ai", 0.10, 4.0, 40),
    Kind("webhook", 0.60, 0.15, 50),
    Kind("document", 0.02, 6.0, 2),
    Kind("email", 0.27, 0.4, 20),
    Kind("scheduled", 0.01, 2.0, 4),
)
HOT = "webhook"


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is simulated."""

    jobs: int
    """A day."""
    partitions: int = 1
    """Of the hot queue."""
    nodes: int = 1
    """Of Redis."""
    chosen: bool = False
    """Whether partitions have names whose hash slots spread them, and not just numbers from 0."""
    seed: int = 1


def load(second: int) -> float:
    """Tell how busy a second of the day is beside the day's mean."""
    return _raw(second % DAY) / _MEAN


def _raw(second: int) -> float:
    hour, into = divmod(second, 3600)
    after = HOURS[(hour + 1) % 24]
    level = HOURS[hour] + (after - HOURS[hour]) * into / 3600
    return level * (2 if hour in LESSONS and into < BELL_SECONDS else 1)


_MEAN = sum(_raw(second) for second in range(0, DAY, STEP)) * STEP / DAY
PEAK = max(load(second) for second in range(0, DAY, STEP))


def pods_by_littles_law(rate: float, seconds: float, slots: int) -> int:
    """Give how many pods work off so many jobs a second: as many jobs run at once as arrive while one does."""
    return math.ceil(rate * seconds / slots)


def node_of(queue: str, nodes: int) -> int:
    """Give the node that has a queue's keys, where each has an equal share of the hash slots."""
    return key_slot(QueueKeys(queue).pending.encode()) * nodes // SLOTS_OF_CLUSTER


def partition_names(queue: str, partitions: int, nodes: int) -> list[str]:
    """Choose names for a queue's partitions, each with a slot of the node that has the least to do by then.

    The numbers in them have gaps. As all partitions are alike, no other choice leaves the busiest node less to do.
    """
    loads = [0.0] * nodes
    for kind in KINDS:
        if kind.name != queue:
            loads[node_of(kind.name, nodes)] += kind.share
    share = next(kind.share for kind in KINDS if kind.name == queue) / partitions
    numbers: list[Iterator[int]] = [itertools.count() for _ in range(nodes)]
    names: list[str] = []
    for _ in range(partitions):
        node = loads.index(min(loads))
        loads[node] += share
        names.append(next(name for n in numbers[node] if node_of(name := f"{queue}-{n}", nodes) == node))
    return names


@dataclass(slots=True)
class Pool:
    """The pods of one queue, scaled as KEDA and the HPA scale them."""

    slots: int
    most: int
    ready: int = 0
    wanted: int = 0
    _starting: deque[tuple[int, int]] = field(default_factory=deque[tuple[int, int]])
    _recent: deque[tuple[int, int]] = field(default_factory=deque[tuple[int, int]])
    _busy_at: int = -DAY

    def step(self, now: int, length: float) -> None:
        """Let pods come up whose time has come, and look at the queue where it is time to look."""
        while self._starting and self._starting[0][0] <= now:
            self.ready += self._starting.popleft()[1]
        if length >= 1:
            self._busy_at = now
        if self.wanted == 0:
            if length >= 1 and now % POLL_SECONDS == 0:
                self._add(now, 1)
        elif now - self._busy_at >= COOLDOWN_SECONDS:
            self._take(self.wanted)
        elif now % HPA_SECONDS == 0:
            self._scale(now, length)

    def _scale(self, now: int, length: float) -> None:
        is_near = abs(length / self.slots / self.wanted - 1) <= TOLERANCE
        asked = self.wanted if is_near else max(math.ceil(length / self.slots), 1)
        self._recent.append((now, asked))
        while self._recent[0][0] <= now - STABLE_SECONDS:
            self._recent.popleft()
        asked = min(asked, self.most, max(self.wanted * 2, self.wanted + 4))
        if asked > self.wanted:
            self._add(now, asked - self.wanted)
        elif (lasting := max(number for _, number in self._recent)) < self.wanted:
            self._take(self.wanted - lasting)

    def _add(self, now: int, count: int) -> None:
        self.wanted += count
        self._starting.append((now + POD_SECONDS, count))

    def _take(self, count: int) -> None:
        self.wanted -= count
        while count and self._starting:
            at, coming = self._starting.pop()
            stay = max(coming - count, 0)
            count -= coming - stay
            if stay:
                self._starting.append((at, stay))
        self.ready -= count


@dataclass(slots=True)
class Queue:
    """One queue or partition, in the midst of the day."""

    kind: Kind
    share: float
    node: int
    pool: Pool
    waiting: float = 0.0
    running: float = 0.0
    arrived: float = 0.0
    done: float = 0.0
    arrivals: list[float] = field(default_factory=list[float])
    begins: list[float] = field(default_factory=list[float])

    def room(self) -> float:
        """Give how many jobs its pods could begin within a step, so that no more run at its end than have a slot."""
        lasting, staying = self._fates()
        return max(self.pool.ready * self.kind.slots - self.running * lasting, 0) / staying

    def _fates(self) -> tuple[float, float]:
        """Give which part of the jobs that run lasts beyond a step, and which part of those that begin in it.

        Jobs begin evenly over the step, and how long they run is spread exponentially around their mean.
        """
        lasting = math.exp(-STEP / self.kind.seconds)
        return lasting, (1 - lasting) * self.kind.seconds / STEP

    def arrive(self, jobs: float) -> None:
        self.waiting += jobs
        self.arrived += jobs
        self.arrivals.append(jobs)

    def work(self, begun: float) -> float:
        """Begin so many jobs; returns how many end in this step."""
        lasting, staying = self._fates()
        before, self.running = self.running + begun, self.running * lasting + begun * staying
        ended = before - self.running
        self.waiting -= begun
        self.done += ended
        self.begins.append(begun)
        return ended


@dataclass(frozen=True, slots=True)
class Day:
    """What came out."""

    scenario: Scenario
    queues: Sequence[Queue]
    deepest: float
    """The most that waited in one queue."""
    pods: int
    """The most pods of all pools at once."""
    busiest: float
    """The most that a node's thread was used, 1 being all of it."""

    def waits(self) -> list[tuple[float, float]]:
        """List how many seconds jobs waited, and how many jobs did; the shortest first. Below a step it is 0."""
        return sorted(wait for queue in self.queues for wait in _waits(queue))

    def p99(self) -> float:
        """Give below how many seconds 99 of 100 jobs waited."""
        waits = self.waits()
        left = sum(count for _, count in waits) * 0.99
        for wait, count in waits:
            left -= count
            if left <= 0:
                return wait
        return waits[-1][0]


def _waits(queue: Queue) -> Iterator[tuple[float, float]]:
    """Give for what arrived in each step how long it waited: first come, first served."""
    arrived = begun = 0.0
    at = 0
    for step, jobs in enumerate(queue.arrivals):
        arrived += jobs
        while begun < arrived - 0.5 and at < len(queue.begins):
            begun += queue.begins[at]
            at += 1
        if jobs:
            yield max(at - 1 - step, 0) * STEP, jobs


def queues_of(scenario: Scenario) -> list[Queue]:
    """Make the day's queues, the hot one in its partitions, each with a pool that is large enough for its peak."""
    made: list[Queue] = []
    for kind in KINDS:
        names = [kind.name]
        if kind.name == HOT and scenario.chosen:
            names = partition_names(HOT, scenario.partitions, scenario.nodes)
        elif kind.name == HOT and scenario.partitions > 1:
            names = [f"{HOT}-{part}" for part in range(scenario.partitions)]
        parts = len(names)
        for name in names:
            rate = scenario.jobs / DAY * PEAK * kind.share / parts
            most = pods_by_littles_law(rate * HEADROOM, kind.seconds, kind.slots) + 1
            made.append(Queue(kind, kind.share / parts, node_of(name, scenario.nodes), Pool(kind.slots, most)))
    return made


def simulate(scenario: Scenario, queues: Sequence[Queue] | None = None, loads: Iterable[float] | None = None) -> Day:
    """Play a day; `loads` is how busy each step is beside the mean, by default that of a school."""
    queues = queues_of(scenario) if queues is None else queues
    rng = random.Random(scenario.seed)
    by_node = [[queue for queue in queues if queue.node == node] for node in range(scenario.nodes)]
    deepest, pods, busiest = 0.0, 0, 0.0
    steps = loads if loads is not None else (load(second) for second in range(0, DAY, STEP))
    for number, level in enumerate(steps):
        now = number * STEP
        mean = scenario.jobs / DAY * level * STEP
        for queue in queues:
            expected = mean * queue.share
            queue.arrive(max(rng.gauss(expected, math.sqrt(expected)), 0.0))
            queue.pool.step(now, queue.waiting + queue.running)
        for mine in by_node:
            busiest = max(busiest, _work(mine))
        deepest = max(deepest, *(queue.waiting for queue in queues))
        pods = max(pods, sum(queue.pool.ready for queue in queues))
    return Day(scenario, queues, deepest, pods, busiest)


def _work(queues: Sequence[Queue]) -> float:
    """Let the queues of one node work for a step, and no more than it can bear; returns how much of it they used."""
    begins = [min(queue.waiting, queue.room()) for queue in queues]
    used = sum(begins) * JOB_US / 1e6 / STEP
    part = min(MOST_BUSY / used, 1) if used else 1
    for queue, begun in zip(queues, begins, strict=True):
        queue.work(begun * part)
    return used * part


SCENARIOS = (
    Scenario(1_000_000),
    Scenario(10_000_000),
    Scenario(100_000_000),
    Scenario(100_000_000, partitions=4, nodes=3),
    Scenario(100_000_000, partitions=8, nodes=6),
    Scenario(1_000_000_000),
    Scenario(1_000_000_000, partitions=8, nodes=6),
    Scenario(1_000_000_000, partitions=32, nodes=6),
    Scenario(1_000_000_000, partitions=8, nodes=6, chosen=True),
)


_COLUMNS = (
    *(
        "jobs a day",
        "partitions of `webhook`",
        "Redis nodes",
        "jobs a second, mean / peak",
        "most that wait in one queue",
    ),
    *("wait, p99 / longest", "pods at the peak", "busiest Redis node"),
)


def _head(columns: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]


def table(scenarios: Sequence[Scenario] = SCENARIOS) -> list[str]:
    """Simulate each, and write what came out as a table."""
    lines = _head(_COLUMNS)
    for scenario in scenarios:
        day = simulate(scenario)
        mean = scenario.jobs / DAY
        parts = f"{scenario.partitions}{', chosen' if scenario.chosen else ''}"
        longest = day.waits()[-1][0]
        lines.append(
            f"| {scenario.jobs:,} | {parts} | {scenario.nodes} | {mean:,.0f} / {mean * PEAK:,.0f}"
            f" | {day.deepest:,.0f} | {_seconds(day.p99())} / {_seconds(longest)}"
            f" | {day.pods:,} | {day.busiest:.0%} |"
        )
    return lines


def _seconds(seconds: float) -> str:
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds:.0f} s" if seconds else f"under {STEP} s"


def pods_table(jobs: int) -> list[str]:
    """Write what Little's law says of each queue at the peak of a day of so many jobs."""
    lines = _head(("queue", "jobs a second at the peak", "seconds a job", "run at once", "slots a pod", "pods"))
    for kind in KINDS:
        rate = jobs / DAY * PEAK * kind.share
        pods = pods_by_littles_law(rate, kind.seconds, kind.slots)
        lines.append(
            f"| `{kind.name}` | {rate:,.0f} | {kind.seconds:g} | {rate * kind.seconds:,.0f} | {kind.slots} | {pods:,} |"
        )
    return lines


def main() -> None:
    """Print both tables."""
    print("\n".join(pods_table(100_000_000)))
    print()
    print("\n".join(table()))


if __name__ == "__main__":
    main()
