"""Settings and servers with which nothing is started: one message that names every fault, and an exit code."""

import asyncio
import sys

import pytest
from tests.integration.processes import Programs, Queue

from edworkers.standins import redis as redis_standin

pytestmark = pytest.mark.timeout(60)

USAGE, UNAVAILABLE = 2, 3


async def test_faults_in_several_settings_are_all_named_at_once_and_nothing_starts(programs: Programs) -> None:
    runner = await programs.start(
        "run",
        "ai",
        REDIS_URL="",
        REDIS_PORT="sixthousand",
        AI_WORKER_CONCURRENCY="many",
        GEMINI_DAILY_LIMIT="-1",
        EDWORKERS_DRAIN_SECONDS="soon",
        EDWORKERS_HEALTH_PORT="99999",
        PM2_INSTANCES="lots",
    )
    assert await runner.ended() == USAGE
    for name in (
        *("REDIS_PORT", "AI_WORKER_CONCURRENCY", "GEMINI_DAILY_LIMIT", "GEMINI_API_KEY"),
        *("EDWORKERS_DRAIN_SECONDS", "EDWORKERS_HEALTH_PORT", "PM2_INSTANCES"),
    ):
        assert runner.text.count(name) == 1, (name, runner.text)
    assert runner.lines == []


async def test_the_ai_queue_refuses_to_start_without_a_key(programs: Programs) -> None:
    runner = await programs.start("run", "ai")
    assert await runner.ended() == USAGE
    assert "GEMINI_API_KEY" in runner.text
    assert len(runner.text.splitlines()) == 2


async def test_an_unknown_queue_is_refused_with_the_names_of_those_there_are(programs: Programs) -> None:
    runner = await programs.start("run", "nosuch", "ai", GEMINI_API_KEY="key", REDIS_URL="http://nowhere")
    assert await runner.ended() == USAGE
    assert "no queue 'nosuch' comes with edworkers (there are: ai, webhook, document, email, scheduled)" in runner.text
    assert "REDIS_URL" in runner.text


async def test_a_keeper_names_every_fault_too_and_needs_no_key(programs: Programs) -> None:
    keeper = await programs.start("keeper", "nosuch", "ai", REDIS_URL="", REDIS_PORT="x")
    assert await keeper.ended() == USAGE
    assert "no queue 'nosuch'" in keeper.text
    assert "REDIS_PORT" in keeper.text
    assert "GEMINI_API_KEY" not in keeper.text


async def test_a_manifest_with_several_faults_has_all_of_them_named(programs: Programs) -> None:
    manifest = programs.manifest(concurrency=0, leaseSeconds="long", job={"maxAttempts": 0}, colour="red")
    runner = await programs.start("run", "work", "--pool", str(manifest))
    assert await runner.ended() == USAGE
    for name in ("spec.concurrency", "spec.leaseSeconds", "spec.job.maxAttempts", "spec.colour"):
        assert name in runner.text


async def test_handlers_that_cant_be_imported_are_told(programs: Programs) -> None:
    runner = await programs.start("run", "work", "--pool", str(programs.manifest(handlers="no_such_module")))
    assert await runner.ended() == USAGE
    assert "no_such_module: there is no such module" in runner.text


async def test_a_redis_that_evicts_keys_is_refused_with_the_reason(programs: Programs) -> None:
    async with redis_standin.serve(options={"maxmemory-policy": "allkeys-lru"}) as server:
        runner = await programs.start("run", "work", "--pool", str(programs.manifest()), REDIS_URL=server.url)
        assert await runner.ended() == UNAVAILABLE
        assert "maxmemory-policy allkeys-lru" in runner.text
        assert "CONFIG SET maxmemory-policy noeviction" in runner.text


async def test_several_processes_are_refused_as_one_is(programs: Programs) -> None:
    async with redis_standin.serve(options={"maxmemory-policy": "allkeys-lru"}) as server:
        words = ("run", "work", "--pool", str(programs.manifest()), "--processes", "2")
        parent = await programs.start(*words, REDIS_URL=server.url)
        assert await parent.ended() == UNAVAILABLE
        assert "maxmemory-policy allkeys-lru" in parent.text
        assert not parent.seen("process.ended")


@pytest.mark.parametrize("password", ["", ":wrong@"])
async def test_a_wrong_or_missing_password_is_refused_at_once(programs: Programs, password: str) -> None:
    async with redis_standin.serve(options={"requirepass": "right"}) as server:
        url = f"redis://{password}127.0.0.1:{server.port}/0"
        runner = await programs.start("run", "work", "--pool", str(programs.manifest()), REDIS_URL=url)
        assert await runner.ended() == UNAVAILABLE
        assert "the user or the password is wrong or missing" in runner.text
        assert f"127.0.0.1:{server.port}" in runner.text
        assert not runner.seen("redis.away")


async def test_a_health_port_that_is_taken_is_told(programs: Programs) -> None:
    taken = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    runner = await programs.start("run", "work", "--pool", str(programs.manifest()), EDWORKERS_HEALTH_PORT=str(port))
    assert await runner.ended() == USAGE
    assert f"EDWORKERS_HEALTH_PORT: can't listen on 127.0.0.1:{port}" in runner.text
    taken.close()
    await taken.wait_closed()


async def test_reload_without_its_package_is_refused(programs: Programs) -> None:
    (programs.folder / "sitecustomize.py").write_text(
        "import sys\nclass Hide:\n    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'watchfiles':\n            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Hide())\n"
    )
    runner = await programs.start(
        *("run", "work", "--pool", str(programs.manifest()), "--reload"),
        PYTHONPATH=f"{programs.folder}:{programs.env['PYTHONPATH']}",
    )
    assert await runner.ended() == USAGE
    assert "watchfiles is not installed" in runner.text


async def test_a_runner_starts_without_the_heavy_libraries_of_its_handlers(
    programs: Programs, queue: Queue, redis_url: str
) -> None:
    script = (
        "import sys\nfrom edworkers import compose, pools\n"
        "env = pools.read_environment()\n"
        "pool = pools.make_pools([pools.find_spec('ai', env)], env)[0]\n"
        "import edworkers.cli.app, edworkers.cli.run\n"
        "compose.RunningPool(pool, env, None, compose.RunOptions())\n"
        "print([name for name in ('google.genai', 'httpx', 'httpx2', 'watchfiles', 'psycopg') if name in sys.modules])"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script),
        env={**programs.env, "GEMINI_API_KEY": "key"},
        cwd=programs.folder,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert (said.splitlines()[-1], process.returncode) == (b"[]", 0)
