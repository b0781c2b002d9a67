"""Redis over TLS: an authority of one's own, a certificate to show, and what is wrong said in words."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.integration.command_line import CommandLine
from tests.integration.processes import Programs
from tests.integration.redis_kinds import Certificates, Cluster, QueueOf, serve_tls_cluster, tls_options

from edworkers.adapters.redis.address import redis_address
from edworkers.core.lifecycle import State
from edworkers.standins import redis as redis_standin
from edworkers.standins.free_port import free_port

QUESTION = '{"url": "https://school.example/hooks", "event": "e", "payload": {}}'


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    (tmp_path / "ours").mkdir()
    return Certificates(tmp_path / "ours")


@pytest.fixture
async def env(certificates: Certificates) -> AsyncGenerator[dict[str, str]]:
    """How to reach a Redis that asks for a certificate."""
    port = free_port()
    options = {**tls_options(certificates, port), "requirepass": "pw"}
    certificate, key = certificates.issue("client")
    files = {"REDIS_TLS_CA": certificates.ca, "REDIS_TLS_CERT": certificate, "REDIS_TLS_KEY": key}
    async with redis_standin.serve(port, options=options):
        yield {"REDIS_URL": f"rediss://:pw@127.0.0.1:{port}/0", **files}


async def test_a_runner_and_a_producer_work_over_tls(programs: Programs, env: dict[str, str], redis_url: str) -> None:
    queue = QueueOf(redis_address(env), redis_url)
    await programs.runner(programs.manifest(), **env)
    await queue.push({"id": "a", "data": {}})
    await queue.becomes("a", State.DONE)
    await queue.close()


async def test_parts_of_an_address_mean_the_same_as_a_url(tmp_path: Path, env: dict[str, str]) -> None:
    port = env["REDIS_URL"].rpartition(":")[2].partition("/")[0]
    parts = {"REDIS_URL": "", "REDIS_PORT": port, "REDIS_PASSWORD": "pw", "REDIS_TLS": "true"}
    ran = await CommandLine(tmp_path, "").run("enqueue", "webhook", QUESTION, stdin=b"", **{**env, **parts})
    assert (ran.code, ran.err) == (0, "")


async def test_an_authority_that_nobody_knows_is_not_trusted(tmp_path: Path, env: dict[str, str]) -> None:
    ran = await CommandLine(tmp_path, "").run("queues", stdin=b"", **{**env, "REDIS_TLS_CA": ""})
    assert ran.code != 0
    assert "the certificate of Redis can't be trusted: self-signed certificate in certificate chain" in ran.err


async def test_where_a_certificate_may_be_asked_for_the_variables_are_named(
    tmp_path: Path, env: dict[str, str]
) -> None:
    ran = await CommandLine(tmp_path, "").run("queues", stdin=b"", **{**env, "REDIS_TLS_CERT": "", "REDIS_TLS_KEY": ""})
    assert ran.code != 0
    assert "and talks TLS there (if it asks for a certificate: REDIS_TLS_CERT, REDIS_TLS_KEY)" in ran.err


async def test_an_authority_that_is_another_is_not_trusted(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "others").mkdir()
    other = Certificates(tmp_path / "others").ca
    ran = await CommandLine(tmp_path, "").run("queues", stdin=b"", **{**env, "REDIS_TLS_CA": other})
    assert "the certificate of Redis can't be trusted: " in ran.err


async def test_a_certificate_for_another_name_is_not_trusted(tmp_path: Path, env: dict[str, str]) -> None:
    url = env["REDIS_URL"].replace("127.0.0.1", "127.0.0.1.nip.invalid")
    ran = await CommandLine(tmp_path, "").run("queues", stdin=b"", **{**env, "REDIS_URL": url})
    assert ran.code != 0


async def test_a_certificate_that_has_expired_is_said_so(
    tmp_path: Path, certificates: Certificates, programs: Programs
) -> None:
    port = free_port()
    async with redis_standin.serve(port, options=tls_options(certificates, port, days=-1, clients=False)):
        env = {"REDIS_URL": f"rediss://localhost:{port}/0", "REDIS_TLS_CA": certificates.ca}
        ran = await CommandLine(tmp_path, "").run("queues", stdin=b"", **env)
        assert "the certificate of Redis can't be trusted: certificate has expired" in ran.err
        runner = await programs.start("run", "work", "--pool", str(programs.manifest()), **env)
        (line,) = await runner.says("redis.away")
        assert line["reason"] == "the certificate of Redis can't be trusted: certificate has expired"


async def test_tls_to_a_redis_without_it_is_said_so(tmp_path: Path, redis_url: str) -> None:
    ran = await CommandLine(tmp_path, "").run("queues", REDIS_URL=redis_url.replace("redis://", "rediss://"))
    assert ran.code != 0
    assert "and talks TLS there" in ran.err


@pytest.fixture
async def cluster(certificates: Certificates) -> AsyncGenerator[Cluster]:
    async with serve_tls_cluster(certificates) as served:
        yield served


async def test_a_cluster_is_spoken_to_over_tls_throughout(programs: Programs, cluster: Cluster, redis_url: str) -> None:
    for name in cluster.queues():
        queue = QueueOf(cluster.address, redis_url, name)
        await programs.runner(programs.manifest(name), **cluster.env)
        await queue.push({"id": "a", "data": {}})
        await queue.becomes("a", State.DONE)
        await queue.close()
