"""A job over HTTP from its state to its result, and what may be done with it."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from pydantic_core import from_json, to_json
from tests.integration.processes import Queue
from tests.integration.server_site import GOOD, Site, problem, serving

from edworkers.compose import open_pipe, open_queue
from edworkers.core.settings import PoolSpec
from edworkers.ports import Settlement, Start

JOBS = "/v1/queues/work/jobs"


class Hands:
    """A runner's part, a step at a time."""

    def __init__(self, queue: Any) -> None:
        self.queue = queue

    async def claim(self, job_id: str) -> str:
        """Claim the next job, and let it begin; returns its receipt."""
        [delivery] = (await self.queue.cycle([], [], 1)).deliveries
        start = Start(delivery.receipt, job_id, delivery.receipt, 1)
        assert (await self.queue.cycle([], [start], 0)).admissions == ("start",)
        return str(delivery.receipt)

    async def settle(self, job_id: str, receipt: str, verb: str, document: Any) -> None:
        """End a job."""
        ended = Settlement(receipt, job_id, receipt, verb, int(verb == "bury"), 1, to_json(document), seconds=0.5)
        assert (await self.queue.cycle([ended], [], 0)).lost == ()

    async def bury(self, job_id: str) -> None:
        error = {"kind": "rejected", "message": "no such user", "faults": ["data.userId: unknown"]}
        await self.settle(job_id, await self.claim(job_id), "bury", error)


@pytest.fixture
async def site(redis_url: str) -> AsyncGenerator[Site]:
    async with serving(redis_url) as served:
        yield served


@pytest.fixture
async def hands(redis_url: str) -> AsyncGenerator[Hands]:
    async with open_pipe({"REDIS_URL": redis_url}) as client:
        yield Hands(open_queue(client, PoolSpec(queue="work", handlers="h"), runner="r1", lease_ms=60_000))


@pytest.fixture
async def work(redis_url: str) -> AsyncGenerator[Queue]:
    seen = Queue(redis_url, redis_url)
    yield seen
    await seen.close()


async def test_a_result_is_202_until_it_is_there(site: Site, hands: Hands) -> None:
    await site.enqueue("j1")
    waiting = await site.get(f"{JOBS}/j1/result")
    assert (waiting.status_code, waiting.json()["state"]) == (202, "pending")
    assert waiting.headers["retry-after"] == "1"
    receipt = await hands.claim("j1")
    assert (await site.get(f"{JOBS}/j1/result")).json()["state"] == "inflight"
    await hands.settle("j1", receipt, "ack", {"answer": [1, None, "ü"]})
    done = await site.get(f"{JOBS}/j1/result")
    assert done.status_code == 200
    assert (done.json()["status"], done.json()["result"]) == ("done", {"answer": [1, None, "ü"]})


async def test_a_dead_jobs_result_is_gone_with_its_error(site: Site, hands: Hands) -> None:
    await site.enqueue("j1")
    await hands.bury("j1")
    found = problem(await site.get(f"{JOBS}/j1/result"), 410, "dead")
    assert found["error"]["kind"] == "rejected"
    assert found["faults"] == ["data.userId: unknown"]


async def test_a_jobs_page_has_its_payload_and_attempts(site: Site, hands: Hands) -> None:
    await site.enqueue("j1", user="u1")
    await hands.bury("j1")
    found = (await site.get(f"{JOBS}/j1")).json()
    assert (found["state"], found["attempts"], found["seconds"]) == ("dead", 1, 0.5)
    assert from_json(found["payload"])["data"] == {"user": "u1"}
    assert [attempt["outcome"] for attempt in found["past"]] == ["bury"]
    assert found["error"]["message"] == "no such user"


async def test_a_payload_that_is_no_text_is_given_in_base64(site: Site, hands: Hands, work: Queue) -> None:
    await work.push(b"\xff\xfe")
    [delivery] = (await hands.queue.cycle([], [], 1)).deliveries
    receipt = delivery.receipt
    ended = Settlement(receipt, receipt, receipt, "bury", 1, 0, b'{"kind":"rejected","message":"m"}', started=False)
    await hands.queue.cycle([ended], [], 0)
    found = (await site.get(f"{JOBS}/{receipt}")).json()
    assert (found["payload"], found["payloadBase64"]) == (None, "//4=")


