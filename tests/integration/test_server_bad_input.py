"""Every line of what may be wrong with a request has its test here; access has its own in test_server_access."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest
from tests.integration.processes import Queue
from tests.integration.server_site import GOOD, Site, problem, serving

from edworkers.server import requests

JOBS = "/v1/queues/ai/jobs"
JSON = {"Content-Type": "application/json"}
MIB = 1024 * 1024


@pytest.fixture
async def site(redis_url: str) -> AsyncGenerator[Site]:
    async with serving(redis_url) as served:
        yield served


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "empty"),
        (b"nonsense", "not JSON"),
        (b'{"data": ', "not JSON"),
        (b'\xef\xbb\xbf{"data": {}}', "not JSON"),
        (b'{"data": "\xff"}', "not UTF-8"),
        (b'{"data": {"a": NaN}}', "not JSON"),
        (b'{"data": {"a": Infinity}}', "not JSON"),
        (b'{"data": {"a": 1, "b": 2, "a": 3}}', "given twice in one object: a"),
        (b'{"id": "x", "data": {}, "id": "y"}', "given twice in one object: id"),
        (b'{"data": {"a": "\\ud800"}}', "not JSON"),
        (b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"data": {"a": ' + b"1" * 10_000 + b"}}", "not JSON"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
    ],
)
async def test_a_body_that_is_no_json_object_is_refused_with_the_reason(site: Site, body: bytes, told: str) -> None:
    found = problem(await site.client.post(JOBS, content=body, headers=JSON), 400, "not-json")
    assert told in found["detail"], found


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_body_of_another_type_is_refused_with_what_to_send(site: Site, kind: str) -> None:
    answer = await site.client.post(JOBS, content=json.dumps(GOOD).encode(), headers={"Content-Type": kind})
    assert "application/json" in problem(answer, 415, "unsupported-type")["detail"]


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip"])
async def test_a_body_that_is_compressed_is_refused_with_what_to_do(site: Site, coding: str) -> None:
    headers = {**JSON, "Content-Encoding": coding}
    for path, body in ((JOBS, GOOD), (f"{JOBS}/bulk", [GOOD])):
        answer = await site.client.post(path, content=json.dumps(body).encode(), headers=headers)
        assert "without Content-Encoding" in problem(answer, 415, "unsupported-type")["detail"]
        assert answer.headers["accept-encoding"] == "identity"
    plain = {**JSON, "Content-Encoding": "identity"}
    assert (await site.client.post(JOBS, content=json.dumps(GOOD).encode(), headers=plain)).status_code == 202


async def test_a_body_that_says_it_is_too_large_is_refused(site: Site) -> None:
    body = json.dumps({**GOOD, "prompt": "x" * MIB}).encode()
    found = problem(await site.client.post(JOBS, content=body, headers=JSON), 413, "too-large")
    assert found["maxBytes"] == MIB


async def test_a_body_that_only_turns_out_to_be_too_large_is_refused_while_it_comes(site: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(site.url.rpartition(":")[2]))
    head = f"POST {JOBS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    writer.write((b"100000\r\n" + b" " * MIB + b"\r\n") * 2)  # and no end
    assert await reader.readline() == b"HTTP/1.1 413 Request Entity Too Large\r\n"
    writer.close()
    await writer.wait_closed()


async def test_a_job_that_outgrows_what_redis_may_hold_only_by_its_id_is_refused(site: Site) -> None:
    rest = len(json.dumps({**GOOD, "prompt": ""}, separators=(",", ":")))
    body = json.dumps({**GOOD, "prompt": "x" * (MIB - rest)}, separators=(",", ":")).encode()
    assert len(body) == MIB
    found = problem(await site.client.post(JOBS, content=body, headers=JSON), 422, "invalid-job")
    assert "too large" in found["faults"][0]


async def test_a_body_that_does_not_come_in_time_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(site.url.rpartition(":")[2]))
    head = f"POST {JOBS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    writer.write(head.encode() + b"{")
    assert await reader.readline() == b"HTTP/1.1 408 Request Timeout\r\n"
    writer.close()
    await writer.wait_closed()


async def test_an_unknown_queue_is_told_with_those_that_there_are(site: Site) -> None:
    found = problem(await site.post("/v1/queues/nowhere/jobs", GOOD), 404, "unknown-queue")
    assert "ai, work" in found["detail"]


async def test_what_can_be_no_name_of_a_queue_is_told_as_such(site: Site) -> None:
    found = problem(await site.get("/v1/queues/No%20Queue"), 422, "invalid-request")
    assert found["faults"][0].startswith("path.queue")


async def test_an_unknown_job_is_told_with_why_that_may_be(site: Site) -> None:
    for path in ("", "/result", "/events"):
        found = problem(await site.get(f"{JOBS}/nothing{path}"), 404, "unknown-job")
        assert "LPUSH" in found["detail"]
    problem(await site.post(f"{JOBS}/nothing/retry"), 404, "unknown-job")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (f"{JOBS}?state=asleep", "query.state"),
        (JOBS, "query.state"),
        (f"{JOBS}?state=dead&limit=0", "query.limit"),
        (f"{JOBS}?state=dead&limit=101", "query.limit"),
        (f"{JOBS}?state=dead&cursor=nonsense", "query.cursor"),
        ("/v1/queues/ai/search?state=dead&before=yesterday", "query.before"),
        (f"{JOBS}/a%20b", "path.job_id"),
    ],
)
async def test_a_wrong_parameter_is_named(site: Site, path: str, field: str) -> None:
    found = problem(await site.get(path), 422, "invalid-request")
    assert any(fault.startswith(field) for fault in found["faults"]), found


@pytest.mark.parametrize("key", ["", "with space", "x" * 256, "ä".encode().decode("latin-1")])
async def test_a_wrong_idempotency_key_is_named(site: Site, key: str) -> None:
    answer = await site.post(JOBS, GOOD, headers={b"Idempotency-Key": key.encode("latin-1")})
    found = problem(answer, 422, "invalid-request")
    assert found["faults"][0].startswith("header.Idempotency-Key")


async def test_what_is_not_there_and_what_can_not_be_done_are_problems_too(site: Site) -> None:
    problem(await site.get("/v1/nothing"), 404, "not-found")
    answer = await site.client.delete("/v1/queues")
    problem(answer, 405, "method")
    assert answer.headers["allow"] == "GET"


async def test_every_answer_has_an_id_which_the_sender_may_choose(site: Site) -> None:
    assert (await site.get("/v1/queues", headers={"X-Request-ID": "mine-1"})).headers["x-request-id"] == "mine-1"
    made = (await site.get("/v1/nothing", headers={"X-Request-ID": "not\tmine"})).headers["x-request-id"]
    assert made
    assert "mine" not in made


async def test_a_fault_of_the_server_itself_is_answered_without_what_it_was(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise RuntimeError("secret-of-the-server")

    monkeypatch.setattr(site.app.state.platform.queues()["ai"].control, "depths", fail)
    answer = await site.get("/v1/queues/ai")
    found = problem(answer, 500, "internal")
    assert "secret-of-the-server" not in answer.text
    assert found["requestId"] == answer.headers["x-request-id"]


async def test_an_id_with_a_slash_finds_its_job(site: Site) -> None:
    await site.enqueue("folder/file", x=1)
    assert (await site.get("/v1/queues/work/jobs/folder%2Ffile")).json()["id"] == "folder/file"
    assert (await site.get("/v1/queues/work/jobs/folder%2Ffile/result")).status_code == 202


async def test_nothing_that_was_refused_is_in_the_queue(site: Site, redis_url: str) -> None:
    for body in (b"nonsense", b'{"data": {}}', b'{"data": 1}'):
        await site.client.post(JOBS, content=body, headers=JSON)
    seen = Queue(redis_url, redis_url, "ai")
    assert await seen.client.dbsize() == 0
    await seen.close()
