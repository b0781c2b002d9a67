"""Searches for jobs in each state, on a real Redis."""

from collections.abc import AsyncGenerator

import pytest
from pydantic_core import to_json
from tests.integration.browsing import Browsed, ids_of

from edworkers.adapters.redis.browse.browser import STEP_BYTES
from edworkers.core.errors import QueueUnavailableError
from edworkers.core.lifecycle import State
from edworkers.core.settings import Groups
from edworkers.ports import Enqueue, Settlement
from edworkers.ports.browse import Found, Wanted
from edworkers.standins.free_port import free_port

LATER = 4_000_000_000_000


@pytest.fixture
async def queue(redis_url: str) -> AsyncGenerator[Browsed]:
    browsed = Browsed(redis_url, groups=Groups(by="school"))
    yield browsed
    await browsed.close()


async def _fill(queue: Browsed, state: State) -> None:
    """Put four jobs into a state; those that are done keep no payload, and so no group."""
    for number, prompt in enumerate(("Why is the SKY blue?", 'say \\ and "quoted"', "Où est l'école ?", "nothing")):
        job = {"id": f"job-{number}", "type": f"t{number % 2}", "data": {"school": f"s{number // 2}", "prompt": prompt}}
        body = to_json(job) if number != 2 else _escaped(job)
        if state is State.DELAYED:
            await queue.control.enqueue([Enqueue(f"job-{number}", body, due=LATER + number)])
            continue
        await queue.push_bytes(body)
        if state is State.PENDING:
            continue
        await queue.queue.sort(10)
        delivery = await queue.begin(f"job-{number}")
        if state is State.DEAD:
            error = {"kind": f"k{number % 2}", "message": f"Message {number}", "traceback": f"File x, line {number}7"}
            await queue.end(delivery, f"job-{number}", "bury", error)


def _escaped(job: object) -> bytes:
    """Write JSON as those do who send ASCII only."""
    import json

    return json.dumps(job).encode()


WITH_DATA = pytest.mark.parametrize("state", [State.PENDING, State.INFLIGHT, State.DELAYED, State.DEAD])


@WITH_DATA
@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), {0, 1, 2, 3}),
        (Wanted(text="sky"), {0}),
        (Wanted(text="the sky  BLUE?"), set[int]()),
        (Wanted(text="Sky Blue?"), {0}),
        (Wanted(text='"quoted"'), {1}),
        (Wanted(text="\\ and"), {1}),
        (Wanted(text="OÙ EST L'ÉCOLE"), {2}),
        (Wanted(text="l'école ?"), {2}),
        (Wanted(text="JOB-3"), {3}),
        (Wanted(text="nowhere"), set[int]()),
        (Wanted(type="t1"), {1, 3}),
        (Wanted(type="T1"), set[int]()),
        (Wanted(group="s1"), {2, 3}),
        (Wanted(group="s1", type="t1", text="noth"), {3}),
    ],
)
async def test_jobs_are_found_by_what_their_bytes_say(
    queue: Browsed, state: State, wanted: Wanted, found: set[int]
) -> None:
    await _fill(queue, state)
    assert sorted(await queue.find_all(state, wanted, at_most=3)) == [f"job-{number}" for number in sorted(found)]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(text="message 2"), ["job-2"]),
        (Wanted(text="line 37"), ["job-3"]),
        (Wanted(error_kind="k1"), ["job-1", "job-3"]),
        (Wanted(error_kind="k"), []),
        (Wanted(fingerprint="f2"), ["job-2"]),
        (Wanted(fingerprint="f2", error_kind="k1"), []),
    ],
)
async def test_dead_jobs_are_found_by_what_they_died_of(queue: Browsed, wanted: Wanted, found: list[str]) -> None:
    await _fill(queue, State.DEAD)
    for number in range(4):
        await queue.client.hset(queue.key(f"job:job-{number}"), "fingerprint", f"f{number}")
    assert sorted(await queue.find_all(State.DEAD, wanted)) == found


@pytest.mark.parametrize("state", [State.PENDING, State.DELAYED])
async def test_a_job_that_waits_again_is_found_by_its_last_error(queue: Browsed, state: State) -> None:
    await queue.push("a", {})
    await queue.push("b", {})
    await queue.queue.sort(10)
    delivery = await queue.begin("a")
    error = to_json({"kind": "timeout", "message": "No answer"})
    now = (await queue.queue.cycle((), (), 0)).now
    due = LATER if state is State.DELAYED else now
    await queue.queue.cycle(
        (Settlement(delivery.receipt, "a", delivery.receipt, "retry", 1, 1, error, due=due),), (), 0
    )
    await queue.queue.promote(10)
    for wanted in (Wanted(text="no ANSWER"), Wanted(error_kind="timeout")):
        assert await queue.find_all(state, wanted) == ["a"]


