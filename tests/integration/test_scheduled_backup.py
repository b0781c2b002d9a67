"""`database-backup` with the real pg_dump, pg_restore, PostgreSQL and storage."""

import asyncio
import hashlib
import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from tests.servers.storage import S3Server, StorageFolder

from edworkers.adapters.storage import open_store
from edworkers.core.outcome import Done, Failed, Outcome, Rejected
from edworkers.handlers.scheduled import MODULE
from edworkers.handlers.scheduled.postgres_programs import find_folder
from edworkers.testing import run_job

Connection = psycopg.AsyncConnection[Any]
PROGRAMS = find_folder(os.environ)
SCHOOL = """
CREATE SCHEMA "Auth Data";
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE SEQUENCE tickets START 100;
CREATE TABLE pupils (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, mood mood, photo bytea);
INSERT INTO pupils (name, mood, photo)
    SELECT 'Zoë ' || n, CASE WHEN n % 3 = 0 THEN 'good'::mood END, decode(repeat('00ff', n % 9), 'hex')
    FROM generate_series(1, 3000) n;
CREATE INDEX pupils_by_name ON pupils (lower(name)) WHERE mood IS NOT NULL;
CREATE TABLE "Auth Data"."odd;table" (pupil bigint REFERENCES pupils, at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE "Auth Data".part PARTITION OF "Auth Data"."odd;table" FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO "Auth Data"."odd;table" SELECT id, '2026-05-05' FROM pupils WHERE id < 50;
CREATE VIEW happy AS SELECT name FROM pupils WHERE mood = 'good';
SELECT nextval('tickets') FROM generate_series(1, 7);
"""


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as connection:
        await connection.execute(SCHOOL)
        yield connection


async def back_up(url: str, destination: str, env: dict[str, str], **data: Any) -> Outcome:
    told = {"destination": destination, **data}
    env = {"NEON_DATABASE_URL": url, "PATH": os.environ["PATH"], **env}
    return await run_job(MODULE, told, env=env, type="database-backup", real_time=True)


async def done(url: str, storage: StorageFolder | S3Server, **data: Any) -> dict[str, Any]:
    outcome = await back_up(url, storage.url("backups/"), storage.env, **data)
    assert isinstance(outcome, Done), outcome
    assert isinstance(outcome.result, dict)
    return outcome.result


def stored(storage: StorageFolder) -> list[str]:
    return sorted(path.name for path in storage.path.rglob("*") if path.is_file())


async def everything(url: str) -> dict[str, Any]:
    """All rows of all tables, and what else was made: sequences, indexes, views, constraints."""
    async with await psycopg.AsyncConnection.connect(url) as connection:

        async def ask(query: sql.SQL | sql.Composed) -> list[Any]:
            return list(await (await connection.execute(query)).fetchall())

        user = "NOT IN ('pg_catalog', 'information_schema')"
        tables = await ask(
            sql.SQL("SELECT schemaname, tablename FROM pg_tables WHERE schemaname " + user + " ORDER BY 1, 2")
        )
        found: dict[str, Any] = {
            "sequences": await ask(sql.SQL("SELECT sequencename, last_value FROM pg_sequences ORDER BY 1")),
            "indexes": await ask(sql.SQL("SELECT indexdef FROM pg_indexes WHERE schemaname " + user + " ORDER BY 1")),
            "views": await ask(sql.SQL("SELECT viewname, definition FROM pg_views WHERE schemaname " + user)),
            "constraints": await ask(
                sql.SQL(
                    "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace >= 16384"
                    " OR connamespace = 'public'::regnamespace ORDER BY 1, 2"
                )
            ),
        }
        for table in tables:
            rows = await ask(sql.SQL("SELECT t::text FROM {} t ORDER BY 1").format(sql.Identifier(*table)))
            found[".".join(table)] = rows
        return found


