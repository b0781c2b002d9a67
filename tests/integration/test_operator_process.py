"""`python -m edworkers_operator` as a real process: what it says and how it ends, without a cluster."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from tests.integration.processes import Program, fetch

SETTINGS = {
    "EDWORKERS_NAMESPACE": "edworkers",
    "EDWORKERS_IDENTITY": "operator-0",
    "EDWORKERS_RUNNER_IMAGE": "edworkers-runner:1",
    "EDWORKERS_REDIS_ADDRESSES": "127.0.0.1:1",
    "EDWORKERS_HEALTH_PORT": "0",
}
KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{{name: here, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
contexts: [{{name: here, context: {{cluster: here, user: me}}}}]
current-context: here
users: [{{name: me, user: {{token: none}}}}]
"""


class Operators:
    """Starts operators, and ends all of them at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[Program] = []

    async def start(self, *words: str, env: Mapping[str, str] | None = None, port: int = 1) -> Program:
        kubeconfig = self._folder / "kubeconfig"
        kubeconfig.write_text(KUBECONFIG.format(port=port), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "edworkers_operator", *words),
            env={"PATH": os.environ["PATH"], "HOME": str(self._folder), "KUBECONFIG": str(kubeconfig), **(env or {})},
            cwd=self._folder,
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=PIPE,
        )
        program = Program(process, None)
        self._running.append(program)
        return program

    async def end(self) -> None:
        for program in self._running:
            await program.kill()


@pytest.fixture
async def operators(tmp_path: Path) -> AsyncGenerator[Operators]:
    started = Operators(tmp_path)
    yield started
    await started.end()


async def test_settings_that_can_not_be_used_end_it_with_every_fault_named(operators: Operators) -> None:
    operator = await operators.start(env={"EDWORKERS_HEALTH_PORT": "x", "EDWORKERS_REDIS_MODE": "sentinel"})
    assert await operator.ended() == 2
    for name in SETTINGS:
        assert name in operator.text
    assert "was not started" in operator.text
    assert "Traceback" not in operator.text


async def test_words_that_it_does_not_know_end_it_with_its_usage(operators: Operators) -> None:
    operator = await operators.start("aply-crd", env=SETTINGS)
    assert await operator.ended() == 2
    assert "usage: python -m edworkers_operator [apply-crd]" in operator.text
    assert "aply-crd" in operator.text


async def test_without_an_api_server_it_waits_says_so_once_and_can_be_stopped_at_once(operators: Operators) -> None:
    operator = await operators.start(env=SETTINGS)
    (told,) = await operator.says("crd.missing")
    assert "the API server can't be reached" in told["reason"]
    operator.signal(signal.SIGTERM)
    assert await operator.ended() == 0
    assert len(operator.seen("crd.missing")) == 1
    assert operator.text == ""


async def test_while_it_waits_its_endpoints_answer(operators: Operators) -> None:
    operator = await operators.start(env=SETTINGS)
    (started,) = await operator.says("operator.started")
    address = f"127.0.0.1:{started['port']}"
    assert await fetch(address, "/livez") == (200, "ok\n")
    assert await fetch(address, "/readyz") == (200, "ok\n")
    status, metrics = await fetch(address, "/metrics")
    assert status == 200
    for line in ("edworkers_operator_leads 0.0", "edworkers_operator_crd_matches 0.0", "process_cpu_seconds_total"):
        assert line in metrics
    assert (await fetch(address, "/nothing"))[0] == 404


async def test_a_port_that_is_taken_ends_it_and_is_told_in_one_line(operators: Operators) -> None:
    taken = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with taken:
        port = taken.sockets[0].getsockname()[1]
        operator = await operators.start(env={**SETTINGS, "EDWORKERS_HEALTH_PORT": str(port)})
        assert await operator.ended() == 1
    (told,) = operator.seen("operator.failed")
    assert str(port) in told["reason"]
    assert operator.text == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_cluster_without_the_crd_is_waited_for_and_what_to_do_is_said(
    operators: Operators, number: signal.Signals
) -> None:
    async with _api_server(404, '{"kind": "Status", "message": "not found"}') as port:
        operator = await operators.start(env=SETTINGS, port=port)
        (told,) = await operator.says("crd.missing")
        assert "kubectl apply -f manifests/crd.yaml" in told["reason"]
        operator.signal(number)
        assert await operator.ended() == 0


async def test_apply_crd_needs_no_settings_and_fails_in_one_line_where_it_is_refused(operators: Operators) -> None:
    async with _api_server(403, '{"kind": "Status", "message": "customresourcedefinitions is forbidden"}') as port:
        operator = await operators.start("apply-crd", port=port)
        assert await operator.ended() == 1
    (told,) = operator.seen("operator.failed")
    assert told["reason"] == "customresourcedefinitions is forbidden"
    assert operator.text == ""


@asynccontextmanager
async def _api_server(status: int, body: str) -> AsyncGenerator[int]:
    """An API server that gives everybody the same answer; yields its port."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=body, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
