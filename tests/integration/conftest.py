"""Runners as processes on a shared, empty Redis; tests that stop Redis take one of their own for the queue."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.integration.processes import Programs, Queue


@pytest.fixture
async def programs(tmp_path: Path, redis_url: str) -> AsyncGenerator[Programs]:
    started = Programs(tmp_path, {"REDIS_URL": redis_url, "SIDE_EFFECTS_URL": redis_url})
    yield started
    await started.end()


@pytest.fixture
async def queue(redis_url: str) -> AsyncGenerator[Queue]:
    seen = Queue(redis_url, redis_url)
    yield seen
    await seen.close()
