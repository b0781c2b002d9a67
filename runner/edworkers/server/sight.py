"""What somebody may see of jobs: programs and operators all of it, other people what is left when it is masked.

The rules are those of the dashboard's pages, so that a person reads nothing over the API that a page hides.
"""

from dataclasses import replace
from typing import Any, cast

from pydantic_core import from_json, to_json

from edworkers.core.redact import Redactor
from edworkers.ports import JobRecord
from edworkers.ports.browse import FailureGroup, JobDetail, JobSummary
from edworkers.ports.watch import Piece
from edworkers.server.access.identity import Identity, Scope
from edworkers.server.dashboard.masking import Mask

_WRITTEN = "text"
"""The field whose rule holds for what a handler writes: only its length is told."""


class Sight:
    """Gives what is known of jobs as somebody may see it; without a redactor as it is."""

    def __init__(self, redactor: Redactor | None) -> None:
        self._redactor = redactor
        self._mask = Mask(redactor or Redactor())

    @property
    def is_masked(self) -> bool:
        """Whether anything is hidden."""
        return self._redactor is not None

    def value(self, value: Any) -> Any:
        """Give a JSON value."""
        return value if self._redactor is None else self._redactor.redact(value)

    def text(self, text: str | None) -> str | None:
        """Give a text that people or programs wrote about a job, such as an error's message."""
        return None if text is None else cast("str", self.value(text))

    def written(self, text: str | None) -> str | None:
        """Give what a handler writes, such as an answer to a prompt."""
        return None if text is None else str(self._field(text))

    def _field(self, text: str) -> Any:
        return text if self._redactor is None else self._redactor.field(_WRITTEN, text)

    def record(self, record: JobRecord) -> JobRecord:
        """Give a job's record."""
        if self._redactor is None:
            return record
        return replace(
            record,
            progress=self.value(record.progress),
            result=self.value(record.result),
            error=self.value(record.error),
            payload=None if record.payload is None else self._payload(record.payload),
        )

    def _payload(self, payload: bytes) -> bytes:
        try:
            return to_json(self.value(from_json(payload, allow_inf_nan=True)), inf_nan_mode="constants")
        except ValueError:
            return str(self.value(payload.decode(errors="backslashreplace"))).encode()

    def summary(self, job: JobSummary) -> JobSummary:
        """Give a job in a list; masked, its data is one line that begins with what the work is about."""
        if self._redactor is None:
            return job
        return replace(
            job,
            group=self.text(job.group),
            error_message=self.text(job.error_message),
            data=self._mask.preview(job.data).encode() if job.data else b"",
        )

    def detail(self, detail: JobDetail) -> JobDetail:
        """Give everything about a job."""
        if self._redactor is None:
            return detail
        return replace(
            detail,
            record=self.record(detail.record),
            past=[replace(attempt, error=self.value(attempt.error)) for attempt in detail.past],
            logs=[replace(line, message=str(self.text(line.message))) for line in detail.logs],
            group=self.text(detail.group),
            text=self.written(detail.text),
        )

    def failure(self, group: FailureGroup) -> FailureGroup:
        """Give a cause of failures."""
        return replace(group, message=str(self.text(group.message)))

    def piece(self, piece: Piece) -> Piece:
        """Give a piece of a text."""
        return piece._replace(text=str(self.written(piece.text)))

    def finds(self, job: JobSummary, text: str | None) -> bool:
        """Whether somebody may find a job by a text: masked, only by what they see of it in a list."""
        if self._redactor is None or text is None:
            return True
        seen = self.summary(job)
        shown = (seen.id, seen.type, seen.group, seen.error_kind, seen.error_message, seen.data.decode())
        return any(text.casefold() in part.casefold() for part in shown if part)


def sight_of(identity: Identity, redactor: Redactor) -> Sight:
    """Tell what somebody may see: a person who may not `operate` what is left when it is masked."""
    sees_all = identity.kind == "key" or identity.may(Scope.OPERATE)
    return Sight(None if sees_all else redactor)
