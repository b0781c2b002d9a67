"""`report`: a named query to CSV and PDF, stored, and mailed by a job that follows.

The SQL comes from files of the folder REPORTS_FOLDER, never from a job.

Environment: NEON_DATABASE_URL or DATABASE_URL, REPORTS_FOLDER, and the storage's own.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from edworkers.adapters.storage import Store, open_store
from edworkers.adapters.storage import find_faults as faults_of_storage
from edworkers.core.outcome import Done, FollowUp, Outcome, Rejected
from edworkers.handlers.data import JobData, must_match
from edworkers.handlers.scheduled import report_file, work
from edworkers.handlers.scheduled.folders import Folder
from edworkers.handlers.scheduled.report_file import Report, find_reports
from edworkers.handlers.scheduled.report_mail import ReportMail, mail_of
from edworkers.handlers.scheduled.report_parameters import bind
from edworkers.handlers.scheduled.report_pdf import MOST_ROWS, make_pdf
from edworkers.handlers.scheduled.report_query import Rows, reading
from edworkers.handlers.scheduled.streams import once
from edworkers.handlers.scheduled.work import opens, refused
from edworkers.ports import Handler, JobContext

_check_name = must_match(report_file.NAME.pattern, "must be the name of a report: small letters, digits, - and _")


def _all_different(formats: list[str]) -> list[str]:
    if len(set(formats)) < len(formats):
        raise ValueError("the same format is there twice")
    return formats


Formats = Annotated[list[Literal["csv", "pdf"]], Field(min_length=1), AfterValidator(_all_different)]


class ReportData(JobData):
    """Which report to make, and where it goes."""

    report: Annotated[str, AfterValidator(_check_name)]
    """The name of a file of REPORTS_FOLDER, without `.sql`."""
    parameters: dict[str, str | int | float | bool | None] = Field(default_factory=dict, max_length=100)
    """Values for the parameters that the report takes."""
    formats: Formats = Field(default=["csv"])
    """A PDF has 2,000 rows at most."""
    destination: Folder
    """The folder for the files; they are called `<report>-<date>-<of the job>.csv`."""
    mail: ReportMail | None = None
    """To whom the files are mailed."""


def find_faults(env: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the environment."""
    return [*work.find_faults(env), *faults_of_storage(env), *report_file.find_faults(env)]


def _find(env: Mapping[str, str], name: str) -> Report:
    reports = find_reports(env)
    if reports is None:
        raise refused(
            "report", f"{report_file.FOLDER} is not set: put reports into a folder, set it, and replay the job"
        )
    if name not in reports:
        there = ", ".join(reports) or "none"
        raise refused("report", f"there is no report {name!r} in {report_file.FOLDER} (there are: {there})")
    if reports[name].faults:
        raise refused("report", f"the report {name} can't be used: {'; '.join(reports[name].faults)}")
    return reports[name]


@dataclass(frozen=True, slots=True)
class _Making:
    """One report on its way."""

    report: Report
    values: Mapping[str, Any]
    stem: str
    made: datetime

    async def file(self, store: Store, connection: Any, ending: str) -> dict[str, Any]:
        """Run the query, and store what it gives in one of the formats."""
        rows = Rows(connection, self.report, self.values)
        url = f"{self.stem}.{ending}"
        checksum = hashlib.sha256()
        chunks = rows.as_csv() if ending == "csv" else once(await self._pdf(rows))
        size = await store.write(url, _hashed(chunks, checksum))
        return {"url": url, "format": ending, "rows": rows.count, "bytes": size, "sha256": checksum.hexdigest()}

    async def _pdf(self, rows: Rows) -> bytes:
        table = await rows.table(MOST_ROWS)
        return await asyncio.to_thread(make_pdf, self.report.title, table, self.made)


async def _hashed(chunks: AsyncIterator[bytes], checksum: Any) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        checksum.update(chunk)
        yield chunk


async def _report(env: Mapping[str, str], data: ReportData, job: JobContext) -> Outcome:
    report = _find(env, data.report)
    faults: list[str] = []
    values = bind(report.parameters, data.parameters, faults)
    if faults:
        return Rejected(tuple(f"data.{fault}" for fault in faults))
    made = datetime.now(UTC)
    mark = hashlib.sha256(job.id.encode()).hexdigest()[:8]
    making = _Making(report, values, f"{data.destination}{report.name}-{made:%Y-%m-%d}-{mark}", made)
    files: list[dict[str, Any]] = []
    async with open_store(env) as store, reading(env, report) as connection:
        for number, ending in enumerate(data.formats):
            await job.progress(number / len(data.formats), f"{report.name}.{ending}")
            files.append(await making.file(store, connection, ending))
    mails = () if data.mail is None else (FollowUp("email", mail_of(data.mail, report.title, files, job.id)),)
    return Done({"report": report.name, "files": files}, mails)


HANDLER = Handler(type="report", data=ReportData, open=opens(_report), faults=find_faults, isolation="process")
