"""What producers and others may have put into a queue: it has to be seen, and must break no list."""

from collections.abc import AsyncGenerator

import pytest
from tests.integration.browsing import Browsed, ids_of

from edworkers.adapters.redis.browse.browser import PAGE_BYTES
from edworkers.core.lifecycle import State
from edworkers.core.settings import MAX_PAYLOAD_BYTES
from edworkers.ports import Enqueue
from edworkers.ports.browse import Wanted

LATER = 4_000_000_000_000
ODD = [
    *(b"", b"no JSON", b"\xff\xfe\x00", b"[]", b"null", b"1", b'"text"', b'{"id":5}', b'{"id":""}', b'{"data":[]}'),
    *(b"[" * 5000, b'{"data":' + b'{"a":' * 3000 + b"1" + b"}" * 3001, b"\x1e", b"\x1eno header\n{}", b"\0" * 100),
    *(b'{"id":"x","data":{"a":NaN}}', b'{"id":"\\ud800","data":{}}', b"\xef\xbb\xbf{}", b'{"id":"a","type":5}'),
    b"<script>alert(1)</script>",
]


@pytest.fixture
async def queue(redis_url: str) -> AsyncGenerator[Browsed]:
    browsed = Browsed(redis_url)
    yield browsed
    await browsed.close()


async def test_whatever_waits_is_listed_and_can_be_searched(queue: Browsed) -> None:
    for payload in ODD:
        await queue.push_bytes(payload)
    jobs, sizes = await queue.every(State.PENDING, 6)
    assert [job.data for job in jobs] == [payload[:2048] for payload in ODD]
    assert sizes == [6, 6, 6, 2]
    found = await queue.browser.search(State.PENDING, Wanted(text="SCRIPT>alert"), None, 100)
    assert [job.data for job in found.jobs] == [b"<script>alert(1)</script>"]


async def test_whatever_is_in_flight_or_delayed_is_listed(queue: Browsed) -> None:
    for payload in ODD:
        await queue.push_bytes(payload)
    await queue.queue.cycle((), (), 100)
    await queue.control.enqueue([Enqueue(f"d{n}", payload, due=LATER) for n, payload in enumerate(ODD)])
    for state in (State.INFLIGHT, State.DELAYED):
        jobs, _ = await queue.every(state, 7)
        assert sorted(job.data for job in jobs) == sorted(payload[:2048] for payload in ODD)
        assert (await queue.browser.search(state, Wanted(text="no header"), None, 100)).looked_at == len(ODD)


async def test_whatever_died_is_listed_and_told(queue: Browsed) -> None:
    for number, payload in enumerate(ODD):
        await queue.dead(f"d{number}", payload)
    jobs, _ = await queue.every(State.DEAD, 7)
    assert {job.id: job.data for job in jobs} == {f"d{n}": payload[:2048] for n, payload in enumerate(ODD)}
    for number, payload in enumerate(ODD):
        detail = await queue.browser.detail(f"d{number}")
        assert detail is not None
        assert detail.record.payload == payload


async def test_a_page_of_large_payloads_is_smaller_and_all_of_them_come(queue: Browsed) -> None:
    for number in range(10):
        await queue.push(f"j{number}", {"text": "x" * (MAX_PAYLOAD_BYTES - 100)})
    jobs, sizes = await queue.every(State.PENDING, 100)
    assert ids_of(jobs) == [f"j{number}" for number in range(10)]
    assert max(sizes) <= PAGE_BYTES // (MAX_PAYLOAD_BYTES - 100) + 1
    assert all(len(job.data) == 2048 for job in jobs)


@pytest.mark.parametrize("state", [State.INFLIGHT, State.DELAYED, State.DEAD])
async def test_in_every_state_a_page_of_large_payloads_is_smaller(queue: Browsed, state: State) -> None:
    body = b'{"data":{"text":"%s"}}' % (b"x" * (MAX_PAYLOAD_BYTES - 100))
    for number in range(10):
        if state is State.DELAYED:
            await queue.control.enqueue([Enqueue(f"j{number}", body, due=LATER)])
        elif state is State.DEAD:
            await queue.dead(f"j{number}", body)
        else:
            await queue.push_bytes(body)
    if state is State.INFLIGHT:
        await queue.queue.cycle((), (), 10)
    jobs, sizes = await queue.every(state, 100)
    assert len({job.id for job in jobs}) == 10
    assert max(sizes) <= 5


