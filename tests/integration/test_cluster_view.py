"""What a server in a cluster is told of its pools, by an API server that asks for TLS and a token."""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from edworkers.adapters.cluster.worker_pools import ApiServer, WorkerPools
from edworkers.ports.cluster import PoolView

READY = {"type": "Ready", "status": "True", "message": "all is well"}
THROTTLED = {"type": "Throttled", "status": "True", "message": "the limit day is used up"}


def manifest(name: str, spec: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "school"}, "spec": {"queue": name, **spec}, "status": status}


@dataclass
class Asked:
    """An API server, and what it was asked."""

    env: dict[str, str]
    account: Path
    answer: tuple[int, Any] = (200, {"items": []})
    requests: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    @asynccontextmanager
    async def view(self, **env: str) -> AsyncGenerator[WorkerPools]:
        server = ApiServer.found({**self.env, **env}, self.account)
        assert server is not None
        view = WorkerPools(server)
        try:
            yield view
        finally:
            await view.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        token = next(line.partition(": ")[2] for line in head if line.lower().startswith("authorization"))
        self.requests.append((head[0].split()[1], token))
        status, document = self.answer
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


@pytest.fixture
async def api(tmp_path: Path) -> AsyncGenerator[Asked]:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    (tmp_path / "token").write_text("first\n")
    asked = Asked({}, tmp_path)
    server = await asyncio.start_server(asked.serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    asked.env |= {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port)}
    async with server:
        yield asked


async def test_each_pool_is_told_with_its_pods_and_what_is_not_as_it_should_be(api: Asked) -> None:
    scaled = {"concurrency": 3, "autoscaling": {"minReplicas": 1, "maxReplicas": 20, "targetPerReplica": 6}}
    status = {"readyReplicas": 2, "replicas": 4, "queue": {"pending": 20, "inflight": 4}}
    ai = manifest("ai", scaled, **status, conditions=[READY, THROTTLED])
    api.answer = (200, {"items": [manifest("webhook", {"replicas": 2}), ai]})
    async with api.view() as view:
        assert await view.pools() == [
            PoolView("ai", "ai", 2, 4, 1, 20, 6.0, 24, {"Throttled": "the limit day is used up"}),
            PoolView("webhook", "webhook", 0, 0, 2, 2, None, None, {}),
        ]
    assert api.requests == [("/apis/edworkers.dev/v1alpha1/workerpools", "Bearer first")]


async def test_each_schedule_tells_when_it_fired_last_where_it_has(api: Asked) -> None:
    schedules = [
        {"name": "cleanup", "cronJob": "scheduled-cleanup", "lastScheduleTime": "2026-11-30T22:17:00Z"},
        {"name": "never", "cronJob": "scheduled-never"},
    ]
    api.answer = (200, {"items": [manifest("scheduled", {}, schedules=schedules)]})
    async with api.view() as view:
        (pool,) = await view.pools()
    assert pool.fired == {"cleanup": 1_796_077_020_000}


async def test_without_a_target_it_is_the_slots_of_a_pod(api: Asked) -> None:
    api.answer = (200, {"items": [manifest("ai", {"concurrency": 3})]})
    async with api.view() as view:
        (ai,) = await view.pools()
    assert (ai.least, ai.most, ai.target) == (0, 10, 3.0)


async def test_pools_of_some_namespaces_are_asked_for_one_by_one(api: Asked) -> None:
    async with api.view(EDWORKERS_NAMESPACES="school, office") as view:
        assert await view.pools() == []
    paths = [path.removeprefix("/apis/edworkers.dev/v1alpha1/") for path, _ in api.requests]
    assert paths == ["namespaces/school/workerpools", "namespaces/office/workerpools"]


async def test_all_who_ask_at_once_get_one_answer(api: Asked) -> None:
    async with api.view() as view:
        await asyncio.gather(*(view.pools() for _ in range(50)))
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        (403, {"message": "forbidden"}),
        (200, b"<html>"),
        (200, {"kind": "Status"}),
        (200, {"items": [{"metadata": {}}]}),
        (200, {"items": [{"spec": None}]}),
        (200, {"items": [manifest("ai", {}, schedules=[{"name": "x", "lastScheduleTime": "noon"}])]}),
    ],
)
async def test_an_answer_that_is_none_shows_no_pools_and_stops_nothing(api: Asked, answer: tuple[int, Any]) -> None:
    api.answer = answer
    async with api.view() as view:
        assert await view.pools() == ()


async def test_a_server_of_another_authority_is_not_believed(api: Asked) -> None:
    trustme.CA().cert_pem.write_to_path(api.account / "ca.crt")
    async with api.view() as view:
        assert await view.pools() == ()
    assert api.requests == []


@pytest.mark.parametrize("missing", ["host", "token"])
def test_outside_of_a_cluster_there_is_none(tmp_path: Path, missing: str) -> None:
    if missing != "token":
        (tmp_path / "token").write_text("first")
    env = {} if missing == "host" else {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert ApiServer.found(env, tmp_path) is None


def test_an_address_of_ipv6_is_put_in_brackets(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first")
    found = ApiServer.found({"KUBERNETES_SERVICE_HOST": "fd00::1"}, tmp_path)
    assert found is not None
    assert found.url == "https://[fd00::1]:443"
