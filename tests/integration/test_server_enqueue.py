import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from pydantic_core import from_json
from tests.integration.processes import Queue
from tests.integration.server_site import GOOD, Site, problem, serving

from edworkers.pipeline.traced import enqueue_traced
from edworkers.server.api import enqueue

JOBS = "/v1/queues/ai/jobs"


@pytest.fixture
async def site(redis_url: str) -> AsyncGenerator[Site]:
    async with serving(redis_url) as served:
        yield served


@pytest.fixture
async def ai(redis_url: str) -> AsyncGenerator[Queue]:
    seen = Queue(redis_url, redis_url, "ai")
    yield seen
    await seen.close()


async def test_a_job_is_answered_at_once_with_its_id_and_where_to_ask_for_it(site: Site, ai: Queue) -> None:
    answer = await site.post(JOBS, {"id": "a1", "data": GOOD})
    assert answer.status_code == 202
    location = "/v1/queues/ai/jobs/a1"
    assert answer.json() == {"jobId": "a1", "queue": "ai", "status": "processing", "location": location}
    assert answer.headers["location"] == location
    found = (await site.get(location)).json()
    assert (found["state"], found["queue"]) == ("pending", "ai")
    assert (await ai.depths()).pending == 1


async def test_data_without_an_envelope_gets_an_id_that_the_runner_will_know_it_by(site: Site, ai: Queue) -> None:
    answer = await site.post(JOBS, GOOD)
    [payload] = await ai.client.lrange(ai.key("pending"), 0, -1)
    document = from_json(payload)
    assert document["id"] == answer.json()["jobId"]
    assert document["data"] == GOOD
    assert document["time"]


async def test_what_was_sent_is_kept_byte_for_byte(site: Site, ai: Queue) -> None:
    data = b'{"conversationId":"c1",  "userId":"u1","prompt":"\\u00e9 \xc3\xa9"}'
    await site.client.post(JOBS, content=b' {"data": ' + data + b"}", headers={"Content-Type": "application/json"})
    [payload] = await ai.client.lrange(ai.key("pending"), 0, -1)
    assert data in payload


async def test_the_trace_of_the_request_goes_on_in_the_job_unless_it_has_its_own(site: Site, ai: Queue) -> None:
    ours, its_own = f"00-{'a' * 32}-{'b' * 16}-01", f"00-{'c' * 32}-{'d' * 16}-01"
    await site.post(JOBS, {"id": "a1", "data": GOOD}, headers={"traceparent": ours})
    await site.post(JOBS, {"id": "a2", "data": GOOD, "traceparent": its_own}, headers={"traceparent": ours})
    await site.post(JOBS, {"id": "a3", "data": GOOD}, headers={"traceparent": "nonsense"})
    found = {
        job["id"]: job.get("traceparent") for job in map(from_json, await ai.client.lrange(ai.key("pending"), 0, -1))
    }
    assert found == {"a1": ours, "a2": its_own, "a3": None}


async def test_a_job_whose_id_is_known_says_so_and_is_not_taken_again(site: Site, ai: Queue) -> None:
    await site.post(JOBS, {"id": "a1", "data": GOOD})
    answer = await site.post(JOBS, {"id": "a1", "data": GOOD})
    assert (answer.status_code, answer.json()["status"]) == (200, "duplicate")
    assert (await ai.depths()).pending == 1


async def test_a_null_id_is_as_good_as_none(site: Site) -> None:
    answer = await site.post(JOBS, {"id": None, "data": GOOD})
    assert answer.status_code == 202
    assert answer.json()["jobId"]


async def test_an_urgent_job_goes_before_the_others(site: Site, ai: Queue) -> None:
    await site.post(JOBS, {"id": "a1", "data": GOOD})
    await site.post(f"{JOBS}?urgent=true", {"id": "a2", "data": GOOD})
    first = from_json(await ai.client.lindex(ai.key("pending"), -1))
    assert first["id"] == "a2"


