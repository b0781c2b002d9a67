"""`edworkers dev` as a real process in a folder of its own."""

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from tests.integration.command_line import CommandLine
from tests.integration.processes import LOOK_SECONDS

from edworkers.adapters.redis.connection import connect
from edworkers.standins.free_port import free_port

MANIFESTS = Path(__file__).parents[2] / "manifests"


class Dev:
    """A dev that runs, and what it said so far."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.said: list[str] = []

    async def says(self, *words: str) -> str:
        """Read on to the next line in which all these words are."""
        assert self.process.stdout is not None
        while line := (await self.process.stdout.readline()).decode():
            self.said.append(line.rstrip("\n"))
            if all(word in line for word in words):
                return self.said[-1]
        raise AssertionError(f"dev ended without saying {words}: {self.said}")

    async def ended(self) -> tuple[int, str]:
        out, _ = await self.process.communicate()
        return await self.process.wait(), "\n".join([*self.said, out.decode()])

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    async def runners(self) -> list[psutil.Process]:
        """Wait until a runner for each of both queues is there; gives dev's processes, Redis and a server too."""
        await self.says("runner.started")
        await self.says("runner.started")
        return self.children()

    async def push_the_example(self) -> str:
        """Push the job that dev printed, as it was printed; returns its id."""
        _, _, port, verb, key, payload = shlex.split((await self.says("redis-cli")).strip())
        client: Any = connect(f"redis://127.0.0.1:{port}/0")
        await client.execute_command(verb, key, payload)
        await client.aclose()
        return shlex.split(await self.says(" result "))[-2]


class Devs:
    """Starts dev in one folder with an environment in which nothing is configured."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[Dev] = []

    async def start(self, *words: str, **env: str) -> Dev:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "edworkers", "dev", *words),
            env={"PATH": os.environ["PATH"], "EDWORKERS_SERVER_PORT": str(free_port()), **env},
            cwd=self.folder,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
        )
        self._running.append(Dev(process))
        return self._running[-1]

    async def start_own(self, *words: str, **env: str) -> Dev:
        """Start it on a port that no other test takes, with two queues, which need no programs."""
        others = [word for queue in ("document", "email", "scheduled") for word in ("--without", queue)]
        return await self.start("--port", str(free_port()), *others, *words, **env)

    async def end(self) -> None:
        for dev in self._running:
            if dev.process.returncode is None:
                dev.process.terminate()
                await dev.ended()


@pytest.fixture
async def devs(tmp_path: Path) -> AsyncGenerator[Devs]:
    shutil.copytree(MANIFESTS, tmp_path / "manifests")
    started = Devs(tmp_path)
    yield started
    await started.end()


async def until_answered(client: httpx2.AsyncClient, path: str) -> httpx2.Response:
    """Ask until the server is there; the test's own time limit ends a wait for what never comes."""
    while True:
        with suppress(httpx2.ConnectError):
            return await client.get(path)
        await asyncio.sleep(LOOK_SECONDS)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


async def test_a_pushed_job_is_answered_and_its_webhook_arrives_signed(devs: Devs) -> None:
    dev = await devs.start_own()
    url = await dev.says("")
    job_id = await dev.push_the_example()
    line = await dev.says("webhook arrived")
    assert url.startswith("redis://127.0.0.1:")
    assert "event ai.completed" in line
    assert "signature ok" in line
    assert f"job {job_id}" in line
    assert "answered 204" in line
    ran = await CommandLine(devs.folder, url).run("result", job_id)
    assert ran.code == 0
    assert "This answer comes from the Gemini stand-in." in ran.document["text"]