async def restore(dump: bytes, url: str, folder: Path) -> str:
    """Restore into a new database as the documentation says; returns its address."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        name = f"{connection.info.dbname}_restored"
        await connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    restored = make_conninfo(url, dbname=name)
    file = folder / "restored.dump"
    file.write_bytes(dump)
    assert PROGRAMS is not None
    process = await asyncio.create_subprocess_exec(
        PROGRAMS / "pg_restore", "--no-owner", "--exit-on-error", f"--dbname={restored}", file
    )
    assert await process.wait() == 0
    return restored


async def drop(restored: str, url: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(restored)["dbname"]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(str(name))))


async def test_a_backup_restored_has_every_row_sequence_index_and_view(
    postgres_url: str, database: Connection, storage_folder: StorageFolder, tmp_path: Path
) -> None:
    result = await done(postgres_url, storage_folder)
    dump = next(storage_folder.path.rglob("*.dump")).read_bytes()
    restored = await restore(dump, postgres_url, tmp_path)
    first, second = await everything(postgres_url), await everything(restored)
    await drop(restored, postgres_url)
    assert len(first["public.pupils"]) == 3000
    assert dict(first["sequences"])["tickets"] == 106
    assert second == first
    assert (result["bytes"], result["sha256"]) == (len(dump), hashlib.sha256(dump).hexdigest())


async def test_the_rows_of_a_table_that_was_never_analysed_are_not_known(
    postgres_url: str, database: Connection, storage_folder: StorageFolder
) -> None:
    await database.execute("CREATE TABLE fresh (id int)")
    await done(postgres_url, storage_folder)
    manifest = json.loads(next(storage_folder.path.rglob("*.json")).read_text())
    assert {"schema": "public", "name": "fresh", "rowsEstimate": None} in manifest["tables"]


async def test_a_backup_in_s3_is_the_same_and_has_its_manifest_beside_it(
    postgres_url: str, database: Connection, s3: S3Server
) -> None:
    await database.execute("ANALYZE")
    result = await done(postgres_url, s3)
    async with open_store(s3.env) as store:
        dump, text = [b"".join([chunk async for chunk in store.read(result[name])]) for name in ("url", "manifest")]
    manifest = json.loads(text)
    assert hashlib.sha256(dump).hexdigest() == manifest["sha256"] == result["sha256"]
    assert manifest["database"] == database.info.dbname
    assert manifest["tocEntries"] > 10
    assert {"schema": "public", "name": "pupils", "rowsEstimate": 3000} in manifest["tables"]
    assert {table["name"] for table in manifest["tables"]} == {"pupils", "odd;table", "part"}
    assert manifest["pgDumpVersion"].partition(".")[0] >= manifest["serverVersion"].partition(".")[0]


async def test_older_backups_are_pruned_and_nothing_else_is_touched(
    postgres_url: str, database: Connection, storage_folder: StorageFolder
) -> None:
    folder = storage_folder.path / "backups"
    folder.mkdir()
    name = database.info.dbname
    old = [f"edworkers-backup-{name}-2026010{day}T030000Z-0123abcd" for day in range(1, 5)]
    others = ["notes.txt", "edworkers-backup-other-20260101T030000Z-0123abcd.dump", f"edworkers-backup-{name}.dump"]
    for file in [*(f"{stem}{ending}" for stem in old for ending in (".dump", ".json")), *others]:
        (folder / file).write_text("x")
    (folder / f"{old[3]}.json").unlink()  # was never found good: it doesn't count as one of the last
    result = await done(postgres_url, storage_folder, keepLast=3, keepDays=30)
    assert result["pruned"] == [old[3], old[0]]
    kept = [name for name in stored(storage_folder) if name not in others]
    assert {name.partition(".")[0] for name in kept if name.startswith(tuple(old))} == {old[1], old[2]}
    assert set(others) < set(stored(storage_folder))


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with the real programs, to be replaced by others."""
    assert PROGRAMS is not None
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("pg_dump", "pg_restore"):
        program(folder, name, f'exec {PROGRAMS / name} "$@"')
    return folder


async def failed(url: str, storage: StorageFolder, programs: Path, **data: Any) -> Failed:
    env = {**storage.env, "EDWORKERS_POSTGRES_BIN": str(programs)}
    outcome = await back_up(url, storage.url("backups/"), env, **data)
    assert isinstance(outcome, Failed), outcome
    return outcome


async def test_an_older_pg_dump_is_refused_with_both_versions(
    postgres_url: str, database: Connection, storage_folder: StorageFolder, programs: Path
) -> None:
    program(programs, "pg_dump", "echo 'pg_dump (PostgreSQL) 9.6'")
    outcome = await failed(postgres_url, storage_folder, programs)
    assert not outcome.retryable
    major = database.info.server_version // 10000
    assert outcome.message.startswith("pg_dump is of version 9.6 and the server of version ")
    assert f"apt-get install postgresql-client-{major}" in outcome.message
    assert stored(storage_folder) == []


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ("kill -9 $$", "pg_dump was killed by SIGKILL; nothing was stored"),
        ("echo 'no space left' >&2; exit 1", "pg_dump failed, and nothing was stored: no space left"),
    ],
)
async def test_a_dump_that_breaks_off_leaves_no_object_and_prunes_nothing(
    postgres_url: str, database: Connection, storage_folder: StorageFolder, programs: Path, end: str, why: str
) -> None:
    real = PROGRAMS / "pg_dump" if PROGRAMS else None
    program(programs, "pg_dump", f'[ "$1" = --version ] && exec {real} "$@"; {real} "$@" | head -c 5000; {end}')
    old = storage_folder.path / "backups" / f"edworkers-backup-{database.info.dbname}-20260101T030000Z-0123abcd.dump"
    old.parent.mkdir()
    old.write_text("x")
    assert (await failed(postgres_url, storage_folder, programs, keepDays=0)).message == why
    assert stored(storage_folder) == [old.name]


