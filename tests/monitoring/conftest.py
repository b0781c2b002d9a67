"""What the tests with a running system share."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.integration.processes import Programs, Queue

WEBHOOK_SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"


@pytest.fixture
async def programs(tmp_path: Path, redis_url: str) -> AsyncGenerator[Programs]:
    env = {
        "REDIS_URL": redis_url,
        "SIDE_EFFECTS_URL": redis_url,
        "WEBHOOK_SECRET": WEBHOOK_SECRET,
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "EDWORKERS_SERVER_AUTH": "none",
    }
    started = Programs(tmp_path, env)
    yield started
    await started.end()


@pytest.fixture
async def queue(redis_url: str) -> AsyncGenerator[Queue]:
    seen = Queue(redis_url, redis_url)
    yield seen
    await seen.close()
