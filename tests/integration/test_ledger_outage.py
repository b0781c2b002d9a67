"""The ledger on a real PostgreSQL: with the database away, killed or frozen no job waits, and no error is lost."""

import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import psycopg
import pytest
from tests.integration.processes import Program, Programs, Queue, eventually
from tests.servers.postgres import freeze, thaw

from edworkers.adapters.postgres.migrate import migrate
from edworkers.core.lifecycle import State
from edworkers.standins.postgres import PostgresServer

pytestmark = pytest.mark.timeout(120)

FAILS = {"do": "fail", "times": 99}


@pytest.fixture
async def queue(redis_url: str) -> AsyncGenerator[Queue]:
    seen = Queue(redis_url, redis_url)
    yield seen
    await seen.close()


async def rows(url: str, query: str) -> list[Any]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        return await (await connection.execute(query.encode())).fetchall()


def recorded(url: str, *ids: str, table: str = "errors") -> Callable[[], Awaitable[bool]]:
    """Say whether exactly these jobs are in a table."""

    async def look() -> bool:
        return sorted(row[0] for row in await rows(url, f"SELECT id FROM edworkers.{table}")) == sorted(ids)

    return look


async def start(programs: Programs, url: str, **env: str) -> Program:
    manifest = programs.manifest(concurrency=4, job={"maxAttempts": 1})
    return await programs.runner(manifest, NEON_DATABASE_URL=url, **env)


async def stop(runner: Program) -> None:
    runner.signal(signal.SIGTERM)
    assert await runner.ended() == 0


async def test_finished_jobs_and_errors_are_recorded_without_secrets(
    programs: Programs, queue: Queue, redis_url: str, migrated_url: str
) -> None:
    runner = await start(programs, migrated_url)
    payload = {"id": "bad", "type": "work", "data": {**FAILS, "pad": "mail to anna@example.org", "apiKey": "k3y"}}
    await queue.push({"id": "good", "data": {}}, b'{"id": "broken", "data": "password=hunter2"')
    await queue.push(payload, {"id": "bad-2", "data": {**FAILS, "pad": "mail to anna@example.org"}})
    await queue.becomes("bad", State.DEAD)
    await stop(runner)

    assert await rows(migrated_url, "SELECT id FROM edworkers.jobs WHERE outcome = 'done'") == [("good",)]
    errors = await rows(migrated_url, "SELECT id, kind, message, attempts, data::text FROM edworkers.errors")
    by_id = {row[0]: row for row in errors}
    assert len(by_id) == len(errors) == 3
    assert {"bad", "bad-2"} <= by_id.keys()
    assert by_id["bad-2"][3] == 1
    assert by_id["bad-2"][4] is not None
    assert "[email]" in by_id["bad-2"][4]
    written = str(errors) + str(await rows(migrated_url, "SELECT * FROM edworkers.jobs"))
    assert "anna@" not in written
    assert "k3y" not in written
    assert "hunter2" not in written


async def test_groups_are_told_apart_without_secrets(
    programs: Programs, queue: Queue, redis_url: str, migrated_url: str
) -> None:
    runner = await start(programs, migrated_url)
    groups = {"good": "school-1", "addressed": "https://school.example/in?token=hunter2", "ada": "anna@example.org"}
    await queue.push(*({"id": job_id, "group": group, "data": {}} for job_id, group in groups.items()))
    for job_id in groups:
        await queue.becomes(job_id, State.DONE)
    await stop(runner)

    told = dict(await rows(migrated_url, "SELECT id, job_group FROM edworkers.jobs"))
    assert told["good"] == "school-1"
    assert told["addressed"].startswith("https://school.example/in?token=[redacted] #")
    assert told["ada"].startswith("[email] #")


async def test_a_database_that_is_away_stops_no_job_and_its_errors_are_caught_up(
    programs: Programs, queue: Queue, postgres_server: PostgresServer
) -> None:
    await migrate({"DATABASE_URL": postgres_server.url})
    runner = await start(programs, postgres_server.url)
    await postgres_server.stop(signal.SIGKILL)
    for number in range(3):
        await queue.push({"id": f"bad-{number}", "data": FAILS}, {"id": f"good-{number}", "data": {}})
    await queue.becomes("bad-2", State.DEAD)
    await queue.becomes("good-2", State.DONE)
    await runner.says("ledger.failed")
    await queue.push({"id": "good-3", "data": {}})
    await queue.becomes("good-3", State.DONE)
    assert len(runner.seen("ledger.failed")) == 1

    await postgres_server.start()
    await runner.says("ledger.caught_up")
    assert await recorded(postgres_server.url, "bad-0", "bad-1", "bad-2")()
    await eventually(
        recorded(
            postgres_server.url, *(f"{what}-{n}" for what in ("bad", "good") for n in range(3)), "good-3", table="jobs"
        )
    )
    await stop(runner)


