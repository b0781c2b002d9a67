"""Every test of this folder runs in both worlds."""

from collections.abc import AsyncGenerator

import pytest
from tests.contract.world import MemoryWorld, World, on_redis

from edworkers.ports import JobQueue, QueueControl


@pytest.fixture(params=["memory", "redis"])
def _url(request: pytest.FixtureRequest) -> str | None:
    """The address of the Redis, in the world that has one."""
    url: str | None = request.getfixturevalue("redis_url") if request.param == "redis" else None
    return url


@pytest.fixture
async def world(_url: str | None) -> AsyncGenerator[World]:
    if _url is None:
        yield MemoryWorld()
        return
    async with on_redis(_url) as redis_world:
        yield redis_world


@pytest.fixture
def queue(world: World) -> JobQueue:
    return world.queue()


@pytest.fixture
def control(world: World) -> QueueControl:
    return world.control()
