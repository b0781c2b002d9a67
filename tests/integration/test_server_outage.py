"""A Redis that is away, or says nothing: answered at once with when to come again, and work goes on when it is back."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from tests.integration.processes import eventually
from tests.integration.server_site import GOOD, Site, problem, serving

from edworkers.adapters.redis.address import redis_address
from edworkers.adapters.redis.asking import ask
from edworkers.adapters.redis.shared import MOST_CONNECTIONS, shared_client
from edworkers.cli.server_platform import ANSWER_SECONDS
from edworkers.core.errors import QueueUnavailableError, ServerBusyError
from edworkers.standins.redis import RedisServer

JOBS = "/v1/queues/ai/jobs"
CALLS = (
    ("POST", JOBS, GOOD),
    ("POST", f"{JOBS}/bulk", [GOOD]),
    ("GET", "/v1/queues", None),
    ("GET", "/v1/queues/ai", None),
    ("GET", f"{JOBS}?state=dead", None),
    ("GET", f"{JOBS}/j1", None),
    ("GET", f"{JOBS}/j1/result", None),
    ("GET", f"{JOBS}/j1/events", None),
    ("POST", f"{JOBS}/j1/cancel", None),
    ("POST", f"{JOBS}/j1/retry", None),
    ("GET", "/v1/queues/ai/failures", None),
    ("GET", "/v1/queues/ai/search?state=dead", None),
    ("POST", "/v1/queues/ai/pause", None),
)


@pytest.fixture
async def site(redis_server: RedisServer) -> AsyncGenerator[Site]:
    async with serving(redis_server.url, answer_seconds=ANSWER_SECONDS) as served:
        yield served


async def ask_all(site: Site) -> None:
    """Ask everything at once: each must say that Redis is away, and when to come again."""
    for answer in await asyncio.gather(*(site.client.request(m, path, json=body) for m, path, body in CALLS)):
        found = problem(answer, 503, "away")
        assert answer.headers["retry-after"] == "2"
        assert "127.0.0.1" in found["detail"], found
        assert "password" not in found["detail"]


async def works(site: Site) -> bool:
    return (await site.post(JOBS, {"id": "j1", "data": GOOD})).status_code in {200, 202}


async def test_a_redis_that_is_gone_is_told_and_used_again_when_it_is_back(
    site: Site, redis_server: RedisServer
) -> None:
    await eventually(lambda: works(site))
    await redis_server.stop(signal.SIGKILL)
    await ask_all(site)
    assert (await site.get("/livez")).status_code == 200
    await redis_server.start()
    await eventually(lambda: works(site))
    assert (await site.get(f"{JOBS}/j1")).json()["state"] == "pending"


async def test_a_redis_that_says_nothing_holds_up_no_request(site: Site, redis_server: RedisServer) -> None:
    await eventually(lambda: works(site))
    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(20):  # two seconds each at most, and all at once; the rest is a slow machine's
            await ask_all(site)
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)
    await eventually(lambda: works(site))


async def test_many_requests_at_once_are_answered_while_redis_says_nothing(
    site: Site, redis_server: RedisServer
) -> None:
    await eventually(lambda: works(site))
    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(30):
            answers = await asyncio.gather(*(site.post(JOBS, GOOD) for _ in range(100)))
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)
    assert {answer.status_code for answer in answers} == {503}


async def test_a_server_is_ready_once_redis_has_answered(redis_server: RedisServer) -> None:
    await redis_server.stop(signal.SIGKILL)
    async with serving(redis_server.url, answer_seconds=ANSWER_SECONDS) as site:
        answer = await site.get("/readyz")
        assert answer.status_code == 503
        assert "Redis can't be used" in answer.text
        await redis_server.start()

        async def ready() -> bool:
            return (await site.get("/readyz")).status_code == 200

        await eventually(ready)


async def test_a_stream_outlives_a_redis_that_is_away_for_a_while(site: Site, redis_server: RedisServer) -> None:
    await eventually(lambda: works(site))
    async with site.client.stream("GET", f"{JOBS}/j1/events") as answer:
        lines = answer.aiter_lines()
        while await anext(lines) != "event: state":
            pass
        await redis_server.stop(signal.SIGKILL)
        await redis_server.start()
        await eventually(lambda: works(site))
        assert (await site.post(f"{JOBS}/j1/cancel")).status_code in {200, 202}
        assert not answer.is_closed


async def test_a_job_that_may_have_been_taken_is_named_so_that_it_can_be_asked_for(
    site: Site, redis_server: RedisServer
) -> None:
    await eventually(lambda: works(site))
    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        one, many = await asyncio.gather(
            site.post(JOBS, GOOD), site.post(f"{JOBS}/bulk", [GOOD, {"id": "b", "data": GOOD}])
        )
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)
    found = problem(one, 503, "away")
    assert "may have been taken" in found["detail"]
    assert len(problem(many, 503, "away")["jobIds"]) == 2
    again = {"id": found["jobId"], "data": GOOD}
    await eventually(lambda: works(site))
    assert (await site.post(JOBS, again)).json()["jobId"] == found["jobId"]
    assert (await site.get(f"{JOBS}/{found['jobId']}")).json()["state"] == "pending"


async def test_a_run_of_a_schedule_that_may_have_been_taken_is_named(site: Site, redis_server: RedisServer) -> None:
    await eventually(lambda: works(site))
    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        answer = await site.post("/v1/queues/work/schedules/nightly/run")
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)
    found = problem(answer, 503, "away")
    assert "ask for it before you try again" in found["detail"]
    await eventually(lambda: works(site))
    assert (await site.get(f"/v1/queues/work/jobs/{found['jobId']}")).json()["state"] == "pending"


async def test_connections_that_are_all_in_use_are_not_told_as_a_redis_that_is_away(redis_url: str) -> None:
    client = shared_client(redis_address({"REDIS_URL": redis_url}), "", 0.05)
    pool: Any = client.connection_pool
    held = [await pool.get_connection() for _ in range(MOST_CONNECTIONS)]
    waiting = asyncio.ensure_future(ask(client, client.ping))
    try:
        with pytest.raises(QueueUnavailableError, match="none of 32 connections has had an answer"):
            await waiting
        busy = asyncio.ensure_future(ask(client, client.ping))
        await asyncio.sleep(0)
        await pool.release(held.pop())
        held.append(await pool.get_connection())
        with pytest.raises(ServerBusyError, match="run more servers"):
            await busy
    finally:
        for connection in held:
            await pool.release(connection)
        await client.aclose()