async def test_the_error_of_a_runner_that_is_killed_while_the_database_is_away_is_recorded_by_the_next(
    programs: Programs, queue: Queue, postgres_server: PostgresServer
) -> None:
    await migrate({"DATABASE_URL": postgres_server.url})
    runner = await start(programs, postgres_server.url)
    await postgres_server.stop(signal.SIGKILL)
    await queue.push({"id": "bad", "data": FAILS})
    await queue.becomes("bad", State.DEAD)
    await runner.kill()

    await postgres_server.start()
    assert await recorded(postgres_server.url)()
    runner = await start(programs, postgres_server.url)
    await eventually(recorded(postgres_server.url, "bad"))
    await stop(runner)


async def test_a_frozen_database_holds_up_neither_jobs_nor_the_end_of_the_runner(
    programs: Programs, queue: Queue, postgres_server: PostgresServer
) -> None:
    await migrate({"DATABASE_URL": postgres_server.url})
    runner = await start(programs, postgres_server.url)
    await queue.push({"id": "first", "data": FAILS})
    await eventually(recorded(postgres_server.url, "first"))
    freeze(postgres_server)
    try:
        await queue.push({"id": "bad", "data": FAILS})
        await queue.becomes("bad", State.DEAD)
        await queue.push({"id": "good", "data": {}})
        await queue.becomes("good", State.DONE)
        await stop(runner)
    finally:
        thaw(postgres_server)
    runner = await start(programs, postgres_server.url)
    await eventually(recorded(postgres_server.url, "first", "bad"))
    await stop(runner)


async def test_a_database_without_tables_is_told_once_with_what_to_do(
    programs: Programs, queue: Queue, postgres_url: str
) -> None:
    runner = await start(programs, postgres_url)
    await queue.push({"id": "bad", "data": FAILS})
    await queue.becomes("bad", State.DEAD)
    [line] = await runner.says("ledger.failed")
    assert "edworkers migrate" in line["reason"]
    await migrate({"DATABASE_URL": postgres_url})
    await eventually(recorded(postgres_url, "bad"))
    assert len(runner.seen("ledger.failed")) == 1
    await stop(runner)


async def test_an_idle_runner_keeps_no_connection_to_the_database(
    programs: Programs, queue: Queue, migrated_url: str
) -> None:
    async def connections() -> int:
        found = await rows(
            migrated_url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'edworkers ledger'"
        )
        return int(found[0][0])

    async def is_alone() -> bool:
        return await connections() == 0

    runners = [await start(programs, migrated_url) for _ in range(2)]
    for number in range(20):
        await queue.push({"id": f"job-{number}", "data": FAILS if number % 2 else {}})
    await eventually(recorded(migrated_url, *(f"job-{number}" for number in range(20)), table="jobs"))
    assert await connections() <= 2
    await eventually(is_alone)
    assert await recorded(migrated_url, *(f"job-{number}" for number in range(1, 20, 2)))()
    for runner in runners:
        await stop(runner)


@pytest.mark.parametrize("env", [{"EDWORKERS_LEDGER": "off"}, {"NEON_DATABASE_URL": ""}])
async def test_without_a_ledger_nothing_is_asked_of_the_database(
    programs: Programs, queue: Queue, migrated_url: str, env: dict[str, str]
) -> None:
    runner = await programs.runner(
        programs.manifest(job={"maxAttempts": 1}), **{"NEON_DATABASE_URL": migrated_url, **env}
    )
    await queue.push({"id": "bad", "data": FAILS})
    await queue.becomes("bad", State.DEAD)
    await stop(runner)
    assert await recorded(migrated_url)()


async def test_a_fault_in_the_address_is_told_at_the_start_without_its_password(programs: Programs) -> None:
    runner = await programs.start(
        *("run", "work", "--pool", str(programs.manifest())),
        NEON_DATABASE_URL="postgresql://app:hun/ter2@db.example:port/app",
        EDWORKERS_HEALTH_PORT="x",
    )
    assert await runner.ended() == 2
    assert "NEON_DATABASE_URL: " in runner.text
    assert "EDWORKERS_HEALTH_PORT: " in runner.text
    assert "ter2" not in runner.text
