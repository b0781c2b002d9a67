"""The real runner in all worlds, where services that groups stand for fail and work again."""

import asyncio
from typing import Any

from structlog.testing import capture_logs
from tests.contract.staff import Note, at_work, reaches
from tests.contract.steps import until
from tests.contract.test_runner_groups import job
from tests.contract.world import World

from edworkers.core.lifecycle import State
from edworkers.core.outcome import Done, Failed, Outcome
from edworkers.ports import JobContext, QueueControl

GROUPS = {"maxInflight": 2, "circuit": {"failures": 3, "openSeconds": 30, "maxOpenSeconds": 3600}}


class Services:
    """A handler whose jobs named `a…` need a service that doesn't work until it is told to."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.begun: list[str] = []
        self.works = False
        self._hangs = hangs

    async def __call__(self, _data: Note, context: JobContext) -> Outcome:
        self.begun.append(context.id)
        if self.works or not context.id.startswith("a"):
            return Done()
        if self._hangs:
            await asyncio.Event().wait()
        return Failed("connection", "nobody answers", service_down=True)

    @property
    def tries(self) -> int:
        return sum(job_id.startswith("a") for job_id in self.begun)


async def shut(control: QueueControl) -> None:
    async def is_shut() -> bool:
        return (await control.depths()).shut == 1

    await until(is_shut)


async def done_later(world: World, control: QueueControl, job_id: str) -> None:
    """Let time pass until a job is done, be it one that is to be retried."""
    keeper = world.queue(runner="keeper")

    async def is_done() -> bool:
        record = await control.find(job_id)
        if record is not None and record.state is State.DONE:
            return True
        await world.advance(61)
        await keeper.promote(9)
        await asyncio.sleep(0.05)
        return False

    await until(is_done)


async def test_a_dead_service_delays_no_other_and_costs_the_jobs_that_wait_for_it_no_attempt(
    world: World, control: QueueControl
) -> None:
    services = Services()
    async with at_work(world, services, concurrency=2, groups=GROUPS):
        await world.push(*(job(f"a{number}", "a") for number in range(20)))
        await shut(control)
        await world.push(*(job(f"b{number}", "b") for number in range(20)))
        for number in range(20):
            await reaches(control, f"b{number}", State.DONE)
    assert services.tries <= 4  # one beside the third may have begun before that ended
    begun = [record for number in range(20) if (record := await control.find(f"a{number}")) and record.attempts]
    assert len(begun) == services.tries


async def test_a_service_that_works_again_gets_all_of_its_jobs(world: World, control: QueueControl) -> None:
    services = Services()
    with capture_logs() as lines:
        async with at_work(world, services, groups=GROUPS) as runner:
            await world.push(*(job(f"a{number}", "a") for number in range(8)))
            await shut(control)
            services.works = True
            for number in range(8):
                await done_later(world, control, f"a{number}")
        assert runner.stats.circuits_opened == 1
    told = [line for line in lines if line["event"].startswith("circuit.")]
    assert [line["event"] for line in told] == ["circuit.opened", "circuit.closed"]
    assert (told[0]["group"], told[0]["failures"], told[0]["seconds"]) == ("a", 3, 30)


async def test_a_circuit_that_opens_again_is_not_told_again(world: World, control: QueueControl) -> None:
    services = Services()
    with capture_logs() as lines:
        async with at_work(world, services, groups=GROUPS, job={"maxAttempts": 1}):
            await world.push(*(job(f"a{number}", "a") for number in range(8)))
            await shut(control)
            begun = services.tries

            async def has_tried_twice() -> bool:
                await world.advance(61)
                await asyncio.sleep(0.05)
                return services.tries >= begun + 2

            await until(has_tried_twice)
    assert [line["event"] for line in lines if line["event"].startswith("circuit.")] == ["circuit.opened"]


async def test_attempts_that_run_out_of_time_open_a_circuit(world: World, control: QueueControl) -> None:
    services = Services(hangs=True)
    job_policy: dict[str, Any] = {"timeoutSeconds": 0.05}
    async with at_work(world, services, groups=GROUPS, job=job_policy):
        await world.push(*(job(f"a{number}", "a") for number in range(8)))
        await shut(control)
    assert services.tries <= 4
