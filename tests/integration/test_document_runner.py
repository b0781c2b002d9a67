"""The queue `document` in a real runner: conversions, and what is left when one is killed."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.integration import documents
from tests.integration.isolated import alive, end
from tests.integration.processes import Program, Programs, Queue, eventually
from tests.servers.storage import StorageFolder

from edworkers.core.lifecycle import State

pytestmark = pytest.mark.timeout(180)

SLOW = "#!/bin/sh\nsleep 600 &\necho $$ $! > started.part\nmv started.part started\nsleep 600\n"
HUNGRY = "#!/bin/sh\nfor each in 1 2 3; do head -c 200000000 /dev/zero | tail -c 200000000 | sleep 600 & done\nwait\n"
LONG = documents.docx(*("The quick brown fox jumps over the lazy dog. " * 40 for _ in range(3000)))


@pytest.fixture
async def queue(redis_url: str) -> AsyncGenerator[Queue]:
    seen = Queue(redis_url, redis_url, "document")
    yield seen
    await seen.close()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def env(storage_folder: StorageFolder, work: Path) -> dict[str, str]:
    """What the runner is told; there is no HOME."""
    return {**storage_folder.env, "EDWORKERS_WORK_FOLDER": str(work)}


def program(folder: Path, text: str) -> str:
    """Write a program that takes the place of soffice."""
    path = folder / "soffice"
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def job(storage: StorageFolder, name: str, content: bytes | str, **job: Any) -> dict[str, Any]:
    """Lay a document down, and make a job of it with the same name."""
    (storage.path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return {
        "id": name,
        "data": {"source": storage.url(name), "to": "pdf", "destination": storage.url(f"{name}.pdf")},
        **job,
    }


def jobs_in(work: Path) -> list[Path]:
    """The folders of jobs that run, or were killed."""
    return [folder for common in work.iterdir() for folder in common.iterdir()]


def told_in(work: Path) -> list[int]:
    """The process ids that a program in the place of soffice has written down; none before it runs."""
    return [int(word) for told in work.rglob("started") for word in told.read_text().split()]


async def started(work: Path) -> list[int]:
    """Wait until the program that takes the place of soffice runs; returns its process ids."""

    async def look() -> bool:
        return bool(told_in(work))

    await eventually(look)
    return told_in(work)


async def stopped_office(runner: Program) -> list[int]:
    """Wait until LibreOffice runs, and freeze it; returns the process ids of the job."""
    found: list[psutil.Process] = []

    async def look() -> bool:
        found[:] = [
            child for child in psutil.Process(runner.pid).children(recursive=True) if child.name() == "soffice.bin"
        ]
        return bool(found)

    await eventually(look)
    found[0].send_signal(signal.SIGSTOP)
    job_process = found[0]
    while job_process.name() != "edworkers-job":
        job_process = job_process.parent() or pytest.fail("LibreOffice has left its job")
    assert {child.pid for child in job_process.children(recursive=True)} >= {found[0].pid}
    return [job_process.pid, *(child.pid for child in job_process.children(recursive=True))]


async def test_a_conversion_in_a_runner_with_the_settings_that_come_with_it(
    programs: Programs, queue: Queue, storage_folder: StorageFolder, env: dict[str, str], work: Path
) -> None:
    runner = await programs.start("run", "document", **env)
    await queue.push(job(storage_folder, "a.docx", documents.docx("Hello", documents.PAGE_BREAK, "Ada")))
    found = (await queue.becomes("a.docx", State.DONE)).result
    assert (found["kind"], found["pages"]) == ("docx", 2)
    assert (storage_folder.path / "a.docx.pdf").stat().st_size == found["bytes"]
    assert jobs_in(work) == []
    runner.signal(signal.SIGTERM)
    assert await runner.ended() == 0


async def test_a_job_out_of_time_is_killed_with_its_program_and_the_next_one_tidies_up(
    programs: Programs, queue: Queue, storage_folder: StorageFolder, env: dict[str, str], work: Path, tmp_path: Path
) -> None:
    await programs.start("run", "document", EDWORKERS_SOFFICE=program(tmp_path, SLOW), **env)
    await queue.push(job(storage_folder, "a.docx", documents.docx("Hello"), timeoutSeconds=6, maxAttempts=1))
    pids = await started(work)
    assert alive(pids) == pids
    assert (await queue.becomes("a.docx", State.DEAD)).error == {
        **((await queue.record("a.docx")).error or {}),
        "kind": "timeout",
        "message": "not done within 6 s",
    }
    assert alive(pids) == []
    assert len(jobs_in(work)) == 1
    await queue.push(job(storage_folder, "b.md", "# Hello"))
    await queue.becomes("b.md", State.DONE)
    assert jobs_in(work) == []


async def test_libreoffice_itself_is_killed_in_time(
    programs: Programs, queue: Queue, storage_folder: StorageFolder, env: dict[str, str]
) -> None:
    runner = await programs.start("run", "document", **env)
    await queue.push(job(storage_folder, "a.docx", LONG, timeoutSeconds=12, maxAttempts=1))
    pids = await stopped_office(runner)
    assert ((await queue.becomes("a.docx", State.DEAD)).error or {})["kind"] == "timeout"
    assert alive(pids) == []


async def test_when_its_runner_is_killed_libreoffice_ends_and_another_runner_does_the_job(
    programs: Programs, queue: Queue, storage_folder: StorageFolder, env: dict[str, str], work: Path
) -> None:
    manifest = programs.manifest("document", handlers="edworkers.handlers.document", leaseSeconds=2)
    runner = await programs.runner(manifest, **env)
    await queue.push(job(storage_folder, "a.docx", LONG))
    pids = await stopped_office(runner)
    await runner.kill()
    await end(pids)
    assert len(jobs_in(work)) == 1
    await programs.runner(manifest, **env)
    assert (await queue.becomes("a.docx", State.DONE)).result["kind"] == "docx"
    assert jobs_in(work) == []


async def test_what_libreoffice_starts_counts_with_the_job_and_all_of_it_is_killed(
    programs: Programs, queue: Queue, storage_folder: StorageFolder, env: dict[str, str], tmp_path: Path
) -> None:
    manifest = programs.manifest(
        "document", handlers="edworkers.handlers.document", job={"isolation": "process", "memory": "400Mi"}
    )
    runner = await programs.runner(manifest, EDWORKERS_SOFFICE=program(tmp_path, HUNGRY), **env)
    await queue.push(job(storage_folder, "a.docx", documents.docx("Hello"), maxAttempts=1))
    error = (await queue.becomes("a.docx", State.DEAD)).error or {}
    assert error["kind"] == "memory"
    assert "400 MiB are allowed" in error["message"]
    [zygote] = psutil.Process(runner.pid).children()
    assert zygote.children() == []


async def test_two_jobs_at_once_do_not_get_into_each_others_way(
    programs: Programs, queue: Queue, storage_folder: StorageFolder, env: dict[str, str], work: Path
) -> None:
    await programs.start("run", "document", **env)
    names = [f"{number}.docx" for number in range(4)]
    await queue.push(*(job(storage_folder, name, documents.docx(f"This is {name}")) for name in names))
    await asyncio.gather(*(queue.becomes(name, State.DONE) for name in names))
    assert jobs_in(work) == []


async def test_without_libreoffice_and_storage_a_runner_says_all_of_it_at_its_start(
    programs: Programs, queue: Queue, tmp_path: Path
) -> None:
    runner = await programs.start(
        *("run", "document"),
        EDWORKERS_SOFFICE=str(tmp_path / "nothing"),
        EDWORKERS_WORK_FOLDER=str(tmp_path / "nowhere"),
        DOCUMENT_MAX_PAGES="many",
    )
    assert await runner.ended() == 2
    said = " ".join(runner.text.split())
    assert "apt-get install libreoffice-writer-nogui" in said
    for name in ("EDWORKERS_SOFFICE", "EDWORKERS_WORK_FOLDER", "DOCUMENT_MAX_PAGES", "STORAGE_FOLDER"):
        assert f"{name}: " in said or f"{name} or" in said
