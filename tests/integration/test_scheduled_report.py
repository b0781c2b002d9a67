"""`report` on a real PostgreSQL, to real storage, and as PDF."""

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pypdfium2
import pytest
from tests.servers.storage import S3Server, StorageFolder

from edworkers.adapters.storage import open_store
from edworkers.core.errors import SettingsError
from edworkers.core.outcome import Done, Failed, Outcome, Rejected
from edworkers.handlers.email import MODULE as EMAIL
from edworkers.handlers.scheduled import MODULE
from edworkers.testing import run_job

LOGINS = """-- title: Logins by day
-- columns: School, Day, Logins, Note
-- parameters: school text, since date, least integer optional
SELECT school, day, count(*), max(note) FROM logins
WHERE school = %(school)s AND day >= %(since)s
GROUP BY school, day HAVING count(*) >= coalesce(%(least)s, 0) ORDER BY day;
"""
VALUES = {"school": "O'Brien; DROP TABLE logins", "since": "2026-01-02"}


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as connection:
        await connection.execute("CREATE TABLE logins (school text, day date, note text)")
        for day, note in (("2026-01-01", None), ("2026-01-02", '=HYPERLINK("x")'), ("2026-01-03", 'a "b", c\nd')):
            await connection.execute("INSERT INTO logins VALUES (%s, %s, %s)", [VALUES["school"], day, note])
        yield connection


@pytest.fixture
def reports(tmp_path: Path, database: Any) -> Path:
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "logins.sql").write_text(LOGINS)
    return folder


async def make(
    url: str, reports: Path, storage: StorageFolder | S3Server, data: dict[str, Any] | None = None
) -> Outcome:
    env = {"NEON_DATABASE_URL": url, "REPORTS_FOLDER": str(reports), **storage.env}
    job = {"report": "logins", "parameters": VALUES, "destination": storage.url("reports/"), **(data or {})}
    return await run_job(MODULE, job, env=env, type="report", real_time=True)


async def done(*arguments: Any) -> Done:
    outcome = await make(*arguments)
    assert isinstance(outcome, Done), outcome
    return outcome


async def refusal(*arguments: Any) -> str:
    outcome = await make(*arguments)
    assert isinstance(outcome, Failed), outcome
    assert not outcome.retryable
    return outcome.message


def only_file(storage: StorageFolder) -> bytes:
    [path] = [path for path in storage.path.rglob("*") if path.is_file()]
    return path.read_bytes()


async def test_rows_are_stored_as_csv_with_formulas_made_harmless(
    postgres_url: str, reports: Path, storage_folder: StorageFolder
) -> None:
    outcome = await done(postgres_url, reports, storage_folder)
    school = VALUES["school"]
    assert only_file(storage_folder).decode() == (
        "School,Day,Logins,Note\r\n"
        f'{school},2026-01-02,1,"\'=HYPERLINK(""x"")"\r\n'
        f'{school},2026-01-03,1,"a ""b"", c\nd"\r\n'
    )
    [file] = outcome.result["files"]
    assert (file["rows"], file["bytes"]) == (2, len(only_file(storage_folder)))


async def test_thousands_of_rows_are_streamed_to_s3(postgres_url: str, reports: Path, s3: S3Server) -> None:
    (reports / "many.sql").write_text("-- title: Many\nSELECT n, n %% 7 AS rest FROM generate_series(1, 30000) n")
    outcome = await done(postgres_url, reports, s3, {"report": "many", "parameters": {}})
    [file] = outcome.result["files"]
    async with open_store(s3.env) as store:
        text = b"".join([chunk async for chunk in store.read(file["url"])]).decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert (rows[0], rows[-1], len(rows), file["rows"]) == (["n", "rest"], ["30000", "5"], 30001, 30000)


async def test_a_pdf_has_the_title_the_headings_and_the_rows(
    postgres_url: str, reports: Path, storage_folder: StorageFolder
) -> None:
    await done(postgres_url, reports, storage_folder, {"formats": ["pdf"]})
    document = pypdfium2.PdfDocument(only_file(storage_folder))
    text = document[0].get_textpage().get_text_range()
    document.close()
    for part in ("Logins by day", "School", VALUES["school"], "2026-01-03", '=HYPERLINK("x")', "2 rows"):
        assert part in text


async def test_a_pdf_of_too_many_rows_is_refused(
    postgres_url: str, reports: Path, storage_folder: StorageFolder
) -> None:
    (reports / "many.sql").write_text("SELECT n FROM generate_series(1, 2001) n")
    data = {"report": "many", "parameters": {}, "formats": ["pdf"]}
    assert "more than 2000 rows, too many for a PDF" in await refusal(postgres_url, reports, storage_folder, data)


