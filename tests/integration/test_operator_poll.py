"""What is asked again and again, in a time that the test moves."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from tests.invalid_pools import worker_pool
from tests.virtual_time import VirtualLoop

from edworkers_operator.cluster import ClusterError, Manifest
from edworkers_operator.metrics import Metrics
from edworkers_operator.naming import POOL_LABEL
from edworkers_operator.poll import CAPABILITIES_SECONDS, Poller
from edworkers_operator.queue_reading import QueueReading, Unreadable
from edworkers_operator.settings import Capabilities, OperatorSettings, RedisAddress, RenderSettings
from edworkers_operator.view import Key, View

SETTINGS = OperatorSettings(
    render=RenderSettings(image="runner:1", redis=RedisAddress(addresses=("redis:6379",))),
    namespace="edworkers",
    identity="o",
    poll_seconds=5,
    resync_seconds=300,
)
ONE, TWO = Key("school", "one"), Key("school", "two")


def pool(name: str, **spec: Any) -> Manifest:
    document = worker_pool(name, queue=name, **spec)
    return {**document, "metadata": {"name": name, "namespace": "school"}}


class World:
    """Queues, a cluster and a view, and whom the poller told."""

    def __init__(self, settings: OperatorSettings = SETTINGS) -> None:
        self.view = View(pools={ONE: pool("one"), TWO: pool("two")})
        self.readings: dict[str, QueueReading | Unreadable] = {}
        self.told: list[Key] = []
        self.metrics = Metrics()
        self.paths: set[str] = set()
        self.listed: dict[str, list[Manifest]] = {}
        self.asked: list[tuple[str, str | None, str]] = []
        self.is_away = False
        self.closed: set[str | None] = set()
        self.swallows = False
        fitting: Any = self
        self.poller = Poller(fitting, fitting, self.view, settings, self.metrics, self.told.append)

    async def read(self, queue: str, _limits: object) -> QueueReading | Unreadable:
        if self.swallows:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
        return self.readings.get(queue, QueueReading(0, 0, 0, 0))

    async def kinds(self, api_version: str) -> frozenset[str]:
        if self.is_away:
            raise ClusterError(0, "the API server can't be reached")
        known = {"scaledobjects", "triggerauthentications", "podmonitors"}
        return frozenset(known if f"/apis/{api_version}" in self.paths else ())

    async def list(self, _version: str, kind: str, namespace: str | None, selector: str = "") -> list[Manifest]:
        if self.is_away:
            raise ClusterError(0, "the API server can't be reached")
        if namespace in self.closed:
            raise ClusterError(403, f"cannot list {kind} in {namespace}")
        self.asked.append((kind, namespace, selector))
        return self.listed.get(kind, [])


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncGenerator[asyncio.Task[None]]:
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        while not task.done():
            task.cancel()
            await asyncio.sleep(1)


def in_virtual_time(story: Callable[[World], Coroutine[Any, Any, None]], world: World | None = None) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story(world or World()))


def test_each_pool_is_told_when_its_queue_was_counted_and_again_only_when_something_changed() -> None:
    async def story(world: World) -> None:
        async with running(world.poller.count_queues()):
            await asyncio.sleep(22)
            assert world.told == [ONE, TWO]
            world.readings["two"] = QueueReading(1, 0, 0, 0)
            await asyncio.sleep(22)
            assert world.told == [ONE, TWO, TWO]
        assert world.view.readings[TWO] == QueueReading(1, 0, 0, 0)

    in_virtual_time(story)


def test_a_queue_that_can_not_be_read_is_counted_and_told_once() -> None:
    async def story(world: World) -> None:
        world.readings["one"] = Unreadable("down")
        async with running(world.poller.count_queues()):
            await asyncio.sleep(14)
        assert world.told.count(ONE) == 1
        assert world.metrics.registry.get_sample_value("edworkers_operator_queues_unreadable_total") == 3

    in_virtual_time(story)


def test_a_pool_that_can_not_be_used_is_not_counted_and_holds_no_other_up() -> None:
    async def story(world: World) -> None:
        world.view.pools[ONE] = pool("one", concurrency=-1)
        async with running(world.poller.count_queues()):
            await asyncio.sleep(1)
        assert world.told == [TWO]

    in_virtual_time(story)


def test_counting_ends_when_it_is_cancelled_though_redis_client_keeps_the_cancellation_to_itself() -> None:
    async def story(world: World) -> None:
        world.swallows = True
        async with running(world.poller.count_queues()) as counting:
            await asyncio.sleep(1)
            counting.cancel()
            await asyncio.wait({counting}, timeout=30)
            world.swallows = False
            assert counting.cancelled()

    in_virtual_time(story)


def test_a_kind_that_the_cluster_learns_is_found_and_every_pool_is_told() -> None:
    async def story(world: World) -> None:
        found: list[Capabilities] = []
        async with running(world.poller.find_kinds(lambda: found.append(world.view.capabilities))):
            await asyncio.sleep(CAPABILITIES_SECONDS * 2.5)
            assert (found, world.told) == ([], [])
            world.is_away = True
            world.paths = {"/apis/keda.sh/v1alpha1"}
            await asyncio.sleep(CAPABILITIES_SECONDS)
            assert found == []
            world.is_away = False
            await asyncio.sleep(CAPABILITIES_SECONDS * 2)
            assert found == [Capabilities(keda=True)]
            assert world.told == [ONE, TWO]

    in_virtual_time(story)


def test_everything_is_listed_now_and_then_and_every_pool_is_told() -> None:
    async def story(world: World) -> None:
        child = {"kind": "Deployment", "metadata": {"name": "x", "namespace": "school", "labels": {POOL_LABEL: "two"}}}
        world.listed = {"WorkerPool": [pool("one")], "Deployment": [child]}
        async with running(world.poller.resync()):
            await asyncio.sleep(SETTINGS.resync_seconds - 1)
            assert world.told == []
            world.is_away = True
            await asyncio.sleep(2)
            assert world.told == []
            world.is_away = False
            await asyncio.sleep(SETTINGS.resync_seconds)
        assert set(world.told) == {ONE, TWO}
        assert set(world.view.pools) == {ONE}
        assert set(world.view.children) == {TWO}

    in_virtual_time(story)


def test_only_the_namespaces_that_are_served_are_listed_and_only_what_is_ours() -> None:
    async def story(world: World) -> None:
        await world.poller.relist()
        assert {namespace for _, namespace, _ in world.asked} == {"school", "night"}
        assert {kind for kind, _, selector in world.asked if not selector} == {"WorkerPool"}
        assert {selector for _, _, selector in world.asked if selector} == {POOL_LABEL}

    in_virtual_time(story, World(SETTINGS.model_copy(update={"watch_namespaces": ("school", "night")})))


def test_a_namespace_that_is_gone_leaves_the_others_served_and_is_served_again_when_it_opens() -> None:
    async def story(world: World) -> None:
        found: list[tuple[str, ...]] = []
        world.closed = {"gone"}
        await world.poller.relist()
        assert world.view.places == ("school",)
        assert {namespace for _, namespace, _ in world.asked} == {"school"}
        async with running(world.poller.find_kinds(lambda: found.append(world.view.places))):
            await asyncio.sleep(CAPABILITIES_SECONDS * 1.5)
            assert found == []
            world.closed = set()
            await asyncio.sleep(CAPABILITIES_SECONDS)
            world.closed = {"school", "gone"}
            await asyncio.sleep(CAPABILITIES_SECONDS)
        assert found == [("school", "gone"), ()]

    in_virtual_time(story, World(SETTINGS.model_copy(update={"watch_namespaces": ("school", "gone")})))


def test_a_queue_is_counted_as_the_newest_version_of_its_pool_says() -> None:
    def version(uid: str, generation: int, queue: str) -> Manifest:
        manifest = pool(queue)
        return {**manifest, "metadata": {"name": "one", "namespace": "school", "uid": uid, "generation": generation}}

    async def story(world: World) -> None:
        world.readings = {name: QueueReading(number, 0, 0, 0) for number, name in enumerate(("x", "y", "z"))}
        seen: list[object] = []
        async with running(world.poller.count_queues()):
            for manifest in (version("u", 1, "x"), version("u", 2, "y"), version("v", 2, "z")):
                world.view.pools = {ONE: manifest}
                await asyncio.sleep(6)
                seen.append(world.view.readings[ONE])
        assert seen == list(world.readings.values())

    in_virtual_time(story)