async def test_of_one_that_is_too_large_to_be_a_job_the_beginning_is_shown(queue: Browsed) -> None:
    huge = b'{"id":"a","data":{"text":"%s"}}' % (b"x" * (5 * MAX_PAYLOAD_BYTES))
    await queue.push_bytes(huge)
    await queue.push("b", {})
    jobs, sizes = await queue.every(State.PENDING, 100)
    assert [(job.id, job.data) for job in jobs] == [("", huge[:2048]), ("b", b'{"id":"b","data":{}}')]
    assert sizes == [1, 1]


async def test_one_that_is_too_large_is_shown_in_its_line_in_flight_and_dead(queue: Browsed) -> None:
    huge = b"x" * (3 * MAX_PAYLOAD_BYTES)
    await queue.client.zadd(queue.key("fair"), {b"g\x00500000000000001\x00" + huge: 0})
    await queue.dead("d", huge)
    await queue.push_bytes(huge)
    await queue.queue.cycle((), (), 1)
    for state in (State.PENDING, State.INFLIGHT, State.DEAD):
        [job] = (await queue.browser.page(state, None, 10)).jobs
        assert (job.state, job.data) == (state, huge[:2048])


async def test_members_of_indices_that_somebody_set_by_hand_break_no_list(queue: Browsed) -> None:
    await queue.dead("a")
    await queue.done("b", None)
    odd = (b"\xff", b"12:", b"x:y", b"no colon", b"g\0no place\0{}")
    await queue.client.zadd(queue.key("fair"), dict.fromkeys(odd, 0))
    for key in ("dead", "finished", "delayed", "lease"):
        await queue.client.zadd(queue.key(key), {b"\xff": 1, b"": 2, b"12:": 3.5, b"x:y": "-inf", b"no colon": "inf"})
    assert ids_of((await queue.every(State.DEAD, 2))[0]) == ["a"]
    assert ids_of((await queue.every(State.DONE, 2))[0]) == ["b"]
    assert ids_of((await queue.every(State.DELAYED, 2))[0]) == []
    assert ids_of((await queue.every(State.INFLIGHT, 2))[0]) == []
    assert len((await queue.every(State.PENDING, 2))[0]) == 5


async def test_records_with_odd_fields_are_listed(queue: Browsed) -> None:
    await queue.dead("a")
    fields = {
        "attempts": "many",
        "seconds": "x",
        "error": b"\xff no JSON",
        "type": b"\xff",
        "queuedAt": "-",
        "startedAt": "",
    }
    await queue.client.hset(queue.key("job:a"), mapping=fields)
    [job] = (await queue.browser.page(State.DEAD, None, 10)).jobs
    assert (job.id, job.attempts, job.seconds, job.error_kind) == ("a", 0, None, "unknown")
    assert job.error_message == "\ufffd no JSON"


@pytest.mark.parametrize("error", [b"[]", b"null", b"{}", b'{"kind":5,"message":["m"]}'])
async def test_errors_of_odd_kinds_are_listed(queue: Browsed, error: bytes) -> None:
    await queue.dead("a")
    await queue.client.hset(queue.key("job:a"), "error", error)
    [job] = (await queue.browser.page(State.DEAD, None, 10)).jobs
    assert job.id == "a"


async def test_an_entry_that_is_gone_while_its_index_stands_is_left_out(queue: Browsed) -> None:
    await queue.control.enqueue([Enqueue(job_id, b"{}", due=LATER) for job_id in ("a", "b", "c")])
    await queue.push_many(["x", "y"])
    first, _ = (await queue.queue.cycle((), (), 2)).deliveries
    await queue.client.hdel(queue.key("entries"), "b")
    await queue.client.hdel(queue.key("inflight"), first.receipt)
    assert ids_of((await queue.every(State.DELAYED, 2))[0]) == ["a", "c"]
    assert ids_of((await queue.every(State.INFLIGHT, 2))[0]) == ["y"]
