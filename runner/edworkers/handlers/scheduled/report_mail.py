"""The mail that brings a report."""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from edworkers.handlers.data import JobData, must_match

_MOST_BYTES = 10 * 1024**2
_CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "pdf": "application/pdf"}

_check_address = must_match(
    r"[^@\s\x00-\x1f\x7f<>,;]{1,64}@[^@\s\x00-\x1f\x7f<>,;]{1,255}", "must be an address such as ada@school.example"
)
_check_line = must_match(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,150}", "must be one line of 1 to 150 characters")

Address = Annotated[str, AfterValidator(_check_address)]


class ReportMail(JobData):
    """Who gets a report."""

    to: list[Address] = Field(min_length=1, max_length=50)
    subject: Annotated[str, AfterValidator(_check_line)] | None = None
    """Without it: the report's title."""


def mail_of(mail: ReportMail, title: str, files: Sequence[dict[str, Any]], job_id: str) -> dict[str, Any]:
    """Write the data of the `email` job: files are attached while they are small, and else named."""
    small = sum(file["bytes"] for file in files) <= _MOST_BYTES
    lines = [
        f"{file['format'].upper()}: {file['rows']} rows" + ("" if small else f", at {file['url']}") for file in files
    ]
    return {
        "to": list(mail.to),
        "subject": mail.subject or " ".join(title.split())[:150],
        "text": "\n".join([title, "", *lines, ""]),
        **({"attachments": [_attachment(file) for file in files]} if small else {}),
        "idempotencyKey": f"report.{hashlib.sha256(job_id.encode()).hexdigest()[:40]}",
    }


def _attachment(file: dict[str, Any]) -> dict[str, str]:
    name = file["url"].rpartition("/")[2]
    return {"url": file["url"], "filename": name, "contentType": _CONTENT_TYPES[file["format"]]}