async def test_its_dashboard_shows_the_queues_of_its_manifests_and_whoever_is_here_may_use_it(devs: Devs) -> None:
    dev = await devs.start_own()
    address = re.search(r"http://127\.0\.0\.1:\d+", await dev.says("dashboard "))
    assert address is not None
    async with httpx2.AsyncClient(base_url=address[0], timeout=30) as client:
        answer = await until_answered(client, "/v1/queues")
        assert {"ai", "webhook"} <= {queue["name"] for queue in answer.json()["queues"]}
        data = {"conversationId": "c1", "userId": "u1", "prompt": "What is a prime number?"}
        taken = await client.post("/v1/queues/ai/jobs", json=data)
        assert taken.status_code == 202
        page = await client.get(f"/queues/ai/jobs/{taken.json()['jobId']}")
        assert "What is a prime number?" not in page.text, "what a student asks is masked"
        assert "conversationId" in page.text


async def test_what_its_server_can_not_use_is_told_before_anything_starts(devs: Devs) -> None:
    code, said = await (await devs.start_own(EDWORKERS_SERVER_AUTH="everybody")).ended()
    assert code == 2
    assert "EDWORKERS_SERVER_AUTH: 'everybody' is none of" in said
    assert "started" not in said.replace("nothing was started", "")


async def test_it_says_what_runs_and_what_is_stood_in_for(devs: Devs) -> None:
    dev = await devs.start_own("--processes", "2")
    await dev.says("Ctrl-C")
    said = "\n".join(dev.said)
    assert "ai        3 at once in each of 2 processes, 30 s for each, 2 attempts; at most 60 a minute, 1,333" in said
    assert "webhook   50 at once in each of 2 processes, 15 s for each, 5 attempts; no limit" in said
    assert "GEMINI_API_KEY is not set: a stand-in answers at http://127.0.0.1:" in said
    assert "WEBHOOK_SECRET is not set: signed with one made up for this session" in said


async def test_what_is_configured_is_used_and_told(devs: Devs, redis_url: str) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    (devs.folder / ".env").write_text(f"WEBHOOK_SECRET={secret}\nGEMINI_API_KEY=\n", encoding="ascii")
    dev = await devs.start(REDIS_URL=redis_url, GEMINI_BASE_URL="http://127.0.0.1:9")
    assert await dev.says("") == redis_url
    processes = await dev.runners()
    said = "\n".join(dev.said)
    assert "REDIS_URL is set, so that one is used and none is started" in said
    assert "signed with WEBHOOK_SECRET" in said
    assert "http://127.0.0.1:9 is asked, with a made-up key" in said
    assert not [process for process in processes if "redis" in process.name()]


async def test_a_stop_leaves_no_process_behind(devs: Devs) -> None:
    dev = await devs.start_own()
    processes = await dev.runners()
    assert {"redis-server", "valkey-server"} & {process.name() for process in processes}
    assert len(processes) == 4, "a Redis, a server and two runners"
    dev.process.terminate()
    code, said = await dev.ended()
    assert code == 0
    assert said.count("runner.ended") == 2
    assert alive(processes) == []


async def test_a_stop_while_it_starts_leaves_no_process_behind(devs: Devs) -> None:
    dev = await devs.start_own()
    await dev.says("redis://")
    processes = dev.children()
    dev.process.send_signal(signal.SIGINT)
    code, _ = await dev.ended()
    assert code == 0
    assert processes
    assert alive(processes) == []


async def test_when_it_is_killed_its_processes_end_by_themselves(devs: Devs) -> None:
    dev = await devs.start_own()
    processes = await dev.runners()
    dev.process.kill()
    await dev.process.wait()
    _, left = await asyncio.to_thread(psutil.wait_procs, processes, 60)
    assert left == []


async def test_jobs_are_there_again_after_a_restart(devs: Devs) -> None:
    first = await devs.start_own()
    job_id = await first.push_the_example()
    await first.says("webhook arrived", job_id)
    first.process.terminate()
    await first.ended()
    second = await devs.start_own()
    ran = await CommandLine(devs.folder, await second.says("redis://")).run("result", job_id)
    assert ran.code == 0
    assert "What is a prime number?" in ran.document["text"]


