"""`edworkers server` as a process: how it starts, what it says, and how it ends."""

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import httpx2
from tests.integration.processes import Program, Programs, eventually
from tests.integration.server_site import events_of

NONE = {"EDWORKERS_SERVER_AUTH": "none"}


def address_of(program: Program) -> str:
    return str(program.seen("server.started")[0]["address"])


async def started(programs: Programs, *words: str, **env: str) -> Program:
    program = await programs.start("server", "--port", "0", *words, **{**NONE, **env})
    await program.says("server.started")
    return program


async def test_a_server_serves_every_queue_that_is_known_and_ends_when_told_to(programs: Programs) -> None:
    program = await started(programs)
    async with httpx2.AsyncClient(base_url=address_of(program), trust_env=False, timeout=30) as client:
        names = [queue["name"] for queue in (await client.get("/v1/queues")).json()["queues"]]
        assert names == ["ai", "webhook", "document", "email", "scheduled"]
        assert (await client.get("/readyz")).status_code == 200
        assert "edworkers_http_request_duration_seconds_count" in (await client.get("/metrics")).text
    program.signal(signal.SIGTERM)
    assert await program.ended() == 0
    assert program.seen("server.ended")


async def test_a_file_of_pools_is_read_again_when_it_changes(programs: Programs, tmp_path: Path) -> None:
    path = tmp_path / "pools.yaml"
    path.write_text(_pool("first"))
    program = await started(programs, "--pools", str(path))

    async def get(path: str) -> Any:
        async with httpx2.AsyncClient(base_url=address_of(program), trust_env=False, timeout=30) as client:
            return (await client.get(path)).json()

    async def names() -> list[str]:
        return [queue["name"] for queue in (await get("/v1/queues"))["queues"]]

    assert await names() == ["first"]
    path.write_text(_pool("first") + "---\n" + _pool("second", schedules=[{"name": "s", "schedule": "0 3 * * *"}]))

    async def both() -> bool:
        return await names() == ["first", "second"]

    await eventually(both)
    assert (await get("/v1/schedules"))["schedules"][0]["queue"] == "second"
    path.write_text("nonsense: [")
    await program.says("pools.unreadable")
    assert await names() == ["first", "second"]


def _pool(queue: str, **more: Any) -> str:
    spec = {"queue": queue, "handlers": "handlers_for_tests", **more}
    return json.dumps({"apiVersion": "edworkers.dev/v1alpha1", "kind": "WorkerPool", "spec": spec}) + "\n"


async def test_a_server_that_is_told_to_stop_ends_its_streams_at_once(programs: Programs) -> None:
    program = await started(programs)
    async with httpx2.AsyncClient(base_url=address_of(program), trust_env=False, timeout=30) as client:
        job = {"id": "j1", "data": {"conversationId": "c", "userId": "u", "prompt": "p"}}
        assert (await client.post("/v1/queues/ai/jobs", json=job)).status_code == 202
        async with client.stream("GET", "/v1/queues/ai/jobs/j1/events") as answer:
            told = events_of(answer)
            await anext(told)
            program.signal(signal.SIGTERM)
            assert [event async for event in told] == []
    assert await program.ended() == 0


async def test_an_answer_that_is_under_way_is_given_before_the_end(programs: Programs) -> None:
    program = await started(programs)
    host, _, port = address_of(program).removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = b'{"id":"j1","data":{"conversationId":"c","userId":"u","prompt":"p"}}'
    head = f"POST /v1/queues/ai/jobs HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n".encode())
    assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"  # it waits for the body now
    program.signal(signal.SIGTERM)
    writer.write(body)
    await reader.readline()
    assert await reader.readline() == b"HTTP/1.1 202 Accepted\r\n"
    writer.close()
    assert await program.ended() == 0


async def test_a_request_is_one_line_of_the_log_with_its_id_and_no_secret(programs: Programs, tmp_path: Path) -> None:
    keys = tmp_path / "keys.yaml"
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edworkers", "server", "new-key", "web", "--scope", "enqueue", "--json"),
        env=programs.env,
        stdout=asyncio.subprocess.PIPE,
    )
    key = json.loads((await made.communicate())[0])
    keys.write_text(f"keys:\n{key['entry']}\n")
    program = await started(programs, EDWORKERS_SERVER_AUTH="keys", EDWORKERS_API_KEYS_FILE=str(keys))
    headers = {"Authorization": f"Bearer {key['key']}", "X-Request-ID": "mine"}
    async with httpx2.AsyncClient(base_url=address_of(program), trust_env=False, timeout=30) as client:
        job = {"id": "j1", "data": {"conversationId": "c", "userId": "u", "prompt": "a secret thought"}}
        assert (await client.post("/v1/queues/ai/jobs", json=job, headers=headers)).status_code == 202
    [line] = await program.says("request.answered", request="mine")
    assert (line["method"], line["status"], line["who"]) == ("POST", 202, "web")
    program.signal(signal.SIGTERM)
    assert await program.ended() == 0
    everything = json.dumps(program.lines) + program.text
    assert key["key"] not in everything
    assert "a secret thought" not in everything


async def test_what_keeps_it_from_starting_is_told(programs: Programs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        program = await programs.start("server", "--port", port, **NONE)
        assert await program.ended() == 2
        assert f"can't listen on 127.0.0.1:{port}" in program.text
    program = await programs.start("server", "--host", "0.0.0.0", **NONE)
    assert await program.ended() == 2
    assert "lets everybody in" in program.text
