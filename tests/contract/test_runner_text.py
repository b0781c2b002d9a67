"""The real runner in all worlds: what becomes of the text that a handler emits."""

import asyncio

from tests.contract.staff import Note, at_work, reaches
from tests.contract.steps import payload, until
from tests.contract.world import World

from edworkers.core.lifecycle import State
from edworkers.core.outcome import Failed
from edworkers.ports import JobContext, JobQueue, QueueControl


async def _reads(world: World, text: str) -> None:
    async def is_read() -> bool:
        return b"".join(await world.text("a")).decode() == text

    await until(is_read)


async def test_a_text_can_be_read_while_its_job_runs_and_is_whole_when_that_is_done(
    world: World, control: QueueControl
) -> None:
    go_on = asyncio.Event()

    async def write(_data: Note, context: JobContext) -> str:
        await context.emit("Once ")
        await context.emit("upon é")
        await go_on.wait()
        for word in (" a", " time", "", ", half of a pair: \ud800"):
            await context.emit(word)
        return "written"

    async with at_work(world, write):
        await world.push(payload("a"))
        await _reads(world, "Once upon é")
        assert (await reaches(control, "a", State.INFLIGHT)).attempts == 1
        go_on.set()
        await reaches(control, "a", State.DONE)
    assert b"".join(await world.text("a")).decode() == "Once upon é a time, half of a pair: ?"


async def test_what_is_emitted_at_once_is_few_calls(world: World, control: QueueControl) -> None:
    async def write(_data: Note, context: JobContext) -> None:
        for number in range(1000):
            await context.emit(f"{number},")

    async with at_work(world, write):
        await world.push(payload("a"))
        await reaches(control, "a", State.DONE)
    pieces = await world.text("a")
    assert b"".join(pieces).decode() == "".join(f"{number}," for number in range(1000))
    assert len(pieces) < 100


async def test_the_next_attempt_writes_a_new_text(world: World, queue: JobQueue, control: QueueControl) -> None:
    async def write(_data: Note, context: JobContext) -> Failed | None:
        await context.emit(f"attempt {context.attempt}")
        return Failed("broken", "it broke") if context.attempt == 1 else None

    async with at_work(world, write):
        await world.push(payload("a"))
        await reaches(control, "a", State.DELAYED)
        assert await world.text("a") == [b"attempt 1"]
        await world.advance(61)
        await queue.promote(10)
        await reaches(control, "a", State.DONE)
    assert await world.text("a") == [b"attempt 2"]


async def test_what_was_emitted_by_a_handler_that_raises_can_be_read(world: World, control: QueueControl) -> None:
    async def write(_data: Note, context: JobContext) -> None:
        await context.emit("so far")
        raise RuntimeError("no further")

    async with at_work(world, write, job={"maxAttempts": 1}):
        await world.push(payload("a"))
        await reaches(control, "a", State.DEAD)
    assert await world.text("a") == [b"so far"]


async def test_a_job_that_is_cancelled_while_it_writes_has_ended(world: World, control: QueueControl) -> None:
    async def write(_data: Note, context: JobContext) -> None:
        await context.emit("so far")
        await asyncio.Event().wait()

    async with at_work(world, write):
        await world.push(payload("a"))
        await _reads(world, "so far")
        assert await control.cancel("a") == "requested"
        await reaches(control, "a", State.CANCELLED)


async def test_to_emit_what_is_no_text_is_the_handlers_failure(world: World, control: QueueControl) -> None:
    async def write(_data: Note, context: JobContext) -> None:
        await context.emit(5)  # type: ignore[arg-type]

    async with at_work(world, write, job={"maxAttempts": 1}):
        await world.push(payload("a"))
        record = await reaches(control, "a", State.DEAD)
    assert record.error is not None
    assert record.error["message"] == "a job emits text (str), not int"