async def test_a_delayed_job_is_cancelled_at_once(site: Site) -> None:
    await site.post(JOBS, {"id": "j1", "data": {}, "delay": 60})
    answer = await site.post(f"{JOBS}/j1/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    problem(await site.get(f"{JOBS}/j1/result"), 410, "cancelled")
    problem(await site.post(f"{JOBS}/j1/cancel"), 409, "ended")


async def test_a_waiting_job_is_cancelled_when_a_runner_meets_it(site: Site) -> None:
    await site.enqueue("j1")
    answer = await site.post(f"{JOBS}/j1/cancel")
    assert answer.status_code == 202
    document = answer.json()
    assert "when a runner meets it" in document.pop("detail")
    assert document == {"jobId": "j1", "queue": "work", "status": "requested", "known": True}


async def test_to_cancel_a_job_without_a_record_is_told_as_a_request_and_noted_nowhere(site: Site) -> None:
    answer = await site.post(f"{JOBS}/pushed/cancel")
    assert (answer.status_code, answer.json()["known"]) == (202, False)
    assert "no record of 'pushed'" in answer.json()["detail"]
    assert await site.app.state.platform.books.deeds(None, 10) == ((), None)


async def test_head_is_answered_as_get_without_a_body(site: Site) -> None:
    await site.enqueue("j1")
    for path in ("/v1/queues", f"{JOBS}/j1", f"{JOBS}/j1/events", "/livez", "/readyz", "/metrics", "/docs"):
        answer = await site.client.head(path)
        assert (answer.status_code, answer.content) == (200, b""), path
    assert (await site.client.head(f"{JOBS}/nothing")).status_code == 404
    assert 'method="HEAD",route="/v1/queues"' in (await site.get("/metrics")).text


async def test_a_dead_job_is_replayed(site: Site, hands: Hands) -> None:
    await site.enqueue("j1")
    await hands.bury("j1")
    answer = await site.post(f"{JOBS}/j1/retry")
    assert (answer.status_code, answer.json()["jobId"]) == (202, "j1")
    assert (await site.get(f"{JOBS}/j1")).json()["state"] == "pending"
    problem(await site.post(f"{JOBS}/j1/retry"), 409, "not-dead")


async def test_a_dead_job_is_replayed_with_other_data_and_its_own_envelope(
    site: Site, hands: Hands, work: Queue
) -> None:
    await site.post(JOBS, {"id": "j1", "data": {"user": "wrong"}, "group": "g1"})
    await hands.bury("j1")
    assert (await site.post(f"{JOBS}/j1/retry", {"data": {"user": "right"}})).status_code == 202
    [entry] = await work.client.lrange(work.key("pending"), 0, -1)
    document = from_json(entry[entry.index(b"{") :])
    assert (document["data"], document["group"], document["id"]) == ({"user": "right"}, "g1", "j1")


async def test_other_data_is_checked_as_that_of_a_new_job(site: Site, redis_url: str) -> None:
    async with open_pipe({"REDIS_URL": redis_url}) as client:
        hands = Hands(open_queue(client, PoolSpec(queue="ai", handlers="h"), runner="r1", lease_ms=60_000))
        await site.enqueue("j1", "ai", **GOOD)
        await hands.bury("j1")
    path = "/v1/queues/ai/jobs/j1/retry"
    found = problem(await site.post(path, {"data": {"prompt": "p"}}), 422, "invalid-job")
    assert "data.userId: Field required" in found["faults"]
    found = problem(await site.post(path, {"data": GOOD, "date": {}}), 422, "invalid-request")
    assert found["faults"] == ["date: unknown; data and type can be given"]
    assert (await site.get("/v1/queues/ai/jobs/j1")).json()["state"] == "dead"


async def test_lists_are_read_part_by_part(site: Site) -> None:
    for number in range(5):
        await site.enqueue(f"j{number}")
    first = (await site.get(f"{JOBS}?state=pending&limit=3")).json()
    assert ([job["id"] for job in first["jobs"]], first["total"]) == (["j0", "j1", "j2"], 5)
    rest = (
        await site.get(f"{JOBS}?state=pending&limit=3", params={"cursor": first["next"], "state": "pending"})
    ).json()
    assert ([job["id"] for job in rest["jobs"]], rest["next"]) == (["j3", "j4"], None)


async def test_dead_letters_are_listed_grouped_and_found(site: Site, hands: Hands) -> None:
    for number in range(3):
        await site.enqueue(f"j{number}", user=f"u{number}")
        await hands.bury(f"j{number}")
    dead = (await site.get("/v1/queues/work/dead")).json()
    assert [job["id"] for job in dead["jobs"]] == ["j2", "j1", "j0"]
    assert dead["jobs"][0]["errorMessage"] == "no such user"
    assert (await site.get("/v1/queues/work/failures")).status_code == 200
    found = (await site.get("/v1/queues/work/search?state=dead&text=U1")).json()
    assert [job["id"] for job in found["jobs"]] == ["j1"]
    assert (found["lookedAt"], found["next"]) == (3, None)


async def test_a_queue_tells_how_it_stands(site: Site, hands: Hands) -> None:
    await site.enqueue("j1")
    await site.enqueue("j2")
    await hands.bury("j1")
    found = (await site.get("/v1/queues/work")).json()
    assert found["jobs"] == {"pending": 1, "inflight": 0, "delayed": 0, "dead": 1}
    assert (found["paused"], found["throttled"], found["checked"]) == (False, None, False)
    both = (await site.get("/v1/queues")).json()["queues"]
    assert [queue["name"] for queue in both] == ["ai", "work"]
    limits = {limit["name"]: (limit["used"], limit["limit"], limit["window"]) for limit in both[0]["limits"]}
    assert limits == {"per-minute": (0, 60, "minute"), "per-day": (0, 1500, "day")}
    assert all(limit["resetsAt"] for limit in both[0]["limits"])


async def test_a_queue_is_paused_and_resumed(site: Site) -> None:
    assert (await site.post("/v1/queues/work/pause")).json() == {"queue": "work", "paused": True, "changed": True}
    assert (await site.post("/v1/queues/work/pause")).json()["changed"] is False
    assert (await site.get("/v1/queues/work")).json()["paused"] is True
    assert (await site.post("/v1/queues/work/resume")).json() == {"queue": "work", "paused": False, "changed": True}


async def test_metrics_tell_of_requests_by_the_template_of_their_route(site: Site) -> None:
    await site.enqueue("j1")
    await site.get(f"{JOBS}/j1/result")
    await site.get("/v1/queues/work")
    await site.get("/nothing/of/the/kind")
    metrics = (await site.get("/metrics")).text
    for method, route, status in (
        ("POST", "/v1/queues/{queue}/jobs", "2xx"),
        ("GET", "/v1/queues/{queue}/jobs/{job_id}/result", "2xx"),
        ("GET", "/v1/queues/{queue}", "2xx"),
        ("GET", "unknown", "4xx"),
    ):
        labels = f'method="{method}",route="{route}",status="{status}"'
        assert f"edworkers_http_request_duration_seconds_count{{{labels}}} 1.0" in metrics, (labels, metrics)


async def test_people_can_read_what_the_api_does(site: Site) -> None:
    page = await site.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "script" not in page.headers["content-security-policy"]
    for told in ("/v1/queues/{queue}/jobs/bulk", "Enqueue a job", "/v1/queues/{queue}/operations"):
        assert told in page.text


async def test_a_queues_schema_is_the_one_its_runners_have(site: Site) -> None:
    found = (await site.get("/v1/queues/ai/schema")).json()
    assert "prompt" in str(found)
    problem(await site.get("/v1/queues/work/schema"), 404, "not-found")


async def test_a_schedule_is_shown_and_run_now(site: Site, work: Queue) -> None:
    [plan] = (await site.get("/v1/schedules")).json()["schedules"]
    assert (plan["queue"], plan["name"], plan["cron"]) == ("work", "nightly", "30 2 * * *")
    assert plan["nextAt"]
    answer = await site.post("/v1/queues/work/schedules/nightly/run")
    assert answer.status_code == 202
    [payload] = await work.client.lrange(work.key("pending"), 0, -1)
    assert from_json(payload)["data"] == {"what": "nightly"}
    assert "nightly" in problem(await site.post("/v1/queues/work/schedules/weekly/run"), 404, "not-found")["detail"]


async def test_what_is_done_is_in_the_audit_log(site: Site, hands: Hands) -> None:
    await site.enqueue("j1")
    await hands.bury("j1")
    await site.post(f"{JOBS}/j1/retry")
    await site.post(f"{JOBS}/j1/cancel")
    await site.post("/v1/queues/work/pause")
    deeds, _ = await site.app.state.platform.books.deeds(None, 10)
    assert [(deed.who, deed.what, deed.subject) for deed in deeds] == [
        ("local", "pause", "work"),
        ("local", "cancel", "j1"),
        ("local", "replay", "j1"),
    ]
