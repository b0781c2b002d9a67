"""Everything about one job, wherever it is, on a real Redis."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from pydantic_core import to_json
from tests.integration.browsing import Browsed

from edworkers.adapters.redis.browse.found import MOST
from edworkers.core.errors import QueueUnavailableError
from edworkers.core.lifecycle import State
from edworkers.core.settings import Groups
from edworkers.ports import Enqueue, Settlement
from edworkers.ports.browse import FailureGroup, JobDetail, LogLine, PastAttempt, Related
from edworkers.standins.free_port import free_port

LATER = 4_000_000_000_000
JOB = b'{"id":"a","type":"t","group":"g","data":{"x":[]}}'


@pytest.fixture
async def queue(redis_url: str) -> AsyncGenerator[Browsed]:
    browsed = Browsed(redis_url)
    yield browsed
    await browsed.close()


async def told(queue: Browsed, job_id: str) -> JobDetail:
    detail = await queue.browser.detail(job_id)
    assert detail is not None
    return detail


@pytest.mark.parametrize("job_id", ["nobody", "", "a b", "é", "}{", "*"])
async def test_of_nobody_nothing_is_told(queue: Browsed, job_id: str) -> None:
    await queue.push_bytes(JOB)
    assert await queue.browser.detail(job_id) is None


async def test_of_one_that_was_only_pushed_its_bytes_tell(queue: Browsed) -> None:
    await queue.push_bytes(JOB)
    detail = await told(queue, "a")
    assert (detail.record.state, detail.record.type, detail.record.payload) == (State.PENDING, "t", JOB)
    assert (detail.group, detail.runner, detail.text) == ("g", None, None)


async def test_of_one_that_was_enqueued_its_record_tells_too(queue: Browsed) -> None:
    await queue.control.enqueue([Enqueue("a", JOB)])
    detail = await told(queue, "a")
    assert (detail.record.state, detail.record.payload) == (State.PENDING, JOB)
    assert detail.record.queued_at is not None


@pytest.mark.parametrize("job_id", ["a/b", 'a"b', "a\\b", "a\\/b"])
@pytest.mark.parametrize("is_escaped", [False, True])
async def test_a_job_is_found_however_its_id_is_written(queue: Browsed, job_id: str, *, is_escaped: bool) -> None:
    payload = to_json({"id": job_id, "data": {}})
    await queue.push_bytes(payload.replace(b"/", b"\\/") if is_escaped else payload)
    assert (await told(queue, job_id)).record.id == job_id


async def test_a_job_whose_data_only_speak_of_an_id_isnt_it(queue: Browsed) -> None:
    await queue.push_bytes(b'{"id":"b","data":{"id":"a"}}')
    assert await queue.browser.detail("a") is None


async def test_the_job_that_woke_a_runner_is_found(queue: Browsed) -> None:
    await queue.push_bytes(JOB)
    await queue.client.lmove(queue.key("pending"), queue.key("arrived"), "RIGHT", "LEFT")
    assert (await told(queue, "a")).record.payload == JOB


async def test_in_a_long_list_those_at_both_ends_are_found_and_no_others(queue: Browsed) -> None:
    await queue.push_many([f"j{number}" for number in range(2 * MOST + 10)])
    found = [await queue.browser.detail(f"j{place}") for place in (0, MOST - 1, MOST + 5, MOST + 10, 2 * MOST + 9)]
    assert [detail is not None for detail in found] == [True, True, False, True, True]


async def test_in_a_fair_queue_a_job_is_found_in_its_line(redis_url: str) -> None:
    queue = Browsed(redis_url, groups=Groups(by="school"))
    await queue.push("a", {"school": "s"})
    await queue.queue.sort(10)
    detail = await told(queue, "a")
    await queue.close()
    assert (detail.record.state, detail.group) == (State.PENDING, "s")


async def test_a_job_in_flight_says_who_has_it(queue: Browsed) -> None:
    await queue.push_bytes(JOB)
    await queue.begin("a")
    detail = await told(queue, "a")
    assert (detail.record.state, detail.record.payload, detail.runner) == (State.INFLIGHT, JOB, "pod.1")


async def test_a_job_that_is_put_off_has_its_payload(queue: Browsed) -> None:
    await queue.push_bytes(JOB)
    delivery = await queue.begin("a")
    error = to_json({"kind": "timeout", "message": "m"})
    await queue.queue.cycle(
        (Settlement(delivery.receipt, "a", delivery.receipt, "retry", 1, 1, error, due=LATER),), (), 0
    )
    detail = await told(queue, "a")
    assert (detail.record.state, detail.record.due_at, detail.record.payload) == (State.DELAYED, LATER, JOB)
    assert (detail.group, detail.runner) == ("g", None)
    assert [attempt.error for attempt in detail.past] == [{"kind": "timeout", "message": "m"}]


async def test_a_dead_job_has_its_payload_and_its_cause(queue: Browsed) -> None:
    await queue.dead("a", JOB, message="gone")
    detail = await told(queue, "a")
    assert (detail.record.state, detail.record.payload, detail.group) == (State.DEAD, JOB, "g")
    assert detail.record.error == {"kind": "rejected", "message": "gone"}
    assert [attempt.outcome for attempt in detail.past] == ["bury"]


async def test_a_job_that_is_done_has_its_result(queue: Browsed) -> None:
    await queue.done("a", {"answer": 42})
    detail = await told(queue, "a")
    assert (detail.record.state, detail.record.result, detail.record.payload) == (State.DONE, {"answer": 42}, None)


async def test_what_a_record_keeps_of_the_past_is_told(queue: Browsed) -> None:
    await queue.done("a", None)
    fields: dict[str, Any] = {
        "past": 1,
        "past:1": to_json({"number": 1, "outcome": "retry", "startedAt": 1, "endedAt": 2, "error": {"kind": "k"}}),
        "logs": to_json([{"at": 3, "level": "info", "message": "hello"}]),
        "followUps": to_json([{"queue": "webhook", "id": "a.webhook"}]),
        "parent": "ai b",
    }
    await queue.client.hset(queue.key("job:a"), mapping=fields)
    detail = await told(queue, "a")
    assert detail.past == (PastAttempt(1, "retry", 1, 2, {"kind": "k"}),)
    assert detail.logs == (LogLine(3, "info", "hello"),)
    assert detail.related == (Related("ai", "b", "parent"), Related("webhook", "a.webhook", "child"))


async def test_the_text_that_was_written_so_far_is_told(queue: Browsed) -> None:
    await queue.push_bytes(JOB)
    await queue.begin("a")
    for piece in ("Because ", "of the ", "ai", "r é"):
        await queue.client.xadd(queue.key("text:a"), {"t": piece})
    assert (await told(queue, "a")).text == "Because of the air é"


async def test_failures_are_grouped_by_cause_those_with_the_most_first(queue: Browsed) -> None:
    cause = '{"kind":"timeout","message":"no answer"}'
    await queue.client.hset(
        queue.key("failures"), mapping={"few": f"2 5 9 {cause}", "many": f"30 1 8 {cause}", "odd": "no group"}
    )
    many = FailureGroup("many", "timeout", "no answer", 30, 1, 8)
    assert await queue.browser.failures(10) == [many, FailureGroup("few", "timeout", "no answer", 2, 5, 9)]
    assert await queue.browser.failures(1) == [many]


async def test_where_nothing_failed_there_are_no_failures(queue: Browsed) -> None:
    assert await queue.browser.failures(10) == []


async def test_without_a_redis_details_and_failures_are_an_error_at_once() -> None:
    queue = Browsed(f"redis://127.0.0.1:{free_port()}")
    for call in (queue.browser.detail("a"), queue.browser.failures(1)):
        with pytest.raises(QueueUnavailableError, match="Redis can't be used"):
            await call
    await queue.close()
