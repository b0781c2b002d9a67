"""The server on a Redis that Sentinels watch over: it reads all there is to read, and outlives a failover."""

import signal
from collections.abc import AsyncGenerator

import pytest
from tests.integration.processes import eventually
from tests.integration.redis_kinds import Sentinels, ask_port, serve_sentinels
from tests.integration.server_site import Site, problem, serving

JOBS = "/v1/queues/work/jobs"
PAGES = ("/", "/queues/work", f"{JOBS.removeprefix('/v1')}/j1", "/failures", "/search?queue=work", "/activity")


@pytest.fixture
async def sentinels() -> AsyncGenerator[Sentinels]:
    async with serve_sentinels() as world:
        yield world


@pytest.fixture
async def site(sentinels: Sentinels) -> AsyncGenerator[Site]:
    async with serving("", env=sentinels.env, answer_seconds=2) as served:
        yield served


async def enqueues(site: Site, job_id: str) -> bool:
    return (await site.post(JOBS, {"id": job_id, "data": {"n": 1}})).status_code in {200, 202}


async def replicated(sentinels: Sentinels) -> None:
    """Wait until both replicas have all that the master has."""
    master = await sentinels.master()

    async def same() -> bool:
        _, offset, replicas = await ask_port(master.port, "ROLE")
        return len(replicas) == 2 and all(int(replica[2]) == offset for replica in replicas)

    await eventually(same)


async def test_all_that_is_there_can_be_read_and_steered(site: Site) -> None:
    assert await enqueues(site, "j1")
    for path in PAGES:
        answer = await site.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 200, path
    assert [job["id"] for job in (await site.get(f"{JOBS}?state=pending")).json()["jobs"]] == ["j1"]
    found = (await site.get("/v1/queues/work/search?state=pending&text=j1")).json()
    assert [job["id"] for job in found["jobs"]] == ["j1"]
    assert (await site.post("/v1/queues/work/pause")).status_code == 200
    assert (await site.post(f"{JOBS}/j1/cancel")).status_code == 202
    deeds, _ = await site.app.state.platform.books.deeds(None, 10)
    assert [deed.what for deed in deeds] == ["cancel", "pause"]


async def test_a_failover_is_told_and_then_all_is_there_again(site: Site, sentinels: Sentinels) -> None:
    assert await enqueues(site, "before")
    await site.post("/v1/queues/work/pause")
    await replicated(sentinels)
    killed = await sentinels.master()
    await killed.stop(signal.SIGKILL)
    meanwhile = await site.post(JOBS, {"id": "meanwhile", "data": {}})
    if meanwhile.status_code != 202:  # which it is where Sentinels were quick
        problem(meanwhile, 503, "away")
    await sentinels.fails_over(killed)
    await eventually(lambda: enqueues(site, "after"))
    jobs = (await site.get(f"{JOBS}?state=pending")).json()["jobs"]
    assert {"before", "after"} <= {job["id"] for job in jobs}
    assert (await site.get("/v1/queues/work")).json()["paused"] is True
    deeds, _ = await site.app.state.platform.books.deeds(None, 10)
    assert [deed.what for deed in deeds] == ["pause"]
