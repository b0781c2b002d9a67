"""Runners as processes on a shared, empty Redis; tests that stop Redis take one of their own for the queue."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.integration.document_desk import Desk
from tests.integration.processes import Programs, Queue
from tests.servers.storage import StorageFolder


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


@pytest.fixture
def desk(storage_folder: StorageFolder, tmp_path: Path) -> Desk:
    """Where documents are laid to be converted."""
    work = tmp_path / "work"
    work.mkdir()
    return Desk(storage_folder, work)
