"""Every test of this folder runs in all worlds."""

import asyncio
from collections.abc import AsyncGenerator, Generator

import pytest
from tests.contract.cluster_world import on_cluster
from tests.contract.world import MemoryWorld, World, on_redis
from tests.integration.redis_kinds import Cluster, serve_cluster

from edworkers.ports import JobQueue, QueueControl


@pytest.fixture(scope="session")
def _shared_cluster() -> Generator[Cluster]:
    """One cluster for all tests of this process."""
    with asyncio.Runner() as runner:
        serving = serve_cluster()
        cluster = runner.run(serving.__aenter__())
        yield cluster
        runner.run(serving.__aexit__(None, None, None))


@pytest.fixture(params=["memory", "redis", "cluster"])
def _redis(request: pytest.FixtureRequest) -> str | Cluster | None:
    """The Redis, in the worlds that have one."""
    fixture = {"redis": "redis_url", "cluster": "_shared_cluster"}.get(request.param)
    found: str | Cluster | None = request.getfixturevalue(fixture) if fixture else None
    return found


@pytest.fixture
async def world(_redis: str | Cluster | None) -> AsyncGenerator[World]:
    if _redis is None:
        yield MemoryWorld()
    elif isinstance(_redis, str):
        async with on_redis(_redis) as redis_world:
            yield redis_world
    else:
        async with on_cluster(_redis) as cluster_world:
            yield cluster_world


@pytest.fixture
def queue(world: World) -> JobQueue:
    return world.queue()


@pytest.fixture
def control(world: World) -> QueueControl:
    return world.control()