@pytest.mark.parametrize(
    ("faulty", "why"),
    [
        ('{real} "$@" | head -c 200', "pg_restore can't read the stored backup, which was removed"),
        ("echo 'no archive at all'", "pg_restore can't read the stored backup, which was removed"),
        ('{real} "$@" --exclude-table=pupils', "1 tables are missing in the dump: the backup was removed"),
    ],
)
async def test_a_dump_that_is_not_good_is_removed_and_nothing_is_pruned(
    postgres_url: str, database: Connection, storage_folder: StorageFolder, programs: Path, faulty: str, why: str
) -> None:
    real = PROGRAMS / "pg_dump" if PROGRAMS else None
    program(programs, "pg_dump", f'[ "$1" = --version ] && exec {real} "$@"; {faulty.replace("{real}", str(real))}')
    old = storage_folder.path / "backups" / f"edworkers-backup-{database.info.dbname}-20260101T030000Z-0123abcd.dump"
    old.parent.mkdir()
    old.write_text("x")
    outcome = await failed(postgres_url, storage_folder, programs, keepDays=0)
    assert outcome.message.startswith(why)
    assert stored(storage_folder) == [old.name]


async def test_the_password_is_on_no_command_line(
    postgres_url: str, database: Connection, storage_folder: StorageFolder, programs: Path, tmp_path: Path
) -> None:
    real = PROGRAMS / "pg_dump" if PROGRAMS else None
    seen = tmp_path / "seen"
    program(programs, "pg_dump", f'echo "$@" >> {seen}; [ "$PGPASSWORD" ] && echo given >> {seen}; exec {real} "$@"')
    env = {**storage_folder.env, "EDWORKERS_POSTGRES_BIN": str(programs)}
    url = postgres_url.replace("postgres@", "postgres:s3cret%40word@")
    assert isinstance(await back_up(url, storage_folder.url("backups/"), env), Done)
    told = seen.read_text()
    assert "given" in told
    assert "s3cret" not in told


async def test_the_direct_address_goes_before_that_of_the_pooler(
    postgres_url: str, database: Connection, storage_folder: StorageFolder
) -> None:
    env = {**storage_folder.env, "BACKUP_DATABASE_URL": postgres_url}
    pooler = "postgresql://postgres@127.0.0.1:1/app"
    assert isinstance(await back_up(pooler, storage_folder.url("backups/"), env), Done)


async def test_a_database_that_is_away_is_tried_again(storage_folder: StorageFolder) -> None:
    url = "postgresql://postgres@127.0.0.1:1/app"
    outcome = await back_up(url, storage_folder.url("backups/"), storage_folder.env)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("database", True)


async def test_storage_that_is_not_set_up_buries_the_job(postgres_url: str, storage_folder: StorageFolder) -> None:
    outcome = await back_up(postgres_url, "s3://school/backups/", storage_folder.env)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("storage", False)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({"destination": "s3://school/backups"}, "data.destination: must end with /"),
        ({"destination": "https://school.example/"}, "data.destination: must be s3://bucket/key or file:///"),
        ({"destination": "file:///a/../b/"}, "data.destination: must not have . or .."),
        ({"keepLast": 0}, "data.keepLast: Input should be greater than or equal to 1"),
        ({"url": "x"}, "data.url: Extra inputs are not permitted"),
    ],
)
async def test_data_that_is_wrong_is_buried_with_its_fault(data: dict[str, Any], fault: str) -> None:
    env = {"NEON_DATABASE_URL": "postgresql://postgres@127.0.0.1:1/app"}
    outcome = await run_job(MODULE, {"destination": "s3://b00/a/", **data}, env=env, type="database-backup")
    assert isinstance(outcome, Rejected)
    assert outcome.faults[0].startswith(fault)