async def test_runners_start_anew_when_a_python_file_changes(devs: Devs) -> None:
    dev = await devs.start_own()
    before = {process.pid for process in await dev.runners() if "run" in process.cmdline()}

    async def change() -> None:
        for version in range(1_000_000):  # it may not watch yet, and has no way to say that it does
            (devs.folder / "handlers.py").write_text(f"VERSION = {version}\n", encoding="ascii")
            await asyncio.sleep(0.1)

    changing = asyncio.create_task(change())
    await dev.says("reload", "handlers.py")
    changing.cancel()
    after = {process.pid for process in await dev.runners() if "run" in process.cmdline()}
    assert len(before) == len(after - before) == 2


async def test_its_redis_lost_it_stops_and_says_so(devs: Devs) -> None:
    dev = await devs.start_own(EDWORKERS_DRAIN_SECONDS="0")
    processes = await dev.runners()
    [server] = [process for process in processes if process.name() in {"redis-server", "valkey-server"}]
    server.kill()
    code, said = await dev.ended()
    assert code == 1
    assert "dev's own Redis ended by itself" in said
    assert alive(processes) == []


async def test_its_database_lost_it_says_so_and_goes_on(devs: Devs) -> None:
    others = [word for queue in ("document", "email", "ai") for word in ("--without", queue)]
    dev = await devs.start("--port", str(free_port()), *others)
    await dev.says("runner.started")
    await dev.says("runner.started")
    # Its own processes, and not those of connections: the one of which the others are children.
    servers = [process for process in dev.children() if process.name() == "postgres"]
    [server] = [process for process in servers if process.ppid() not in {each.pid for each in servers}]
    server.kill()
    assert "dev's own PostgreSQL ended by itself" in await dev.says("database.ended")
    dev.process.terminate()
    code, _ = await dev.ended()
    assert code == 0


async def test_the_first_example_of_scheduled_work_does_something(devs: Devs, tmp_path: Path) -> None:
    others = [word for queue in ("document", "email", "ai", "webhook") for word in ("--without", queue)]
    dev = await devs.start("--port", str(free_port()), *others)
    shell = CommandLine(tmp_path, await dev.says("redis://"))
    for deleted in (12, 0):
        ran = await shell.run("enqueue", "scheduled", "--type", "token-cleanup", "{}", "--wait", "--json")
        assert (ran.code, json.loads(ran.out)["result"]["deleted"]) == (0, deleted)


async def test_what_lacks_something_can_be_left_out_and_it_says_how(devs: Devs) -> None:
    code, said = await (await devs.start("--port", str(free_port()), EDWORKERS_SOFFICE="/nowhere/soffice")).ended()
    assert code == 2
    assert "EDWORKERS_SOFFICE: there is no program /nowhere/soffice: apt-get install" in said
    assert "or start without what lacks something: --without document" in said


async def test_a_second_one_in_the_same_folder_is_refused(devs: Devs) -> None:
    dev = await devs.start_own()
    await dev.says("redis://")
    code, said = await (await devs.start_own()).ended()
    assert code == 2
    assert "another `edworkers dev` runs in this folder" in said


async def test_every_fault_is_named_before_anything_starts(devs: Devs, redis_url: str) -> None:
    (devs.folder / "manifests/examples/ai.yaml").write_text(
        "apiVersion: edworkers.dev/v1alpha1\nkind: WorkerPool\nspec: {queue: AI, concurrency: 0, handlers: my.ai}\n",
        encoding="ascii",
    )
    (devs.folder / "more.yaml").write_text("- 1\n", encoding="ascii")
    (devs.folder / "empty").mkdir()
    port = redis_url.rpartition(":")[2].partition("/")[0]
    words = ("manifests/examples", "more.yaml", "missing.yaml", "empty")
    code, said = await (await devs.start("--port", port, *words, WEBHOOK_SECRET="short")).ended()
    assert code == 2
    for fault in (
        "manifests/examples/ai.yaml: spec.queue: ",
        "manifests/examples/ai.yaml: spec.concurrency: ",
        "more.yaml: each document must be a WorkerPool",
        "missing.yaml: can't be read",
        "empty: no manifest",
        f"--port: {port} is in use; give another",
        "WEBHOOK_SECRET: must be whsec_",
    ):
        assert fault in said
    assert not (devs.folder / ".edworkers").exists()