async def test_the_files_are_mailed_by_a_job_that_the_queue_email_takes(
    postgres_url: str, reports: Path, storage_folder: StorageFolder
) -> None:
    mail = {"to": ["head@school.example"]}
    outcome = await done(postgres_url, reports, storage_folder, {"formats": ["csv", "pdf"], "mail": mail})
    [follow] = outcome.follow_ups
    [handler] = EMAIL.handlers
    handler.data.model_validate(follow.data)
    assert (follow.queue, follow.data["to"], follow.data["subject"]) == ("email", mail["to"], "Logins by day")
    files = outcome.result["files"]
    assert [attachment["url"] for attachment in follow.data["attachments"]] == [file["url"] for file in files]
    kinds = [each["contentType"] for each in follow.data["attachments"]]
    assert kinds == ["text/csv; charset=utf-8", "application/pdf"]


async def test_a_report_can_write_nothing(postgres_url: str, reports: Path, storage_folder: StorageFolder) -> None:
    (reports / "evil.sql").write_text("SELECT setval('s', 5)")
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as connection:
        await connection.execute("CREATE SEQUENCE s")
    message = await refusal(postgres_url, reports, storage_folder, {"report": "evil", "parameters": {}})
    assert "cannot execute setval() in a read-only transaction" in message
    (reports / "evil.sql").write_text("SELECT 1; DROP TABLE logins")
    assert "multiple commands" in await refusal(
        postgres_url, reports, storage_folder, {"report": "evil", "parameters": {}}
    )
    assert [path for path in storage_folder.path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("query", ["DELETE FROM logins", "SELECT nothing FROM logins", "SELECT 1 / 0", "SELEC 1"])
async def test_a_query_that_cannot_be_run_is_told_with_its_file_and_what_it_has_to_be(
    postgres_url: str, reports: Path, storage_folder: StorageFolder, query: str
) -> None:
    (reports / "wrong.sql").write_text(query)
    outcome = await make(postgres_url, reports, storage_folder, {"report": "wrong", "parameters": {}})
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("report", False)
    assert outcome.message.startswith("the report wrong can't be made: ")
    assert "correct wrong.sql in REPORTS_FOLDER, which has to be only one SELECT" in outcome.message


async def test_a_query_that_takes_too_long_is_ended_by_the_server(
    postgres_url: str, reports: Path, storage_folder: StorageFolder
) -> None:
    (reports / "slow.sql").write_text("-- seconds: 1\nSELECT pg_sleep(60)")
    outcome = await make(postgres_url, reports, storage_folder, {"report": "slow", "parameters": {}})
    assert isinstance(outcome, Failed)
    assert "statement timeout" in outcome.message


@pytest.mark.parametrize(
    ("parameters", "faults"),
    [
        ({}, ("data.parameters.school: missing; it must be text", "data.parameters.since: missing; it must be a date")),
        ({**VALUES, "since": "yesterday"}, ("data.parameters.since: must be a date such as 2026-01-31",)),
        ({**VALUES, "least": "1"}, ("data.parameters.least: must be a whole number",)),
        ({**VALUES, "sql": "1"}, ("data.parameters.sql: the report takes no such parameter (it takes: least, school",)),
    ],
)
async def test_parameters_that_are_wrong_are_all_named(
    postgres_url: str, reports: Path, storage_folder: StorageFolder, parameters: Any, faults: tuple[str, ...]
) -> None:
    outcome = await make(postgres_url, reports, storage_folder, {"parameters": parameters})
    assert isinstance(outcome, Rejected)
    assert len(outcome.faults) == len(faults)
    assert all(told.startswith(fault) for told, fault in zip(outcome.faults, faults, strict=True))


async def test_reports_that_are_not_there_and_columns_that_do_not_fit_are_told(
    postgres_url: str, reports: Path, storage_folder: StorageFolder
) -> None:
    assert "(there are: logins)" in await refusal(postgres_url, reports, storage_folder, {"report": "nothing"})
    (reports / "odd.sql").write_text("-- columns: A, B\nSELECT 1")
    data = {"report": "odd", "parameters": {}}
    assert "has 1 columns" in await refusal(postgres_url, reports, storage_folder, data)
    (reports / "odd.sql").write_text("SELECT * FROM nowhere")
    assert 'relation "nowhere" does not exist' in await refusal(postgres_url, reports, storage_folder, data)


@pytest.mark.parametrize("name", ["../secrets", "a/b", "", "A"])
async def test_a_name_that_is_no_reports_is_buried(
    postgres_url: str, reports: Path, storage_folder: StorageFolder, name: str
) -> None:
    outcome = await make(postgres_url, reports, storage_folder, {"report": name})
    assert isinstance(outcome, Rejected)
    assert outcome.faults[0].startswith("data.report: must be the name of a report")


async def test_reports_that_are_wrong_are_told_at_the_start(
    postgres_url: str, reports: Path, storage_folder: StorageFolder
) -> None:
    (reports / "bad.sql").write_text("-- parameters: a text, b colour\nSELECT %(c)s, 5 % 2")
    with pytest.raises(SettingsError) as refused:
        await make(postgres_url, reports, storage_folder)
    assert len(refused.value.faults) == 4
    assert all(fault.startswith("REPORTS_FOLDER: bad.sql: it") for fault in refused.value.faults)
