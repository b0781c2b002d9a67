"""Operations on many jobs on a real Redis: several servers at once, one that is killed, one that loses Redis."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import suppress

import pytest
from pydantic_core import from_json
from tests.browser import seed
from tests.browser.conftest import Site, _platform, open_site
from tests.browser.jobs_world import SkippingClock
from tests.integration.processes import eventually

from edworkers.core.job import read_entry
from edworkers.core.lifecycle import State
from edworkers.ports.books import BulkOperation
from edworkers.ports.browse import Wanted
from edworkers.server import bulk, bulk_steps
from edworkers.server.bulk import BulkDesk, BulkRunner
from edworkers.server.choice import Choice

MANY = [f"job-{number:04}" for number in range(1200)]


@pytest.fixture
async def site(redis_url: str) -> AsyncGenerator[Site]:
    """A queue with dead jobs, and the ports of a server."""
    async with open_site(redis_url) as opened:
        opened.clock = SkippingClock()
        desk = opened.desks["scheduled"]
        for start in range(0, len(MANY), 500):
            await desk.work([seed.Job(i, {"n": i}, end="bury", body=seed.SLOW) for i in MANY[start : start + 500]])
        yield opened


async def begin(site: Site, action: str = "replay", wanted: Wanted | None = None) -> BulkOperation:
    choice = Choice(State.DEAD, wanted=wanted or Wanted(error_kind="timeout"))
    operation = await BulkDesk(_platform(site)).create("scheduled", action, choice, "ann")
    assert isinstance(site.clock, SkippingClock)
    site.clock.skip(10)
    return operation


async def until_over(site: Site, operation: BulkOperation, *runners: BulkRunner) -> BulkOperation:
    """Let servers work until the operation is over, for half a minute at most."""
    async with asyncio.timeout(30):
        while True:
            await asyncio.gather(*(runner.take_turns() for runner in runners))
            seen = await site.books.operation(operation.id)
            assert seen is not None
            if seen.status not in bulk.OPEN:
                return seen
            await asyncio.sleep(0.01)


async def waiting(site: Site) -> Counter[str]:
    client = site.queues["scheduled"].control._client  # type: ignore[attr-defined]
    entries: list[bytes] = await client.lrange("edworkers:{scheduled}:pending", 0, -1)
    return Counter(from_json(read_entry(entry).payload)["id"] for entry in entries)


async def test_two_servers_at_once_change_each_job_once(site: Site) -> None:
    operation = await begin(site)
    runners = [BulkRunner(_platform(site), name) for name in ("server-1", "server-2")]
    ended = await until_over(site, operation, *runners)
    assert (ended.status, ended.looked_at, ended.changed, ended.refused) == ("done", 1200, 1200, 0)
    assert await waiting(site) == Counter(MANY)


async def test_when_a_server_is_killed_in_the_middle_another_carries_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_TURN_MS", 200)
    monkeypatch.setattr(bulk_steps, "_LOOKED_AT_ONCE", 100)
    operation = await begin(site)
    killed = asyncio.create_task(BulkRunner(_platform(site), "server-1").run())

    async def has_begun() -> bool:
        return bool(await waiting(site))

    await eventually(has_begun)
    killed.cancel()
    with suppress(asyncio.CancelledError):
        await killed
    assert len(await waiting(site)) < len(MANY)
    ended = await until_over(site, operation, BulkRunner(_platform(site), "server-2"))
    assert ended.status == "done"
    assert await waiting(site) == Counter(MANY)


async def test_jobs_that_are_deleted_are_gone_with_their_records(site: Site) -> None:
    ended = await until_over(site, await begin(site, "drop"), BulkRunner(_platform(site), "server-1"))
    assert ended.changed == 1200
    assert (await site.queues["scheduled"].control.depths()).dead == 0
    assert await site.queues["scheduled"].browser.failures(10) == []


async def test_only_what_a_filter_finds_is_changed(site: Site) -> None:
    ended = await until_over(site, await begin(site, wanted=Wanted(text="job-00")), BulkRunner(_platform(site), "s"))
    assert (ended.looked_at, ended.changed) == (1200, 100)
    assert set(await waiting(site)) == set(MANY[:100])


async def test_while_redis_is_away_nothing_is_lost_and_then_it_goes_on(site: Site) -> None:
    operation = await begin(site)
    client = site.queues["scheduled"].control._client  # type: ignore[attr-defined]
    runner = BulkRunner(_platform(site), "server-1")
    works = asyncio.create_task(runner.run())
    for _ in range(5):
        await client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await asyncio.sleep(0)

    async def is_done() -> bool:
        seen = await site.books.operation(operation.id)
        return seen is not None and seen.status == "done"

    await eventually(is_done)
    works.cancel()
    assert await waiting(site) == Counter(MANY)