async def test_a_port_and_a_configured_redis_contradict_each_other(devs: Devs, redis_url: str) -> None:
    code, said = await (await devs.start("--port", "6399", REDIS_URL=redis_url)).ended()
    assert code == 2
    assert "REDIS_URL is set; leave one of them out" in said


async def test_without_a_redis_server_it_says_how_to_get_one(devs: Devs, tmp_path: Path) -> None:
    code, said = await (await devs.start_own(PATH=str(tmp_path))).ended()
    assert code == 2
    assert "apt-get install redis-server" in said


@pytest.mark.parametrize("command", ["dev", "demo"])
async def test_what_is_not_installed_is_named(tmp_path: Path, command: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Without:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name in {'uvicorn', 'standardwebhooks'}: raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Without())\n",
        encoding="ascii",
    )
    ran = await CommandLine(tmp_path, "").run(command, PYTHONPATH=str(tmp_path), REDIS_URL="")
    assert ran.code == 2
    assert "uvicorn is not installed: pip install 'edworkers[server]'" in ran.err
    assert "standardwebhooks is not installed: pip install 'edworkers[webhook]'" in ran.err


async def test_suspended_pools_are_left_alone(devs: Devs) -> None:
    manifest = devs.folder / "manifests/examples/webhook.yaml"
    manifest.write_text(f"{manifest.read_text(encoding='utf-8')}  suspend: true\n", encoding="utf-8")
    dev = await devs.start_own()
    await dev.says("webhook", "suspended by its manifest")
    await dev.says("runner.started", "queue=ai")
    assert len(dev.children()) == 3, "a Redis, a server and the runner of the other queue"


async def test_all_five_queues_work_on_one_machine(devs: Devs, tmp_path: Path) -> None:
    dev = await devs.start("--port", str(free_port()))
    shell = CommandLine(tmp_path, await dev.says("redis://"))
    (tmp_path / ".edworkers/storage/notes.md").write_text("# Notes\n\nHello\n", encoding="utf-8")
    folder = (tmp_path / ".edworkers/storage").as_uri()
    jobs: dict[str, dict[str, Any]] = {
        "document": {"data": {"source": f"{folder}/notes.md", "to": "pdf", "destination": f"{folder}/notes.pdf"}},
        "email": {"data": {"to": "ada@school.example", "subject": "Hello", "text": "Hello"}},
        "scheduled": {"type": "notification-batch", "data": {}},
    }
    for queue, job in jobs.items():
        ran = await shell.run("enqueue", queue, json.dumps({"id": queue, **job}), "--wait")
        assert ran.code == 0, ran.err
    assert (tmp_path / ".edworkers/storage/notes.pdf").read_bytes().startswith(b"%PDF")
    await dev.says("mail arrived", "ada@school.example")
    [mail] = (tmp_path / ".edworkers/mails").glob("*.eml")
    assert b"ada@school.example" in mail.read_bytes()


async def test_a_queue_to_leave_out_has_to_be_there(devs: Devs) -> None:
    code, said = await (await devs.start_own("--without", "emial")).ended()
    assert code == 2
    assert "--without: 'emial' is none of: ai, document, email, scheduled, webhook" in said


async def test_without_manifests_those_built_in_are_run(devs: Devs) -> None:
    shutil.rmtree(devs.folder / "manifests")
    dev = await devs.start_own()
    await dev.says("the queues of the settings built in")
    assert len(await dev.runners()) == 4
