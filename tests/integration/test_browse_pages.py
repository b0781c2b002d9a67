"""Lists of the jobs in each state, on a real Redis."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from pydantic_core import to_json
from tests.integration.browsing import Browsed, ids_of

from edworkers.core.errors import QueueUnavailableError
from edworkers.core.lifecycle import State
from edworkers.core.settings import Groups
from edworkers.ports import Enqueue, Settlement
from edworkers.ports.browse import JobPage, JobSummary
from edworkers.standins.free_port import free_port

LATER = 4_000_000_000_000


@pytest.fixture
async def queue(redis_url: str) -> AsyncGenerator[Browsed]:
    browsed = Browsed(redis_url)
    yield browsed
    await browsed.close()


@pytest.mark.parametrize("state", list(State))
async def test_of_an_empty_queue_there_is_an_empty_page(queue: Browsed, state: State) -> None:
    assert await queue.browser.page(state, None, 50) == JobPage([], 0, None)


async def test_jobs_that_wait_are_listed_in_the_order_of_their_claims(queue: Browsed) -> None:
    await queue.push_many(["b", "c"])
    await queue.control.enqueue([Enqueue("a", b'{"id":"a","type":"t","data":{"x":1}}', urgent=True)])
    page = await queue.browser.page(State.PENDING, None, 50)
    assert (ids_of(page.jobs), page.total, page.next) == (["a", "b", "c"], 3, None)
    first = page.jobs[0]
    assert (first.type, first.attempts, first.data) == ("t", 0, b'{"id":"a","type":"t","data":{"x":1}}')
    assert first.at is not None


async def test_a_job_that_says_when_it_was_made_has_waited_since_then(queue: Browsed) -> None:
    await queue.push_bytes(b'{"id":"a","time":"2026-01-31T09:00:00Z","data":{}}')
    [job] = (await queue.browser.page(State.PENDING, None, 50)).jobs
    assert job.at == 1_769_850_000_000


async def test_one_whose_producer_gave_it_no_id_has_none_while_it_waits(queue: Browsed) -> None:
    await queue.push_bytes(b'{"data":{"a":1}}')
    [job] = (await queue.browser.page(State.PENDING, None, 50)).jobs
    assert job == JobSummary("", State.PENDING, data=b'{"data":{"a":1}}')


async def test_the_job_that_woke_a_runner_is_the_first_that_waits(queue: Browsed) -> None:
    await queue.push_many(["a", "b", "c"])
    await queue.client.lmove(queue.key("pending"), queue.key("arrived"), "RIGHT", "LEFT")
    assert [ids_of([job]) for job in (await queue.every(State.PENDING, 1))[0]] == [["a"], ["b"], ["c"]]
    assert (await queue.browser.page(State.PENDING, None, 1)).total == 3


async def test_a_job_in_flight_says_who_has_it_since_when(queue: Browsed) -> None:
    await queue.push("a", {"x": 1})
    await queue.begin("a")
    [job] = (await queue.browser.page(State.INFLIGHT, None, 50)).jobs
    assert (job.id, job.runner, job.attempts, job.data) == ("a", "pod.1", 1, b'{"id":"a","data":{"x":1}}')
    assert job.at is not None


async def test_one_that_was_claimed_and_has_not_begun_is_in_flight(queue: Browsed) -> None:
    await queue.push_bytes(b'{"data":{}}')
    [delivery] = (await queue.queue.cycle((), (), 1)).deliveries
    [job] = (await queue.browser.page(State.INFLIGHT, None, 50)).jobs
    assert (job.id, job.runner, job.at) == (delivery.receipt, "pod.1", None)


async def test_a_job_that_failed_waits_with_its_error_until_it_is_due(queue: Browsed) -> None:
    await queue.push("a", {})
    delivery = await queue.begin("a")
    error = to_json({"kind": "timeout", "message": "took too long"})
    settled = Settlement(delivery.receipt, "a", delivery.receipt, "retry", 1, 1, error, due=LATER)
    await queue.queue.cycle((settled,), (), 0)
    [job] = (await queue.browser.page(State.DELAYED, None, 50)).jobs
    assert (job.id, job.attempts, job.at) == ("a", 1, LATER)
    assert (job.error_kind, job.error_message) == ("timeout", "took too long")


async def test_delayed_jobs_are_listed_by_when_they_are_due(queue: Browsed) -> None:
    due = {"c": LATER + 2, "a": LATER, "b": LATER + 1, "aa": LATER}
    await queue.control.enqueue([Enqueue(i, to_json({"id": i, "data": {}}), due=at) for i, at in due.items()])
    jobs, _ = await queue.every(State.DELAYED, 1)
    assert [(job.id, job.at) for job in jobs] == [("a", LATER), ("aa", LATER), ("b", LATER + 1), ("c", LATER + 2)]


async def test_a_dead_job_says_what_of(queue: Browsed) -> None:
    await queue.dead("a", b'{"id":"a","type":"t","data":{}}', message="the page is gone")
    [job] = (await queue.browser.page(State.DEAD, None, 50)).jobs
    assert (job.id, job.error_kind, job.error_message, job.seconds) == ("a", "rejected", "the page is gone", 1.5)
    assert (job.type, job.attempts, job.data) == ("t", 1, b'{"id":"a","type":"t","data":{}}')


async def test_jobs_that_are_done_are_listed_without_those_that_were_cancelled(queue: Browsed) -> None:
    await queue.done("a", {"text": "result"})
    await queue.control.enqueue([Enqueue("c", b'{"id":"c","data":{}}', due=LATER)])
    assert await queue.control.cancel("c") == "cancelled"
    await queue.done("b", None)
    done, cancelled = [await queue.browser.page(state, None, 50) for state in (State.DONE, State.CANCELLED)]
    assert sorted(ids_of(done.jobs)) == ["a", "b"]
    assert ids_of(cancelled.jobs) == ["c"]
    assert (done.next, cancelled.next, done.total, cancelled.total) == (None, None, 3, 3)


async def test_a_job_that_is_done_shows_no_error_of_an_attempt_before(queue: Browsed) -> None:
    await queue.client.hset(queue.key("job:a"), "error", '{"kind":"timeout","message":"m"}')
    await queue.done("a", None)
    [job] = (await queue.browser.page(State.DONE, None, 50)).jobs
    assert (job.error_kind, job.error_message) == (None, None)


async def test_how_long_a_job_waited_is_known_where_it_was_enqueued(queue: Browsed) -> None:
    await queue.control.enqueue([Enqueue("a", b'{"id":"a","data":{}}')])
    await queue.end(await queue.begin("a"), "a", "ack")
    [job] = (await queue.browser.page(State.DONE, None, 50)).jobs
    assert job.waited_ms is not None
    assert job.waited_ms >= 0


async def test_the_few_that_were_cancelled_are_found_among_many_that_are_done(queue: Browsed) -> None:
    cancelled = {70, 1500, 2100}
    await _finish(queue, 2200, cancelled)
    jobs, sizes = await queue.every(State.CANCELLED, 50)
    assert ids_of(jobs) == ["2100", "1500", "70"]
    assert sizes == [3]


async def test_a_page_passes_over_no_more_than_five_thousand_and_says_where_to_go_on(queue: Browsed) -> None:
    await _finish(queue, 7500, {0})
    page = await queue.browser.page(State.CANCELLED, None, 50)
    assert (page.jobs, page.total) == ([], 7500)
    rest = await queue.browser.page(State.CANCELLED, page.next, 50)
    assert (ids_of(rest.jobs), rest.next) == (["0"], None)


async def _finish(queue: Browsed, count: int, cancelled: set[int]) -> None:
    async with queue.client.pipeline(transaction=False) as pipe:
        for number in range(count):
            state = "cancelled" if number in cancelled else "done"
            pipe.hset(queue.key(f"job:{number}"), mapping={"state": state, "finishedAt": 1000 + number})
            pipe.zadd(queue.key("finished"), {f"300:{number}": 1000 + number})
        await pipe.execute()


@pytest.mark.parametrize("state", [State.DEAD, State.DONE])
async def test_records_that_have_expired_are_left_out_though_they_are_still_listed(
    queue: Browsed, state: State
) -> None:
    for job_id in ("a", "b", "c", "d"):
        await (queue.dead(job_id) if state is State.DEAD else queue.done(job_id, None))
    await queue.client.delete(queue.key("job:b"), queue.key("job:d"))
    jobs, sizes = await queue.every(state, 2)
    assert sorted(ids_of(jobs)) == ["a", "c"]
    assert sizes == [2]


async def test_a_job_that_ran_again_after_its_record_had_expired_is_listed_once(queue: Browsed) -> None:
    await queue.client.zadd(queue.key("finished"), {"301:a": 1000})
    await queue.done("a", None)
    assert ids_of((await queue.browser.page(State.DONE, None, 50)).jobs) == ["a"]


async def test_in_a_fair_queue_the_list_comes_first_and_then_each_groups_line(redis_url: str) -> None:
    queue = Browsed(redis_url, groups=Groups(by="school"))
    for number, school in enumerate(("b", "a", "b", "a")):
        await queue.push(f"{school}{number}", {"school": school})
    await queue.queue.sort(100)
    await queue.push("new", {"school": "c"})
    jobs, sizes = await queue.every(State.PENDING, 2)
    await queue.close()
    assert [(job.id, job.group) for job in jobs] == [
        *(("new", "c"), ("a1", "a"), ("a3", "a"), ("b0", "b"), ("b2", "b")),
    ]
    assert sizes == [2, 2, 1]


async def test_a_page_has_a_hundred_jobs_at_most_and_one_at_least(queue: Browsed) -> None:
    await queue.push_many([str(number) for number in range(120)])
    sizes = [len((await queue.browser.page(State.PENDING, None, count)).jobs) for count in (1000, 100, 0, -5)]
    assert sizes == [100, 100, 1, 1]


def _words(cursor: Any) -> Any:
    return [
        *("", "x", "é", "WyJwZW5kaW5nIl0", "WyJkZWFkIiwiYWZ0ZXIiXQ", "AAAA", cursor[:-4], cursor + "A" * 5),
        *("eyJhIjoxfQ", "WzFd", "bnVsbA"),
    ]


@pytest.mark.parametrize("state", list(State))
async def test_what_is_no_cursor_of_this_list_is_refused(queue: Browsed, state: State) -> None:
    await queue.push_many(["a", "b"])
    page = await queue.browser.page(State.PENDING, None, 1)
    others = [page.next] if state is not State.PENDING else []
    for cursor in (*_words(page.next), *others):
        with pytest.raises(ValueError, match=f"this cursor isn't one of the {state.value} jobs"):
            await queue.browser.page(state, cursor, 1)


@pytest.mark.parametrize("state", list(State))
async def test_without_a_redis_it_is_an_error_at_once(state: State) -> None:
    queue = Browsed(f"redis://127.0.0.1:{free_port()}")
    with pytest.raises(QueueUnavailableError, match="Redis can't be used"):
        await queue.browser.page(state, None, 1)
    await queue.close()
