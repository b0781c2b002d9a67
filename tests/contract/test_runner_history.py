"""The real runner in both worlds: what a job's record keeps of what its handler did."""

from structlog.testing import capture_logs
from tests.contract.staff import Note, at_work, reaches
from tests.contract.steps import payload, until
from tests.contract.world import World

from edworkers.core.lifecycle import State
from edworkers.core.outcome import Done, Failed, FollowUp
from edworkers.ports import JobContext, JobQueue, QueueControl
from edworkers.ports.browse import Related


async def test_what_a_handler_logs_is_kept_with_the_job_and_told_in_the_log(
    world: World, control: QueueControl
) -> None:
    before = world.clock.now()

    async def chatty(_data: Note, context: JobContext) -> None:
        context.log("it begins")
        context.log("x" * 501, "warning")

    with capture_logs() as lines:
        async with at_work(world, chatty):
            await world.push(payload("a"))
            await reaches(control, "a", State.DONE)
    first, second = (await world.history("a")).logs
    assert (first.level, first.message) == ("info", "it begins")
    assert (second.level, second.message) == ("warning", "x" * 499 + "…")
    assert before <= first.at <= second.at
    told = [line for line in lines if line["event"] == "job.log"]
    assert [(line["log_level"], line["job"], line["attempt"]) for line in told] == [
        ("info", "a", 1),
        ("warning", "a", 1),
    ]
    assert told[0]["message"] == "it begins"


async def test_of_very_many_lines_the_latest_hundred_are_kept(world: World, control: QueueControl) -> None:
    async def chatty(_data: Note, context: JobContext) -> None:
        for number in range(250):
            context.log(f"line {number}")

    async with at_work(world, chatty):
        await world.push(payload("a"))
        await reaches(control, "a", State.DONE)
    logs = (await world.history("a")).logs
    assert [line.message for line in logs] == [f"line {number}" for number in range(150, 250)]


async def test_each_attempt_of_a_job_is_seen_with_its_error_and_its_log(world: World, control: QueueControl) -> None:
    async def fail(_data: Note, context: JobContext) -> Failed:
        context.log(f"attempt {context.attempt}")
        return Failed("boom", f"it broke at {context.attempt}", retryable=context.attempt == 1)

    async with at_work(world, fail, job={"backoff": {"initialSeconds": 0, "jitter": 0}}):
        queue = world.queue(runner="keeper")
        await world.push(payload("a"))
        await until(lambda: _is_delayed(control))
        await world.next_moment()
        await until(lambda: _promoted(queue))
        await reaches(control, "a", State.DEAD)
    history = await world.history("a")
    assert [(past.number, past.outcome, (past.error or {})["message"]) for past in history.past] == [
        (1, "retry", "it broke at 1"),
        (2, "bury", "it broke at 2"),
    ]
    assert [line.message for line in history.logs] == ["attempt 1", "attempt 2"]


async def _is_delayed(control: QueueControl) -> bool:
    record = await control.find("a")
    return record is not None and record.state is State.DELAYED


async def _promoted(queue: JobQueue) -> bool:
    return bool(await queue.promote(1))


async def test_jobs_that_fail_for_one_cause_are_one_group(world: World, control: QueueControl) -> None:
    async def fail(data: Note, context: JobContext) -> Failed:
        return Failed("boom", f"user {data.count} of {context.id!r} isn't there", retryable=False)

    async with at_work(world, fail):
        await world.push(*(payload(f"a{number}", data={"count": number}) for number in range(3)), b"no job")
        for number in range(3):
            await reaches(control, f"a{number}", State.DEAD)
        await until(lambda: _dead(control, 4))
    groups = {group.kind: group for group in (await world.failures()).values()}
    assert {kind: group.count for kind, group in groups.items()} == {"boom": 3, "rejected": 1}
    assert "isn't there" in groups["boom"].message
    assert (await world.history("a1")).fingerprint == groups["boom"].fingerprint


async def _dead(control: QueueControl, count: int) -> bool:
    return (await control.depths()).dead == count


async def test_a_follow_up_job_names_its_parent_and_is_named_by_it(world: World, control: QueueControl) -> None:
    async def follow(_data: Note, _context: JobContext) -> Done:
        return Done(None, (FollowUp("next", {"text": "x"}),))

    async with at_work(world, follow):
        await world.push(payload("a"))
        await reaches(control, "a", State.DONE)
        await until(lambda: _came(world))
    [child] = (await world.history("a")).related
    assert (child.queue, child.how) == ("next", "child")
    assert (await world.history(child.id, "next")).related == (Related("work", "a", "parent"),)


async def _came(world: World) -> bool:
    return bool((await world.places("next")).pending)
