"""From a delivery to work that may begin, or to the verdict that it may not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from edworkers.core.job import Entry, Job, Malformed, decode, grouped, read_entry
from edworkers.core.settings import MAX_PAYLOAD_BYTES, JobPolicy, faults_of
from edworkers.core.verdict import Bury, Verdict
from edworkers.ports import Delivery, Handler, Start
from edworkers.telemetry.tracing import AttemptSpan


@dataclass(slots=True)
class Claimed:
    """A job in a runner's hands."""

    receipt: str
    origin: str
    id: str
    entry: Entry
    job: Job | None = None
    handler: Handler[Any] | None = None
    data: BaseModel | None = None
    refusal: Verdict | None = None
    """Why it can't be run, where that is known."""
    put_off_until: int = 0
    """Unix ms, where its producer wants it run later."""
    span: AttemptSpan | None = None
    """Its attempt in a trace, where tracing is on."""

    @property
    def is_runnable(self) -> bool:
        """Whether it may run now, as far as it says itself."""
        return self.refusal is None and not self.put_off_until

    @property
    def attempt(self) -> int:
        """The number of the attempt that would begin now."""
        return self.entry.attempts + 1

    @property
    def type(self) -> str | None:
        """Its type, where it says one and its envelope could be read."""
        return self.job.type if self.job is not None else None

    @property
    def traceparent(self) -> str | None:
        """The trace context of its attempt, or else of its producer."""
        if self.span is not None:
            return self.span.traceparent
        return self.job.traceparent if self.job is not None else None

    @property
    def unique_key(self) -> str:
        """The key of which there may be one at a time, or nothing."""
        return (self.job.unique_key or "") if self.job is not None else ""

    @property
    def group(self) -> str:
        """Whose job it is, or nothing."""
        return (self.job.group or "") if self.job is not None else ""

    @property
    def tokens(self) -> int:
        """How many tokens it is estimated to use."""
        estimate = self.handler.tokens if self.handler is not None else None
        return max(estimate(self.data), 0) if estimate is not None else 0

    def start(self) -> Start:
        """Ask for the job to be let begin."""
        kind = (self.job.type or "") if self.job is not None else ""
        return Start(self.receipt, self.id, self.origin, self.attempt, self.unique_key, kind)


Handlers = Mapping[str | None, Handler[Any]]


def read_delivery(
    delivery: Delivery, handlers: Handlers, policy: JobPolicy, now: int, group_by: str | None = None
) -> Claimed:
    """Read a delivered job and hold it against what the queue can do; `now` is in Unix ms."""
    if delivery.oversize:
        fault = f"too large: {delivery.oversize} bytes, and {MAX_PAYLOAD_BYTES} are allowed"
        return _refused(delivery, Entry(b""), delivery.receipt, (fault,))
    entry = read_entry(delivery.raw)
    origin = entry.origin or delivery.receipt
    job = decode(entry.payload, origin, now)
    if isinstance(job, Malformed):
        return _refused(delivery, entry, job.id, (*job.faults, *_more_faults(job, handlers)))
    claimed = Claimed(delivery.receipt, origin, job.id, entry, grouped(job, group_by))
    _check_time(claimed, job, now)
    if claimed.refusal is None and entry.deliveries >= policy.max_deliveries:
        claimed.refusal = Bury(_poison(entry.deliveries))
    if claimed.refusal is None:
        _fit(claimed, job, handlers)
    return claimed


def _refused(delivery: Delivery, entry: Entry, job_id: str, faults: tuple[str, ...]) -> Claimed:
    return Claimed(delivery.receipt, entry.origin or delivery.receipt, job_id, entry, refusal=_rejection(faults))


def _rejection(faults: tuple[str, ...]) -> Bury:
    return Bury({"kind": "rejected", "message": "; ".join(faults), "faults": list(faults)})


def _poison(deliveries: int) -> dict[str, Any]:
    message = f"poison pill: {deliveries} runners were lost while they worked on this job; see their last log lines"
    return {"kind": "poison", "message": message}


def _check_time(claimed: Claimed, job: Job, now: int) -> None:
    if job.expires_at is not None and job.expires_at < now:
        late = (now - job.expires_at) / 1000
        claimed.refusal = Bury({"kind": "expired", "message": f"expired {late:.3f} s before a runner was free for it"})
    elif job.run_at is not None and job.run_at > now and claimed.entry.due == 0:
        claimed.put_off_until = job.run_at


def _handler_of(kind: str | None, handlers: Handlers) -> Handler[Any] | None:
    return handlers.get(kind) or handlers.get(None)


def _more_faults(job: Malformed, handlers: Handlers) -> tuple[str, ...]:
    """Find the faults in the data of a job whose envelope is malformed: all are to be named at once."""
    handler = _handler_of(job.type, handlers)
    if job.data is None or handler is None:
        return ()
    try:
        handler.data.__pydantic_validator__.validate_python(job.data)
    except ValidationError as error:
        return _faults_in_data(error)
    except Exception:  # noqa: BLE001 - a fault in a handler's own check
        return ()
    return ()


def _faults_in_data(error: ValidationError) -> tuple[str, ...]:
    return faults_of([(("data", *fault["loc"]), fault["msg"]) for fault in error.errors(include_url=False)])


def _fit(claimed: Claimed, job: Job, handlers: Handlers) -> None:
    handler = _handler_of(job.type, handlers)
    if handler is None:
        fault = "missing" if job.type is None else f"{job.type!r} is unknown"
        known = ", ".join(sorted(str(name) for name in handlers))
        claimed.refusal = _rejection((f"type: {fault}; this queue knows {known}",))
        return
    try:
        claimed.data = handler.data.__pydantic_validator__.validate_python(job.data)
    except ValidationError as error:
        claimed.refusal = _rejection(_faults_in_data(error))
    except Exception as error:  # noqa: BLE001 - a fault in a handler's own check is that job's, not the runner's
        message = f"the handler's check of the data failed: {type(error).__name__}: {error}"
        claimed.refusal = Bury({"kind": "check", "message": message})
    else:
        claimed.handler = handler
