"""The queue `scheduled`, on a real PostgreSQL: cleaned tokens, a report, one mail a user, a backup that is restored."""

import asyncio
import csv
import os
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from pathlib import Path
from typing import Any

from edworkers.adapters.postgres.connection import connect
from edworkers.adapters.postgres.migrate import migrate
from edworkers.cli.demo.outputs.samples import EXPIRED, NOTIFIED, REPORT, SCHOOL, STUDENTS
from edworkers.cli.demo.outputs.step import Place, Step, result_of
from edworkers.ports import JobRecord

HEAD = "head@school.example"
_RESTORED = "restored"
_TABLES = ("students", "logins", "refresh_tokens", "edworkers.notifications")


def write_reports(folder: Path) -> None:
    """Write the queries of which reports are made."""
    (folder / "reports").mkdir()
    (folder / "reports" / "logins.sql").write_text(REPORT, encoding="utf-8")


async def prepare(place: Place) -> None:
    """Make the tables of edworkers, and those of the school."""
    await migrate(_env(place))
    async with connect(_env(place)) as connection:
        await connection.execute(SCHOOL.encode())


def tasks(place: Place) -> tuple[Step, ...]:
    """Give the jobs of this queue that may run in any order."""
    report = {
        "report": "logins",
        "formats": ["csv", "pdf"],
        "destination": place.url("reports-made/"),
        "mail": {"to": [HEAD]},
    }
    users = f"one mail for each of {NOTIFIED} users"
    return (
        Step("tokens", "scheduled", f"{EXPIRED} of 4000 tokens are expired", {}, _are_clean, type="token-cleanup"),
        Step(
            "report",
            "scheduled",
            "a report is made and mailed",
            report,
            _is_made,
            type="report",
            later=True,
            output="reports-made",
        ),
        Step("digest", "scheduled", users, {}, _are_notified, type="notification-batch", later=True, output="mails"),
    )


def backup(place: Place) -> Step:
    """Give the job that comes last, when nothing changes any more."""
    data = {"destination": place.url("backups/")}
    shows = "a backup, restored into another database and compared"
    return Step("backup", "scheduled", shows, data, _is_restored, type="database-backup", output="backups")


def _env(place: Place, database: str = "postgres") -> dict[str, str]:
    return {"NEON_DATABASE_URL": place.postgres.url_of(database)}


async def _rows(place: Place, query: str, database: str = "postgres") -> list[tuple[Any, ...]]:
    async with connect(_env(place, database)) as connection:
        cursor = await connection.execute(query.encode())
        return list(await cursor.fetchall())


async def _are_clean(place: Place, record: JobRecord) -> list[str]:
    [(expired, left)] = await _rows(
        place, "SELECT count(*) FILTER (WHERE expires_at < now()), count(*) FROM refresh_tokens"
    )
    wrong = [] if (expired, left) == (0, 4000 - EXPIRED) else [f"{expired} expired tokens are left of {left}"]
    deleted = result_of(record).get("deleted")
    return wrong if deleted == EXPIRED else [*wrong, f"the result tells of {deleted} deleted"]


async def _is_made(place: Place, _record: JobRecord) -> list[str]:
    files = sorted((place.folder / "reports-made").glob("logins-*"))
    if [file.suffix for file in files] != [".csv", ".pdf"]:
        return [f"should be a CSV and a PDF, are {[file.name for file in files]}"]
    with files[0].open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    wrong = [] if len(rows) == STUDENTS + 1 else [f"the CSV has {len(rows)} rows, should have {STUDENTS + 1}"]
    mails = [mail for mail in place.mailbox.mails if HEAD in mail.recipients]
    attached = [len(list(mail.message.iter_attachments())) for mail in mails]
    return wrong if attached == [2] else [*wrong, f"one mail with two files should have come, came: {attached}"]


async def _are_notified(place: Place, _record: JobRecord) -> list[str]:
    [(marked, all_of_them)] = await _rows(place, "SELECT count(sent_at), count(*) FROM edworkers.notifications")
    wrong = [] if marked == all_of_them else [f"{marked} of {all_of_them} notifications are marked sent"]
    receivers = [mail.recipients for mail in place.mailbox.mails if mail.recipients[0].startswith("student")]
    expected = [(f"student{number}@school.example",) for number in range(1, NOTIFIED + 1)]
    return wrong if sorted(receivers) == expected else [*wrong, f"the mails went to {receivers}"]


async def _is_restored(place: Place, record: JobRecord) -> list[str]:
    dumps = sorted((place.folder / "backups").glob("*.dump"))
    if len(dumps) != 1:
        return [f"there are {len(dumps)} backups: the job's result is {record.result}"]
    async with connect(_env(place)) as connection:
        await connection.execute(f"CREATE DATABASE {_RESTORED}".encode())
    said = await _restore(place, dumps[0])
    if said:
        return [f"pg_restore: {said}"]
    wrong: list[str] = []
    for table in _TABLES:
        query = f"SELECT count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM {table} AS t"  # noqa: S608
        if await _rows(place, query) != await _rows(place, query, _RESTORED):
            wrong.append(f"the table {table} isn't the same after it was restored")
    return wrong


async def _restore(place: Place, dump: Path) -> str:
    """Restore into the other database; returns what went wrong."""
    words = ("--exit-on-error", "--no-owner", f"--dbname={place.postgres.url_of(_RESTORED)}", str(dump))
    process = await asyncio.create_subprocess_exec(
        "pg_restore", *words, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, env={**os.environ, "LC_ALL": "C"}
    )
    said, _ = await process.communicate()
    return said.decode(errors="replace").strip() or f"it ended with {process.returncode}" if process.returncode else ""
