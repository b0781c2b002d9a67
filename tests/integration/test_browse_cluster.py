"""Looks at queues of a Redis Cluster: all that one asks about lies on the node of its queue."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from tests.integration.browsing import ids_of
from tests.integration.redis_kinds import Cluster, serve_cluster

from edworkers.adapters.redis.browse import RedisBrowser
from edworkers.adapters.redis.connection import connect
from edworkers.adapters.redis.control import RedisControl
from edworkers.core.keys import QueueKeys
from edworkers.core.lifecycle import State
from edworkers.core.settings import Retention
from edworkers.ports import Enqueue
from edworkers.ports.browse import Wanted

LATER = 4_000_000_000_000


@pytest.fixture
async def cluster() -> AsyncGenerator[Cluster]:
    async with serve_cluster() as served:
        yield served


async def test_queues_of_three_nodes_are_looked_at_in_every_state(cluster: Cluster) -> None:
    for name in cluster.queues():
        client: Any = connect(cluster.address, QueueKeys(name).pending)
        await _fill(client, QueueKeys(name))
        browser = RedisBrowser(client, name, group_by="school")
        for state in State:
            page = await browser.page(state, None, 2)
            rest = await browser.page(state, page.next, 2)
            found = await browser.search(state, Wanted(text="job-1"), None, 100)
            assert sorted(ids_of([*page.jobs, *rest.jobs])) == [f"{state}-job-{number}" for number in range(3)]
            assert ids_of(found.jobs) == [f"{state}-job-1"]
            detail = await browser.detail(f"{state}-job-1")
            assert detail is not None
            assert detail.record.queue == name
        assert await browser.failures(10) == []
        await client.aclose()


async def _fill(client: Any, k: QueueKeys) -> None:
    def body(state: State, number: int) -> bytes:
        return b'{"id":"%s-job-%d","data":{"school":"s"}}' % (state.encode(), number)

    control = RedisControl(client, k.queue, Retention())
    for number in range(3):
        due = Enqueue(f"delayed-job-{number}", body(State.DELAYED, number), due=LATER)
        await control.enqueue([Enqueue(f"pending-job-{number}", body(State.PENDING, number)), due])
        receipt = f"pod.1.{number}"
        await client.hset(k.inflight, receipt, body(State.INFLIGHT, number))
        await client.zadd(k.lease, {receipt: LATER})
        await client.hset(k.job(f"inflight-job-{number}"), mapping={"state": "inflight", "origin": receipt})
        for state in (State.DONE, State.DEAD, State.CANCELLED):
            job_id = f"{state}-job-{number}"
            fields = {"state": state.value, "finishedAt": 1000 + number, "payload": body(state, number)}
            await client.hset(k.job(job_id), mapping=fields)
            await client.zadd(k.dead if state is State.DEAD else k.finished, {f"300:{job_id}": 1000 + number})