async def test_a_job_for_later_is_delayed(site: Site, ai: Queue) -> None:
    await site.post(JOBS, {"id": "a1", "data": GOOD, "delay": 3600})
    found = (await site.get(f"{JOBS}/a1")).json()
    assert found["state"] == "delayed"
    assert found["dueAt"]
    assert (await ai.depths()).delayed == 1


async def test_every_fault_of_a_job_is_named(site: Site, ai: Queue) -> None:
    wrong = {"id": "x y", "maxAttempts": 0, "runat": "2026-01-01T00:00:00Z", "data": {"prompt": 7}}
    found = problem(await site.post(JOBS, wrong), 422, "invalid-job")
    text = "\n".join(found["faults"])
    for part in ("id", "maxAttempts", "runat", "data.userId", "data.conversationId", "data.prompt"):
        assert part in text, (part, text)
    assert (await ai.depths()).pending == 0


async def test_data_by_itself_has_its_own_faults_and_no_others(site: Site) -> None:
    found = problem(await site.post(JOBS, {"userId": "u1", "prompt": ""}), 422, "invalid-job")
    assert found["faults"] == ["data.conversationId: Field required", "data.prompt: must not be empty"]


async def test_a_queue_whose_handlers_are_not_here_takes_any_data(site: Site) -> None:
    assert (await site.post("/v1/queues/work/jobs", {"whatever": [1, 2]})).status_code == 202
    found = problem(await site.post("/v1/queues/work/jobs", {"data": [1]}), 422, "invalid-job")
    assert "data" in found["faults"][0]


# The idempotency key.


async def test_the_same_key_and_body_give_the_same_answer_and_one_job(site: Site, ai: Queue) -> None:
    key = {"Idempotency-Key": "k1"}
    first = await site.post(JOBS, GOOD, headers=key)
    second = await site.post(JOBS, GOOD, headers=key)
    assert first.status_code == second.status_code == 202
    assert first.json() == second.json()
    assert (await ai.depths()).pending == 1


async def test_a_hundred_requests_at_once_under_one_key_make_one_job(site: Site, ai: Queue) -> None:
    answers = await asyncio.gather(*(site.post(JOBS, GOOD, headers={"Idempotency-Key": "k1"}) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["jobId"] for answer in answers}) == 1
    assert (await ai.depths()).pending == 1


