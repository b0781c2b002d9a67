"""The queue `scheduled` in a real runner: jobs with processes of their own, and what is left of one that is killed."""

import json
import os
import signal
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import psycopg
import pytest
from tests.integration.processes import Programs, Queue, eventually
from tests.servers.storage import StorageFolder

from edworkers.core.lifecycle import State
from edworkers.handlers.scheduled.postgres_programs import find_folder


@pytest.fixture
async def programs(
    tmp_path: Path, redis_url: str, migrated_url: str, storage_folder: StorageFolder
) -> AsyncIterator[Programs]:
    reports = tmp_path / "reports"
    reports.mkdir()
    (reports / "schema.sql").write_text("-- title: Migrations\nSELECT version, name FROM edworkers.schema_version")
    env = {"REDIS_URL": redis_url, "NEON_DATABASE_URL": migrated_url, "REPORTS_FOLDER": str(reports)}
    programs = Programs(tmp_path, {**env, **storage_folder.env})
    yield programs
    await programs.end()


@pytest.fixture
async def queue(redis_url: str) -> AsyncIterator[Queue]:
    queue = Queue(redis_url, redis_url, "scheduled")
    yield queue
    await queue.close()


def manifest(programs: Programs) -> Path:
    return programs.manifest("scheduled", handlers="edworkers.handlers.scheduled")


async def test_a_report_and_a_backup_are_made_and_no_connection_is_left(
    programs: Programs, queue: Queue, storage_folder: StorageFolder, migrated_url: str
) -> None:
    await programs.runner(manifest(programs))
    folder = storage_folder.url("out/")
    report = {"report": "schema", "formats": ["pdf"], "destination": folder, "mail": {"to": ["head@school.example"]}}
    await queue.push({"id": "report", "type": "report", "data": report})
    await queue.push({"id": "backup", "type": "database-backup", "data": {"destination": folder}})
    for job in ("report", "backup"):
        await queue.becomes(job, State.DONE)

    async def is_mailed() -> bool:
        return bool(await queue.client.llen("edworkers:{email}:pending"))

    await eventually(is_mailed)
    [mail] = [json.loads(raw) for raw in await queue.client.lrange("edworkers:{email}:pending", 0, -1)]
    assert mail["source"] == "edworkers/scheduled"
    assert [each["contentType"] for each in mail["data"]["attachments"]] == ["application/pdf"]
    endings = sorted(path.suffix for path in storage_folder.path.rglob("*") if path.is_file())
    assert endings == [".dump", ".json", ".pdf"]
    async with await psycopg.AsyncConnection.connect(migrated_url) as connection:

        async def nobody_else_is_connected() -> bool:
            cursor = await connection.execute(
                "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return await cursor.fetchone() is None

        await eventually(nobody_else_is_connected)


async def test_a_runner_that_is_killed_in_the_middle_of_a_dump_leaves_no_object_and_no_program(
    programs: Programs, queue: Queue, storage_folder: StorageFolder, tmp_path: Path
) -> None:
    real = find_folder(os.environ)
    assert real is not None
    stalled, folder = tmp_path / "stalled", tmp_path / "programs"
    folder.mkdir()
    for name, end in (
        ("pg_dump", f'{real}/pg_dump "$@" | head -c 4000; echo $$ > {stalled}; exec sleep 1000'),
        ("pg_restore", ""),
    ):
        path = folder / name
        path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exec {real}/{name} "$@"\n{end}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    runner = await programs.runner(manifest(programs), EDWORKERS_POSTGRES_BIN=str(folder))
    await queue.push({"id": "backup", "type": "database-backup", "data": {"destination": storage_folder.url("out/")}})

    async def it_stalls() -> bool:
        return stalled.exists() and stalled.read_text().endswith("\n")

    await eventually(it_stalls)
    pid = int(stalled.read_text())
    runner.signal(signal.SIGKILL)
    await runner.ended()

    async def it_is_gone() -> bool:
        return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE

    await eventually(it_is_gone)
    found = [path.name for path in storage_folder.path.rglob("*") if path.is_file()]
    assert [name for name in found if name.endswith((".dump", ".json"))] == []
