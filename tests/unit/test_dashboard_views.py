"""Queues are read once for all who look; one that can't be read hides no other."""

import asyncio
from collections.abc import Sequence

import pytest

from edworkers.core.errors import QueueUnavailableError
from edworkers.core.lifecycle import State
from edworkers.core.settings import PoolSpec
from edworkers.ports import Depths, Usage
from edworkers.ports.books import Sample
from edworkers.ports.browse import JobPage, JobSummary
from edworkers.server.dashboard import live
from edworkers.server.dashboard.views import Views
from edworkers.server.platform import Platform, ServedQueue
from edworkers.server.sampler import Sampler, sample

NOW = 1_800_000_000_000


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> int:
        return NOW + round(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds


class World:
    """One queue, its browser and the books, each as small as it can be."""

    def __init__(self) -> None:
        self.reads = 0
        self.is_away = False
        self.counts = {"ack": 10, "retry": 1, "bury": 2}
        self.ended: list[JobSummary] = []
        self.samples: list[Sample] = []
        self.clock = Clock()

    async def depths(self) -> Depths:
        await asyncio.sleep(0)
        self.reads += 1
        if self.is_away:
            raise QueueUnavailableError("Redis can't be used")
        return Depths("ai", 4, 1, 0, 2, False, False, 0, 1, dict(self.counts))  # noqa: FBT003

    async def page(self, state: State, _cursor: str | None, _count: int) -> JobPage:
        return JobPage(self.ended if state is State.DONE else self._dead(), 2, None)

    def _dead(self) -> list[JobSummary]:
        causes = ["refused", "refused", "slow"]
        jobs = [JobSummary(f"d{n}", State.DEAD, at=NOW - n, error_message=cause) for n, cause in enumerate(causes)]
        return [*jobs, JobSummary("old", State.DEAD, at=NOW - 7_200_000, error_message="slow")]

    async def add_sample(self, _queue: str, taken: Sample) -> None:
        self.samples.append(taken)

    async def series(self, _queue: str, _since: int, _until: int) -> Sequence[Sample]:
        return self.samples

    async def usage(self) -> Sequence[Usage]:
        return []

    @property
    def served(self) -> ServedQueue:
        spec = PoolSpec(queue="ai", handlers="edworkers.handlers.ai")
        return ServedQueue(spec, self, self, self.usage)  # type: ignore[arg-type]

    @property
    def platform(self) -> Platform:
        queues = {"ai": self.served}
        return Platform(lambda: queues, self, self.clock, lambda: "x", explain=lambda error: f"{error}; check")  # type: ignore[arg-type]


async def test_a_queue_is_read_once_for_all_who_look_at_the_same_time() -> None:
    world = World()
    views = Views(world.platform)
    seen = await asyncio.gather(*(views.one("ai", world.served) for _ in range(20)))
    assert world.reads == 1
    assert all(view is seen[0] for view in seen)
    world.clock.seconds += 1
    await views.one("ai", world.served)
    assert world.reads == 2


async def test_one_who_goes_away_takes_nothing_from_the_others() -> None:
    world = World()
    views = Views(world.platform)
    first = asyncio.ensure_future(views.one("ai", world.served))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(views.one("ai", world.served))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).depths is not None


async def test_the_cause_of_most_deaths_of_the_last_hour_is_told() -> None:
    world = World()
    deaths = (await Views(world.platform).one("ai", world.served)).deaths
    assert (deaths.jobs, deaths.message, deaths.same, deaths.is_more) == (3, "refused", 2, False)


async def test_a_queue_that_cannot_be_read_says_what_to_do_and_is_read_again_at_once() -> None:
    world = World()
    views = Views(world.platform)
    world.is_away = True
    assert (await views.one("ai", world.served)).fault == "Redis can't be used; check"
    with pytest.raises(QueueUnavailableError):
        await views.all({"ai": world.served})
    world.is_away = False
    assert (await views.one("ai", world.served)).fault is None


async def test_a_stream_tells_only_what_has_changed_and_why_nothing_comes() -> None:
    stopping = asyncio.Event()
    answers: list[dict[str, str] | QueueUnavailableError] = [
        {"live_a": "1", "live_b": "2"},
        {"live_a": "1", "live_b": "3"},
        QueueUnavailableError("away"),
        {"live_a": "1", "live_b": "3"},
    ]

    async def collect() -> dict[str, str]:
        answer = answers.pop(0)
        if not answers:
            stopping.set()
        if isinstance(answer, QueueUnavailableError):
            raise answer
        return answer

    chunks = [bytes(chunk) async for chunk in live.stream(collect, 0.001, stopping, str).body_iterator]  # type: ignore[arg-type]
    assert chunks[1:] == [
        b'event: blocks\ndata: {"live_a":"1","live_b":"2"}\n\n',
        b'event: blocks\ndata: {"live_b":"3"}\n\n',
        b'event: away\ndata: {"message":"away"}\n\n',
        b'event: blocks\ndata: {"live_a":"1","live_b":"3"}\n\n',
        b"event: stopping\ndata: {}\n\n",
    ]


async def test_a_stream_without_changes_gives_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.002)
    stopping = asyncio.Event()
    looks = 0

    async def collect() -> dict[str, str]:
        nonlocal looks
        looks += 1
        if looks == 5:
            stopping.set()
        return {"live_a": "1"}

    chunks = [bytes(chunk) async for chunk in live.stream(collect, 0.001, stopping, str).body_iterator]  # type: ignore[arg-type]
    assert chunks.count(b'event: blocks\ndata: {"live_a":"1"}\n\n') == 1
    assert chunks.count(b": still here\n\n") == 2


async def test_a_stream_ends_after_a_while_so_that_the_page_asks_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LONGEST_SECONDS", 0.003)

    async def collect() -> dict[str, str]:
        return {"live_a": "1"}

    answer = live.stream(collect, 0.001, asyncio.Event(), str)
    chunks = [bytes(chunk) async for chunk in answer.body_iterator]  # type: ignore[arg-type]
    assert chunks[-1] == b"event: again\ndata: {}\n\n"


async def test_samples_tell_what_has_become_of_jobs_since_the_one_before() -> None:
    world = World()
    sampler = Sampler(world.platform)
    assert await sampler.take_all() == []
    world.clock.seconds = 10
    world.counts |= {"ack": 15, "retry": 3, "bury": 3}
    at = NOW + 5000
    world.ended = [JobSummary(f"j{n}", State.DONE, at=at, seconds=0.5, waited_ms=100 * n) for n in range(1, 21)]
    world.ended.append(JobSummary("before", State.DONE, at=NOW - 1, waited_ms=9_000_000))
    await sampler.take_all()
    first, second = world.samples
    assert (first.done, first.failed, first.latency_ms) == (0, 0, None)
    assert (second.at - first.at, second.done, second.failed, second.arrived) == (10_000, 5, 3, 8)
    assert (second.latency_ms, second.slow_ms, second.ran_ms) == (1100, 2000, 500)


async def test_a_queue_that_is_away_has_no_sample_and_is_named() -> None:
    world = World()
    world.is_away = True
    assert await Sampler(world.platform).take_all() == ["ai"]
    assert world.samples == []


async def test_counters_that_somebody_emptied_count_as_nothing() -> None:
    world = World()
    before = await world.depths()
    world.counts.clear()
    taken = sample(NOW + 10_000, before, await world.depths(), [])
    assert (taken.done, taken.failed, taken.arrived) == (0, 0, 0)
