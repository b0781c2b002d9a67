"""The real runner in both worlds: what becomes of a job by what its handler says."""

import asyncio
from collections.abc import Sized

from pydantic import BaseModel
from tests.contract.staff import Note, at_work, handler, reaches
from tests.contract.steps import payload, until
from tests.contract.world import Places, World

from edworkers.core.lifecycle import State
from edworkers.core.outcome import Deferred, Done, Failed, FollowUp, Outcome, Rejected
from edworkers.ports import JobContext, JobQueue, QueueControl


async def echo(data: Note, _context: JobContext) -> dict[str, str]:
    return {"echo": data.text}


async def test_a_pushed_job_is_done_and_its_result_kept(world: World, control: QueueControl) -> None:
    async with at_work(world, echo) as runner:
        await world.push(payload("a", data={"text": "hello"}))
        record = await reaches(control, "a", State.DONE)
        assert (record.result, record.attempts, record.error) == ({"echo": "hello"}, 1, None)
        assert record.seconds is not None
    assert runner.stats.claimed == 1
    assert dict(runner.stats.settled) == {"ack": 1}
    assert await world.places() == Places()


async def test_a_job_without_an_envelope_is_done_too(world: World, control: QueueControl) -> None:
    seen: list[str] = []

    async def note(data: Note, context: JobContext) -> None:
        seen.append(context.id)
        assert data.text == "bare"

    async with at_work(world, note):
        await world.push(b'{"text":"bare"}')
        await _until_longer(seen, 0)
        await reaches(control, seen[0], State.DONE)


async def _until_longer(things: Sized, count: int) -> None:
    async def is_longer() -> bool:
        return len(things) > count

    await until(is_longer)


async def test_many_jobs_are_done_once_each(world: World, control: QueueControl) -> None:
    done: list[str] = []

    async def note(_data: Note, context: JobContext) -> None:
        done.append(context.id)

    names = [f"j{i}" for i in range(200)]
    async with at_work(world, note, concurrency=16):
        await world.push(*(payload(name) for name in names))
        await reaches(control, names[-1], State.DONE)
    assert sorted(done) == sorted(names)
    assert (await control.depths()).totals["ack"] == len(names)


async def test_the_handler_of_the_jobs_type_does_it(world: World, control: QueueControl) -> None:
    async def letter(_data: Note, context: JobContext) -> str:
        return f"letter {context.type}"

    async with at_work(world, [handler(echo), handler(letter, "letter")]):
        await world.push(payload("a", type="letter"), payload("b"))
        record = await reaches(control, "a", State.DONE)
        assert (record.result, record.type) == ("letter letter", "letter")
        assert (await reaches(control, "b", State.DONE)).result == {"echo": ""}


async def test_a_job_that_fails_is_retried_and_then_done(world: World, queue: JobQueue, control: QueueControl) -> None:
    async def second_time(_data: Note, context: JobContext) -> int:
        if context.attempt == 1:
            raise OSError("the service is away")
        return context.attempt

    async with at_work(world, second_time):
        await world.push(payload("a"))
        record = await reaches(control, "a", State.DELAYED)
        assert record.error is not None
        assert (record.error["kind"], record.error["message"]) == ("OSError", "the service is away")
        await world.advance(61)
        await queue.promote(10)
        record = await reaches(control, "a", State.DONE)
        assert (record.result, record.attempts) == (2, 2)