async def test_of_two_requests_with_one_key_it_is_no_matter_which_comes_to_enqueue_first(
    site: Site, ai: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, may_go = asyncio.Event(), asyncio.Event()

    async def held_up(*words: Any) -> Any:
        if not first.is_set():
            first.set()
            await may_go.wait()
        return await enqueue_traced(*words)

    monkeypatch.setattr(enqueue, "enqueue_traced", held_up)
    key = {"Idempotency-Key": "k1"}
    slow = asyncio.create_task(site.post(JOBS, GOOD, headers=key))
    await first.wait()
    quick = await site.post(JOBS, GOOD, headers=key)
    may_go.set()
    assert ((await slow).status_code, (await slow).json()) == (quick.status_code, quick.json())
    assert (quick.status_code, (await ai.depths()).pending) == (202, 1)


async def test_a_job_that_made_way_for_another_is_told_so_every_time(site: Site, ai: Queue) -> None:
    assert (await site.post(JOBS, {"data": GOOD, "uniqueKey": "u"})).status_code == 202
    for _ in range(2):
        answer = await site.post(JOBS, {"data": GOOD, "uniqueKey": "u"}, headers={"Idempotency-Key": "k1"})
        assert (answer.status_code, answer.json()["status"]) == (200, "duplicate")
    many = await site.post(f"{JOBS}/bulk", [{"data": GOOD, "uniqueKey": "u"}], headers={"Idempotency-Key": "k2"})
    again = await site.post(f"{JOBS}/bulk", [{"data": GOOD, "uniqueKey": "u"}], headers={"Idempotency-Key": "k2"})
    assert [answer.json()["duplicates"] for answer in (many, again)] == [1, 1]
    assert (await ai.depths()).pending == 1


async def test_another_body_under_the_same_key_is_refused(site: Site) -> None:
    key = {"Idempotency-Key": "k1"}
    await site.post(JOBS, GOOD, headers=key)
    problem(await site.post(JOBS, {**GOOD, "prompt": "another"}, headers=key), 422, "key-reused")


async def test_a_key_whose_first_request_had_faults_is_free_for_the_mended_one(site: Site) -> None:
    key = {"Idempotency-Key": "k1"}
    problem(await site.post(JOBS, {"prompt": "only"}, headers=key), 422, "invalid-job")
    assert (await site.post(JOBS, GOOD, headers=key)).status_code == 202


async def test_what_was_lost_between_the_key_and_the_queue_is_enqueued_by_the_next_try(site: Site, ai: Queue) -> None:
    key = {"Idempotency-Key": "k1"}
    job_id = (await site.post(JOBS, GOOD, headers=key)).json()["jobId"]
    await ai.client.delete(ai.key("pending"), ai.key(f"job:{job_id}"))  # as if the server had died before
    assert (await site.post(JOBS, GOOD, headers=key)).json()["jobId"] == job_id
    assert (await ai.depths()).pending == 1


async def test_a_repeat_does_not_revive_a_job_that_has_died_meanwhile(site: Site, ai: Queue) -> None:
    key = {"Idempotency-Key": "k1"}
    job_id = (await site.post(JOBS, GOOD, headers=key)).json()["jobId"]
    await ai.client.delete(ai.key("pending"))
    await ai.client.hset(ai.key(f"job:{job_id}"), "state", "dead")
    assert (await site.post(JOBS, GOOD, headers=key)).status_code == 202
    assert (await ai.depths()).pending == 0


# Many at once.


async def test_many_jobs_each_have_their_own_answer(site: Site, ai: Queue) -> None:
    await site.post(JOBS, {"id": "known", "data": GOOD})
    jobs = [{"id": "b1", "data": GOOD}, {"data": {"prompt": "no user"}}, {"id": "known", "data": GOOD}, 7, GOOD]
    answer = (await site.post(f"{JOBS}/bulk", jobs)).json()
    assert [job["status"] for job in answer["jobs"]] == ["processing", "refused", "duplicate", "refused", "processing"]
    assert (answer["processing"], answer["duplicates"], answer["refused"]) == (2, 1, 2)
    assert "data.userId: Field required" in answer["jobs"][1]["faults"]
    assert (await ai.depths()).pending == 3


async def test_a_job_a_line_is_taken_too(site: Site, ai: Queue) -> None:
    lines = b'{"whatever":1}\n\n{"whatever":2}\nnonsense\n'
    headers = {"Content-Type": "application/x-ndjson"}
    answer = await site.client.post("/v1/queues/work/jobs/bulk", content=lines, headers=headers)
    assert [job["status"] for job in answer.json()["jobs"]] == ["processing", "processing", "refused"]


async def test_a_thousand_jobs_are_the_most(site: Site, ai: Queue) -> None:
    assert (await site.post(f"{JOBS}/bulk", [GOOD] * 1000)).json()["processing"] == 1000
    found = problem(await site.post(f"{JOBS}/bulk", [GOOD] * 1001), 422, "invalid-request")
    assert "1000" in found["detail"]
    problem(await site.post(f"{JOBS}/bulk", []), 422, "invalid-request")


async def test_many_jobs_sent_again_under_one_key_are_there_once(site: Site, ai: Queue) -> None:
    key = {"Idempotency-Key": "k1"}
    first = await site.post(f"{JOBS}/bulk", [GOOD, GOOD], headers=key)
    second = await site.post(f"{JOBS}/bulk", [GOOD, GOOD], headers=key)
    assert first.json() == second.json()
    assert (await ai.depths()).pending == 2
