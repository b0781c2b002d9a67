"""From what a producer typed to the job that is pushed, or to every fault in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from pydantic_core import from_json, to_json

from edworkers.core.errors import InvalidJobError
from edworkers.core.job import Malformed, decode
from edworkers.core.settings import JobPolicy
from edworkers.pipeline.claim import Handlers
from edworkers.pipeline.enqueue import prepare
from edworkers.ports import Enqueue

_REFUSED = "nothing was enqueued, for this is no job that the queue would take:"


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes jobs for one queue from JSON as it was given, with the envelope's `fields` as they were asked for."""

    handlers: Handlers
    policy: JobPolicy
    fields: Mapping[str, Any]
    urgent: bool = False

    def make(self, given: bytes, *, new_id: str, now: int) -> Enqueue:
        """Make a job; `new_id` is its id where it names none, `now` is in Unix ms.

        Raises InvalidJobError with every fault.
        """
        document = _read_object(given)
        if document is None:
            raise InvalidJobError(_REFUSED, [*_faults(given, now), *_faults(to_json({**self.fields, "data": {}}), now)])
        job = self._assemble(document, new_id, now)
        faults = self._given_twice(job, document)
        try:
            made = self._check(job, new_id, now)
        except InvalidJobError as error:
            found = [*faults, *error.faults, *self._faults_of_data(job, new_id, now)]
            raise InvalidJobError(_REFUSED, list(dict.fromkeys(found))) from error
        if faults:
            raise InvalidJobError(_REFUSED, faults)
        return made

    def _assemble(self, document: Mapping[str, Any], new_id: str, now: int) -> dict[str, Any]:
        """Put the parts together; the id must be in the payload, or the runner would make another."""
        is_envelope = "data" in document or "specversion" in document
        time = datetime.fromtimestamp(now / 1000, UTC).isoformat()
        usual = {"id": new_id, "time": time}
        given = {name: value for name, value in document.items() if value is not None or name not in usual}
        return {**usual, **given, **self.fields} if is_envelope else {**usual, **self.fields, "data": document}

    def _given_twice(self, job: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
        if job.get("data") is document:
            return []
        twice = [name for name, value in self.fields.items() if document.get(name, value) != value]
        return [f"{name}: given in the JSON and, with another value, as an option" for name in twice]

    def _check(self, job: Mapping[str, Any], new_id: str, now: int) -> Enqueue:
        return prepare(to_json(job), self.handlers, self.policy, new_id=new_id, now=now, urgent=self.urgent)

    def _faults_of_data(self, job: Mapping[str, Any], new_id: str, now: int) -> tuple[str, ...]:
        """Look at the data by itself: a runner doesn't where the envelope around it is wrong."""
        kind = job.get("type")
        usable = {"type": kind} if isinstance(kind, str) and kind else {}
        try:
            self._check({**usable, "data": job.get("data")}, new_id, now)
        except InvalidJobError as error:
            return error.faults
        return ()


def _read_object(given: bytes) -> dict[str, Any] | None:
    try:
        document: Any = from_json(given, allow_inf_nan=False)
    except ValueError:
        return None
    return cast("dict[str, Any]", document) if isinstance(document, dict) else None


def _faults(payload: bytes, now: int) -> tuple[str, ...]:
    job = decode(payload, "none", now)
    return job.faults if isinstance(job, Malformed) else ()