async def test_a_job_that_always_fails_is_buried_with_its_error(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    # What a decoder that is not byte for byte would spoil.
    raw = (
        b'{ "id": "a", "data": {"count":  9007199254740993, "text":"\\u00e9\\/"}, "list":[] , "n": 9007199254740993}\n'
    )

    async def fail(_data: Note, context: JobContext) -> Outcome:
        return Failed("boom", f"attempt {context.attempt} of {context.max_attempts}")

    async with at_work(world, fail):
        await world.push(raw)
        for wait in (61, 121):
            await reaches(control, "a", State.DELAYED)
            await world.advance(wait)
            await queue.promote(10)
            await until(lambda: _is_claimed_again(world))
        record = await reaches(control, "a", State.DEAD)
        assert record.error == {"kind": "boom", "message": "attempt 3 of 3", "attempt": 3}
        assert (record.attempts, record.payload) == (3, raw)
    assert await world.places() == Places(dead=[raw])


async def _is_claimed_again(world: World) -> bool:
    places = await world.places()
    return not places.pending


async def test_a_job_may_ask_for_fewer_attempts(world: World, control: QueueControl) -> None:
    async def fail(_data: Note, _context: JobContext) -> Outcome:
        return Failed("boom", "no")

    async with at_work(world, fail):
        await world.push(payload("a", maxAttempts=1))
        assert (await reaches(control, "a", State.DEAD)).attempts == 1


async def test_a_deferred_job_loses_no_attempt(world: World, queue: JobQueue, control: QueueControl) -> None:
    attempts: list[int] = []

    async def busy_at_first(_data: Note, context: JobContext) -> Outcome:
        attempts.append(context.attempt)
        return Done("at last") if len(attempts) == 3 else Deferred(30, "busy")

    async with at_work(world, busy_at_first):
        await world.push(payload("a"))
        for count in (1, 2):
            await reaches(control, "a", State.DELAYED)
            await world.advance(31)
            await queue.promote(10)
            await _until_longer(attempts, count)
        assert (await reaches(control, "a", State.DONE)).result == "at last"
    assert attempts == [1, 1, 1]


async def test_a_service_that_asks_everyone_to_wait_closes_the_queue(world: World, control: QueueControl) -> None:
    async def told_to_wait(_data: Note, _context: JobContext) -> Outcome:
        return Deferred(120, "the service asked to wait", close_gate=True)

    async with at_work(world, told_to_wait, concurrency=1):
        await world.push(payload("a"), payload("b"))
        await reaches(control, "a", State.DELAYED)
        depths = await control.depths()
        assert depths.gate_ms > 60_000
        assert depths.throttled
    assert await world.places() == Places(pending=[payload("b")], delayed=[payload("a")])


async def test_a_rejected_job_is_buried_at_once_with_every_fault(world: World, control: QueueControl) -> None:
    async def reject(_data: Note, _context: JobContext) -> Outcome:
        return Rejected(("text: is empty", "count: is odd"))

    async with at_work(world, reject):
        await world.push(payload("a"))
        record = await reaches(control, "a", State.DEAD)
        assert record.error is not None
        assert record.error["faults"] == ["text: is empty", "count: is odd"]
        assert record.attempts == 1


async def test_what_is_no_job_is_buried_byte_for_byte_with_the_reason(world: World, control: QueueControl) -> None:
    broken = [
        b"not json",
        b"[1,2]",
        b'{"id":"x","data":5,"delay":-1}',
        b"\xff\x00",
        b"",
        b'{"data":{"text":7,"more":1}}',
    ]
    called: list[JobContext] = []

    async def note(_data: Note, context: JobContext) -> None:
        called.append(context)

    async with at_work(world, note):
        await world.push(*broken)

        async def all_buried() -> bool:
            return (await control.depths()).dead == len(broken)

        await until(all_buried)
    dead = {record.payload: record.error for record in await control.dead(0, 10)}
    assert sorted(map(bytes, (raw for raw in dead if raw is not None))) == sorted(broken)
    assert all(error is not None and error["kind"] == "rejected" and error["faults"] for error in dead.values())
    two_faults = dead[broken[2]], dead[broken[5]]
    assert all(error is not None and len(error["faults"]) == 2 for error in two_faults)
    assert called == []


async def test_too_large_a_job_is_buried_with_its_bytes(world: World, control: QueueControl) -> None:
    too_large = b'{"data":{"text":"' + b"x" * 1024 * 1024 + b'"}}'
    async with at_work(world, echo):
        await world.push(too_large)

        async def is_buried() -> bool:
            return (await control.depths()).dead == 1

        await until(is_buried)
    (record,) = await control.dead(0, 10)
    assert record.payload == too_large
    assert record.error is not None
    assert record.error["message"].startswith(f"too large: {len(too_large)} bytes")


async def test_a_job_that_keeps_losing_its_runner_is_buried_as_a_poison_pill(
    world: World, queue: JobQueue, control: QueueControl
) -> None:
    await world.push(payload("a"))
    for _ in range(3):
        await queue.cycle((), (), 1)
        await world.expire_leases()
        await queue.reap(10)
        await world.advance(3600)
        await queue.promote(10)
    async with at_work(world, echo):
        record = await reaches(control, "a", State.DEAD)
        assert record.error is not None
        assert record.error["kind"] == "poison"


async def test_a_result_that_is_a_model_is_kept_as_json(world: World, control: QueueControl) -> None:
    class Answer(BaseModel):
        text: str

    async def answer(_data: Note, _context: JobContext) -> Answer:
        return Answer(text="yes")

    async with at_work(world, answer):
        await world.push(payload("a"))
        assert (await reaches(control, "a", State.DONE)).result == {"text": "yes"}


async def test_a_follow_up_job_reaches_the_other_queue_exactly_once(world: World, control: QueueControl) -> None:
    async def follow(data: Note, _context: JobContext) -> Outcome:
        return Done(None, (FollowUp("next", {"text": data.text}),))

    async with at_work(world, follow):
        await world.push(payload("a", data={"text": "on"}), payload("a", data={"text": "again"}))
        await reaches(control, "a", State.DONE)
        following = world.control("next")

        async def has_arrived() -> bool:
            return (await following.depths()).pending > 0

        await until(has_arrived)
    assert (await world.places("next")).pending == (await world.places("next")).all
    assert (await following.depths()).pending == 1
    assert await following.find("a.work.next") is not None
    delivered: list[tuple[str, str]] = []

    async def receive(data: Note, context: JobContext) -> None:
        delivered.append((context.id, data.text))

    async with at_work(world, receive, queue="next"):
        await reaches(following, "a.work.next", State.DONE)
    assert delivered == [("a.work.next", "on")]


async def test_progress_can_be_seen_while_a_job_runs(world: World, control: QueueControl) -> None:
    reported, go_on = asyncio.Event(), asyncio.Event()

    async def work(_data: Note, context: JobContext) -> None:
        await context.progress(0.5, "half way")
        reported.set()
        await go_on.wait()

    async with at_work(world, work):
        await world.push(payload("a"))
        await reported.wait()
        record = await reaches(control, "a", State.INFLIGHT)
        assert record.progress == {"fraction": 0.5, "note": "half way"}
        go_on.set()
        await reaches(control, "a", State.DONE)


async def test_a_malformed_job_with_the_id_of_another_is_buried_by_an_id_of_its_own(
    world: World, control: QueueControl
) -> None:
    wrong = payload("a", data={"txt": "hello"})

    async def is_buried() -> bool:
        return bool(await control.dead(0, 10))

    async with at_work(world, echo):
        await world.push(payload("a"))
        await reaches(control, "a", State.DONE)
        await world.push(wrong)
        await until(is_buried)
    (record,) = await control.dead(0, 10)
    assert record.id != "a"
    assert record.payload == wrong
    assert record.error is not None
    assert record.error["faults"] == ["data.txt: Extra inputs are not permitted"]
    await reaches(control, "a", State.DONE)
