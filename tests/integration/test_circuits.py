"""Services that are down, with runners as processes."""

import asyncio
import signal

from tests.contract.world import on_redis
from tests.integration.processes import Programs, Queue, eventually
from tests.integration.test_fair import job

from edworkers.core.lifecycle import State

GROUPS = {"maxInflight": 2, "circuit": {"failures": 3, "openSeconds": 600, "maxOpenSeconds": 600}}


async def test_a_service_that_is_down_holds_up_no_other_whichever_runner_is_killed(
    programs: Programs, queue: Queue, redis_url: str
) -> None:
    manifest = programs.manifest(concurrency=2, groups=GROUPS, job={"maxAttempts": 1}, leaseSeconds=2)
    first, second = await asyncio.gather(*(programs.runner(manifest) for _ in range(2)))
    await queue.push(*(job(f"a{number}", "a", do="ask_service", quiet=True) for number in range(20)))

    async def is_shut() -> bool:
        return (await queue.depths()).shut == 1

    await eventually(is_shut)
    first.signal(signal.SIGKILL)
    await queue.push(*(job(f"b{number}", "b", quiet=True) for number in range(20)))
    for number in range(20):
        await queue.becomes(f"b{number}", State.DONE)
    # Two of a group run at once, so that a fourth may have begun before the third ended.
    assert (await queue.depths()).totals["bury"] <= 4
    await queue.client.set("service", "works")
    async with on_redis(redis_url) as world:
        await world.advance(601)
    await second.says("circuit.closed", group="a")
    await eventually(queue.is_empty)
    depths = await queue.depths()
    assert depths.totals["ack"] + depths.totals["bury"] == 40
    assert depths.totals["bury"] <= 4
