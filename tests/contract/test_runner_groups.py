"""The real runner in both worlds, where groups have fair shares, and where limits are for groups or count tokens."""

import asyncio
from typing import Any

from pydantic_core import to_json
from tests.contract.staff import Desk, Note, a_pool, at_work, handler, reaches
from tests.contract.steps import until
from tests.contract.world import World

from edworkers.core.lifecycle import State
from edworkers.core.outcome import Done
from edworkers.ports import Handler, JobContext, JobRecord, QueueControl


def job(job_id: str, group: str = "", count: int = 0) -> bytes:
    return to_json({"id": job_id, "data": {"count": count}, **({"group": group} if group else {})})


def limit(number: int, **more: Any) -> dict[str, Any]:
    return {"name": "few", "limit": number, "window": "minute", **more}


async def spend(data: Note, _context: JobContext) -> Done:
    """Use a tenth of the tokens that the data speaks of."""
    return Done(tokens=data.count // 10)


def counting() -> Handler[Note]:
    made = handler(spend)
    return Handler(data=Note, open=made.open, tokens=lambda data: data.count)


async def done_later(world: World, control: QueueControl, job_id: str) -> JobRecord:
    """Let minutes pass until a job is done: a call that was under way meanwhile may have shut its group once more."""

    async def is_done() -> bool:
        record = await control.find(job_id)
        if record is not None and record.state is State.DONE:
            return True
        await world.advance(61)
        await asyncio.sleep(0.2)
        return False

    await until(is_done)
    return await reaches(control, job_id, State.DONE)


async def test_a_student_who_pushes_very_many_jobs_delays_another_by_one(world: World, control: QueueControl) -> None:
    desk = Desk()
    async with at_work(world, desk, concurrency=1, groups={}) as _:
        await world.push(*(job(f"a{number}", "a") for number in range(200)))
        assert (await desk.next()).id == "a0"
        await world.push(job("b0", "b"))
        desk.go_on()
        await reaches(control, "b0", State.DONE)
        await reaches(control, "a199", State.DONE)
    order = [context.id for context in desk.begun]
    assert order.index("b0") <= 2
    assert sorted(order) == sorted([*(f"a{number}" for number in range(200)), "b0"])


async def test_no_more_of_a_group_run_at_once_than_may(world: World, control: QueueControl) -> None:
    desk = Desk()
    async with at_work(world, desk, groups={"maxInflight": 2}):
        await world.push(*(job(f"a{number}", "a") for number in range(6)), job("b0", "b"))
        assert {(await desk.next()).id for _ in range(3)} == {"a0", "a1", "b0"}
        assert (await control.depths()).inflight == 3
        desk.go_on()
        await reaches(control, "a5", State.DONE)


async def test_no_more_of_a_queue_run_at_once_than_may_in_two_runners(world: World, control: QueueControl) -> None:
    desk = Desk()
    async with at_work(world, desk, name="one", maxInflight=3), at_work(world, desk, name="two", maxInflight=3):
        await world.push(*(job(f"a{number}") for number in range(8)))
        assert len({(await desk.next()).id for _ in range(3)}) == 3
        assert (await control.depths()).inflight == 3
        desk.go_on()
        for number in range(8):
            await reaches(control, f"a{number}", State.DONE)
    assert len(desk.begun) == 8


async def one_waits(control: QueueControl) -> bool:
    depths = await control.depths()
    return (depths.pending, depths.inflight) == (1, 0)


def is_done(record: JobRecord | None) -> bool:
    return record is not None and record.state is State.DONE


async def test_a_group_whose_limit_is_used_up_waits_and_the_others_go_on(world: World, control: QueueControl) -> None:
    desk = Desk()
    desk.go_on()
    async with at_work(world, desk, groups={}, limits=[limit(2, per="group")]):
        await world.push(*(job(f"a{number}", "a") for number in range(3)), job("b0", "b"), job("n0"))
        for job_id in ("a0", "a1", "b0", "n0"):
            await reaches(control, job_id, State.DONE)
        await until(lambda: one_waits(control))  # it is claimed, and given back when its limit was asked
        await world.advance(30)
        assert (await control.depths()).pending == 1
        assert (await done_later(world, control, "a2")).attempts == 1


async def test_a_limit_is_for_the_group_that_the_data_names(world: World, control: QueueControl) -> None:
    desk = Desk()
    desk.go_on()
    async with at_work(world, desk, groups={"by": "text"}, limits=[limit(1, per="group")]):
        await world.push(*(to_json({"id": f"a{number}", "data": {"text": "a"}}) for number in range(2)))
        await world.push(to_json({"id": "b0", "data": {"text": "b"}}))
        await reaches(control, "b0", State.DONE)
        await until(lambda: one_waits(control))
        records = [await control.find(name) for name in ("a0", "a1")]
        [waits] = [name for name, record in zip(("a0", "a1"), records, strict=True) if not is_done(record)]
        await done_later(world, control, waits)


async def test_what_a_limit_of_a_group_holds_up_costs_it_no_attempt(world: World, control: QueueControl) -> None:
    desk = Desk()
    desk.go_on()
    async with at_work(world, desk, groups={}, job={"maxAttempts": 1}, limits=[limit(1, per="group")]):
        await world.push(job("a0", "a"), job("a1", "a"))
        await reaches(control, "a0", State.DONE)
        assert (await done_later(world, control, "a1")).attempts == 1


async def test_tokens_are_reserved_by_estimate_and_counted_as_they_were(world: World, control: QueueControl) -> None:
    limits = [limit(100, counts="tokens")]
    async with at_work(world, [counting()], limits=limits):
        usage = world.limiter(*a_pool(limits=limits).limits, name="work:tokens").usage
        await world.push(job("a0", count=80))
        await reaches(control, "a0", State.DONE)

        async def counted() -> bool:
            return [use.used for use in await usage()] == [8]

        await until(counted)
        await world.push(job("a1", count=80), job("a2", count=80))
        await reaches(control, "a1", State.DONE)
        await reaches(control, "a2", State.DONE)


async def test_a_job_for_which_there_are_no_tokens_waits_for_the_window(world: World, control: QueueControl) -> None:
    desk = Desk()
    waiting = Handler(data=Note, open=handler(desk).open, tokens=lambda data: data.count)
    async with at_work(world, [waiting], limits=[limit(100, counts="tokens")]):
        await world.push(job("a0", count=70), job("a1", count=70))
        first = (await desk.next()).id
        desk.go_on()
        await reaches(control, first, State.DONE)
        assert len(desk.begun) == 1
        await done_later(world, control, "a1" if first == "a0" else "a0")


async def test_a_job_that_wants_more_tokens_than_there_are_runs_when_all_are_free(
    world: World, control: QueueControl
) -> None:
    async with at_work(world, [counting()], limits=[limit(100, counts="tokens")]):
        await world.push(job("a0", count=5000))
        await reaches(control, "a0", State.DONE)


async def test_a_job_whose_tokens_cannot_be_estimated_is_buried_with_the_reason(
    world: World, control: QueueControl
) -> None:
    broken = Handler(data=Note, open=handler(spend).open, tokens=lambda data: 1 // data.count)
    async with at_work(world, [broken], limits=[limit(100, counts="tokens")]):
        await world.push(job("a0"))
        record = await reaches(control, "a0", State.DEAD)
    assert record.error is not None
    assert record.error["message"].startswith("the handler's estimate of tokens failed: ZeroDivisionError")


async def test_limits_of_a_group_may_count_tokens(world: World, control: QueueControl) -> None:
    async with at_work(world, [counting()], groups={}, limits=[limit(100, counts="tokens", per="group")]):
        await world.push(job("a0", "a", 2000), job("a1", "a", 2000), job("b0", "b", 90))
        await reaches(control, "b0", State.DONE)

        async def one_is_done() -> bool:
            found = [await control.find(job_id) for job_id in ("a0", "a1")]
            return sorted(record.state if record else "" for record in found) == ["", State.DONE]

        await until(one_is_done)
        for job_id in ("a0", "a1"):
            await done_later(world, control, job_id)
