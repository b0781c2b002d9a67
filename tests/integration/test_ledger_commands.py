"""`edworkers ledger` on a real PostgreSQL: errors are found, and what is old is deleted."""

import re
import time
from pathlib import Path

import psycopg
import pytest
from tests.integration.command_line import CommandLine

from edworkers.adapters.postgres.ledger import PostgresLedger
from edworkers.adapters.postgres.ledger_reading import prune
from edworkers.core.redact import Redactor
from edworkers.ports import DeadLetter, Finished

DAY = 86_400_000


def letter(
    job_id: str, *, age_ms: int = 0, queue: str = "ai", kind: str = "timeout", message: str = "slow"
) -> DeadLetter:
    job = Finished(queue, job_id, "buried", time.time_ns() // 1_000_000 - age_ms)
    return DeadLetter(job, {"kind": kind, "message": message}, b"{}")


def count(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(f"SELECT count(*) FROM edworkers.{table}".encode()).fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture
def command_line(tmp_path: Path, redis_url: str, migrated_url: str) -> CommandLine:
    made = CommandLine(tmp_path, redis_url)
    made.env["DATABASE_URL"] = migrated_url
    return made


async def test_errors_are_found_by_queue_kind_text_and_age(command_line: CommandLine, migrated_url: str) -> None:
    book = PostgresLedger({"DATABASE_URL": migrated_url}, Redactor())
    letters = [
        letter("a", age_ms=3 * DAY),
        letter("b", kind="rejected", message="data.prompt: Field required"),
        letter("c", queue="email", message="No such Mailbox"),
    ]
    await book.write([], letters)
    await book.close()

    async def found(*words: str) -> list[str]:
        ran = await command_line.run("ledger", "errors", "--json", *words)
        return sorted(error["id"] for error in ran.document["errors"])

    assert await found() == ["a", "b", "c"]
    assert await found("email") == ["c"]
    assert await found("--kind", "timeout") == ["a", "c"]
    assert await found("--matching", "mailbox") == ["c"]
    assert await found("--since", "2d") == ["b", "c"]
    assert len(await found("--limit", "1")) == 1
    shown = await command_line.run("ledger", "errors", "email")
    assert shown.out.splitlines()[0].split("\t") == ["time", "queue", "id", "type", "kind", "attempts", "message"]
    assert shown.out.splitlines()[1].endswith("\temail\tc\t-\ttimeout\t0\tNo such Mailbox")


async def test_what_is_old_is_deleted_batch_by_batch(command_line: CommandLine, migrated_url: str) -> None:
    env = {"DATABASE_URL": migrated_url}
    book = PostgresLedger(env, Redactor())
    await book.write([], [letter(f"old-{number}", age_ms=100 * DAY) for number in range(25)] + [letter("new")])
    await book.close()
    assert await prune(env, seconds=90 * 86400, batch=10) == {"jobs": 25, "errors": 25}
    assert (count(migrated_url, "jobs"), count(migrated_url, "errors")) == (1, 1)
    ran = await command_line.run("ledger", "prune", "--older-than", "90d")
    assert ran.out == "deleted 0 finished jobs and 0 errors\n"


@pytest.mark.parametrize("time", ["90", "d", "1y", "-1d", "99999999d"])
async def test_a_time_that_is_none_is_refused(command_line: CommandLine, time: str) -> None:
    ran = await command_line.run("ledger", "prune", f"--older-than={time}")
    assert ran.code == 2
    assert "--older-than" in ran.err


async def test_a_database_without_tables_is_told_with_what_to_do(command_line: CommandLine, postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("DROP SCHEMA edworkers CASCADE")
    ran = await command_line.run("ledger", "errors")
    assert ran.code == 1
    assert "run: edworkers migrate" in ran.err


async def test_what_postgresql_has_no_place_for_holds_up_nothing(migrated_url: str) -> None:
    book = PostgresLedger({"DATABASE_URL": migrated_url}, Redactor())
    job = Finished("ai", "a", "buried", 1_700_000_000_000, type="t\0\ud800", queued_at=10**17)
    payload = b'{"data": {"n\\u0000": "\\u0000\\ud800", "big": 1e400}}'
    odd = DeadLetter(job, {"kind": "k\0", "message": "m\0\udfff", "traceback": "t\0"}, payload)
    impossible = letter("b")._replace(job=Finished("ai", "b", "buried", 10**18))
    await book.write([], [odd, impossible, letter("c")])
    await book.close()
    assert (count(migrated_url, "jobs"), count(migrated_url, "errors")) == (2, 2)


async def test_a_runner_needs_no_more_rights_than_the_page_says(migrated_url: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")
    [grants] = re.findall(r"```sql\n(GRANT .*?)```", page, re.DOTALL)
    with psycopg.connect(migrated_url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS runner")
        connection.execute("CREATE ROLE runner LOGIN")
        connection.execute(grants.encode())
    try:
        env = {"DATABASE_URL": migrated_url.replace("://postgres@", "://runner@")}
        book = PostgresLedger(env, Redactor())
        done, dead = Finished("ai", "done", "done", time.time_ns() // 1_000_000), letter("dead")
        for _ in range(2):
            await book.write([done], [dead])
        await book.close()
        assert (count(migrated_url, "jobs"), count(migrated_url, "errors")) == (2, 1)
    finally:
        with psycopg.connect(migrated_url, autocommit=True) as connection:
            connection.execute("DROP OWNED BY runner")
            connection.execute("DROP ROLE runner")