async def test_jobs_that_ended_are_found_by_when_they_did(queue: Browsed) -> None:
    for number in range(5):
        await queue.client.hset(queue.key(f"job:{number}"), mapping={"state": "done", "finishedAt": 1000 + number})
        await queue.client.zadd(queue.key("finished"), {f"300:{number}": 1000 + number})
    assert await queue.find_all(State.DONE, Wanted(after=1001, before=1003)) == ["3", "2", "1"]
    assert await queue.find_all(State.CANCELLED, Wanted(after=1001)) == []


async def test_delayed_jobs_are_found_by_when_they_are_due(queue: Browsed) -> None:
    await _fill(queue, State.DELAYED)
    assert await queue.find_all(State.DELAYED, Wanted(after=LATER + 1, before=LATER + 2)) == ["job-1", "job-2"]


async def test_one_that_doesnt_say_since_when_it_waits_is_in_no_span_of_time(queue: Browsed) -> None:
    await queue.push("a", {})
    assert await queue.find_all(State.PENDING, Wanted(after=1)) == []
    assert await queue.find_all(State.PENDING, Wanted()) == ["a"]


@pytest.mark.parametrize("state", list(State))
async def test_a_search_of_nothing_ends_at_once(queue: Browsed, state: State) -> None:
    assert await queue.browser.search(state, Wanted(text="x"), None, 100) == Found([], 0, None)


@pytest.mark.parametrize("at_most", [1, 7, 100, 1000, 5000])
async def test_every_step_looks_at_no_more_than_it_may_and_all_steps_at_every_job(queue: Browsed, at_most: int) -> None:
    await queue.push_many([f"j{number}" for number in range(1200)])
    if at_most == 1:
        await queue.client.ltrim(queue.key("pending"), 0, 99)
    total = await queue.client.llen(queue.key("pending"))
    looked_at, steps, cursor = 0, 0, None
    while cursor is not None or steps == 0:
        found = await queue.browser.search(State.PENDING, Wanted(text="nowhere"), cursor, at_most)
        looked_at, steps, cursor = looked_at + found.looked_at, steps + 1, found.next
    assert (looked_at, steps) == (total, -(-total // at_most))


async def test_a_search_goes_on_where_it_was_while_jobs_are_claimed(queue: Browsed) -> None:
    await queue.push_many([f"j{number}" for number in range(2000)])
    first = await queue.browser.search(State.PENDING, Wanted(), None, 1000)
    await queue.client.rpop(queue.key("pending"), 700)
    second = await queue.browser.search(State.PENDING, Wanted(), first.next, 1000)
    assert ids_of([*first.jobs, *second.jobs]) == [f"j{number}" for number in range(2000)]


async def test_a_step_over_large_payloads_ends_when_enough_is_read(queue: Browsed) -> None:
    large = b'{"data":{"text":"%s"}}' % (b"x" * 1_000_000)
    for _ in range(25):
        await queue.push_bytes(large)
    found = await queue.browser.search(State.PENDING, Wanted(text="needle"), None, 100)
    assert STEP_BYTES // len(large) < found.looked_at < 25
    assert found.next is not None
    rest = await queue.browser.search(State.PENDING, Wanted(text="needle"), found.next, 100)
    assert (found.looked_at + rest.looked_at, rest.next) == (25, None)


async def test_in_lines_jobs_are_found_by_their_groups(queue: Browsed) -> None:
    for number in range(30):
        await queue.push(f"j{number}", {"school": f"s{number % 10}"})
    await queue.queue.sort(20)
    ids = await queue.find_all(State.PENDING, Wanted(group="s3"), at_most=7)
    assert sorted(ids) == ["j13", "j23", "j3"]


async def test_a_group_whose_name_is_a_digest_is_found(queue: Browsed) -> None:
    await queue.push("a", {"school": ["no", "name"]})
    [job] = (await queue.browser.page(State.PENDING, None, 1)).jobs
    assert job.group is not None
    assert await queue.find_all(State.PENDING, Wanted(group=job.group)) == ["a"]


async def test_no_cursor_of_another_list_is_taken(queue: Browsed) -> None:
    await queue.push_many(["a", "b"])
    cursor = (await queue.browser.page(State.PENDING, None, 1)).next
    with pytest.raises(ValueError, match="this cursor isn't one of the dead jobs"):
        await queue.browser.search(State.DEAD, Wanted(), cursor, 1)


async def test_without_a_redis_a_search_is_an_error_at_once() -> None:
    queue = Browsed(f"redis://127.0.0.1:{free_port()}")
    with pytest.raises(QueueUnavailableError, match="Redis can't be used"):
        await queue.browser.search(State.DEAD, Wanted(), None, 1)
    await queue.close()
