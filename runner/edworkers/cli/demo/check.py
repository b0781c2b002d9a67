"""Whether a job of the demo ended as it should: what was seen in Redis, in the inbox and at the stand-in, compared."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, cast

from edworkers.cli.demo.cases import Case, Ending
from edworkers.ports import JobRecord
from edworkers.standins.inbox import Delivery


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is of one job."""

    record: JobRecord | None
    webhook: JobRecord | None
    """Of the job that delivers its answer."""
    deliveries: tuple[Delivery, ...]
    asked: int
    """How often the stand-in was asked its question."""
    pushed_at: int
    """Unix ms."""

    @property
    def is_final(self) -> bool:
        """Whether nothing moves it any more, nor its webhook if it has one."""
        return self.record is not None and self.record.state.is_final

    @property
    def seconds(self) -> float | None:
        """From its push to its end, its webhook's included."""
        ends = [record.finished_at for record in (self.record, self.webhook) if record and record.finished_at]
        return (max(ends) - self.pushed_at) / 1000 if ends else None


def is_over(case: Case, seen: Seen) -> bool:
    """Whether there is nothing to wait for; a dropped job leaves no trace to be waited for."""
    if case.ending.state == "dropped":
        return True
    delivered = not case.ending.webhook or (seen.webhook is not None and seen.webhook.state.is_final)
    return seen.is_final and (delivered or (seen.record is not None and seen.record.state.value != "done"))


def ending_of(seen: Seen) -> Ending:
    """Put what was seen into the words of an expectation."""
    record = seen.record
    error: dict[str, Any] = (record.error if record is not None and record.state.value == "dead" else None) or {}
    return Ending(
        state="dropped" if record is None else record.state.value,
        attempts=0 if record is None else record.attempts,
        asked=seen.asked,
        kind=error.get("kind", ""),
        faults=tuple(error.get("faults", ())),
        webhook="" if seen.webhook is None else seen.webhook.state.value,
        answers=tuple(delivery.status for delivery in seen.deliveries),
    )


def check(case: Case, seen: Seen, expected: Ending | None = None) -> list[str]:
    """Say what is not as it should be, a line each; none when all is well."""
    expected = expected or case.ending
    wrong = list(_differences(expected, ending_of(seen)))
    if seen.record is not None and not wrong:
        wrong += _check_record(case, seen, seen.record)
    return wrong


def _differences(expected: Ending, found: Ending) -> Iterator[str]:
    for field in fields(Ending):
        wanted, got = getattr(expected, field.name), getattr(found, field.name)
        same = _faults_match(wanted, got) if field.name == "faults" else wanted == got
        if not same:
            yield f"{field.name}: should be {wanted!r}, is {got!r}"


def _faults_match(beginnings: tuple[str, ...], faults: tuple[str, ...]) -> bool:
    """Whether each fault that is expected is named, and no other is."""
    named = [any(fault.startswith(beginning) for fault in faults) for beginning in beginnings]
    return all(named) and len(beginnings) == len(faults)


def _check_record(case: Case, seen: Seen, record: JobRecord) -> Iterator[str]:
    if record.state.value == "dead" and record.payload != case.payload:
        yield "payload: the bytes that were kept are not those that were pushed"
    if record.state.value == "done":
        yield from _check_answer(case, record)
    earliest = seen.pushed_at + case.not_before_seconds * 1000
    if case.not_before_seconds and (record.started_at or 0) < earliest:
        yield f"started: {(earliest - (record.started_at or 0)) / 1000:.3f} s too early"
    for delivery in seen.deliveries:
        yield from _check_delivery(delivery, record)


def _check_answer(case: Case, record: JobRecord) -> Iterator[str]:
    text = text_of(record)
    if f"You asked: {case.prompt}" not in text or case.answer_has not in text:
        yield f"answer: should tell {case.answer_has!r} and the question, is {text!r}"


def _check_delivery(delivery: Delivery, record: JobRecord) -> Iterator[str]:
    if not delivery.verified:
        yield "webhook: its signature is wrong or missing"
    document = _object(delivery.json)
    if document.get("type") != "ai.completed":
        yield f"webhook: its type should be ai.completed, is {document.get('type')!r}"
    told = _object(document.get("data"))
    if told.get("jobId") != record.id or told.get("text") != text_of(record):
        yield "webhook: it should tell the job's id and its answer"


def text_of(record: JobRecord) -> str:
    """Give the text of an answer; empty where there is none."""
    return str(_object(record.result).get("text", ""))


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
