r"""What lies in Redis for a job, and what it says.

A producer pushes plain JSON. Once the queue itself has touched a job (a retry, a lost runner), the JSON, byte for byte
as it came, follows a header line of the queue's own:

    \x1e<deliveries> <attempts> <due ms> <origin>\n<payload>

0x1E can't begin a JSON text, so the two are never confused. The names in the JSON are those of CloudEvents 1.0 where it
has one; a CloudEvents event in JSON is a valid job.
"""

import hashlib
import re
from datetime import datetime
from difflib import get_close_matches
from typing import Annotated, Any, NamedTuple, cast

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic_core import from_json, to_json

from edworkers.core.settings import MAX_PAYLOAD_BYTES, faults_of, in_short

_HEADER = re.compile(rb"\x1e(\d{1,9}) (\d{1,9}) (\d{1,15}) ([!-~]{1,128})\n")
_ID = re.compile(r"[!-~]{1,128}")
_DATE_AND_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}", re.ASCII)
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_MAX_DELAY_SECONDS = 366 * 86400
_MAX_UNKNOWN_FIELDS = 100
_LONGEST_LOOK = 16_384

JobId = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")]
Group = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Entry(NamedTuple):
    """A job as it lies in Redis."""

    payload: bytes
    deliveries: int = 0
    """How often the job was started and its runner lost."""
    attempts: int = 0
    """How many attempts failed."""
    due: int = 0
    """The time (Unix ms) to which the job was last put off; 0 if never."""
    origin: str = ""
    """The receipt of the first delivery: tells this job from another with the same id, and is its id if it has none."""


def read_entry(raw: bytes) -> Entry:
    """Split an entry into header and payload; bytes without a header are a payload as a producer pushed it."""
    if raw[:1] != b"\x1e":
        return Entry(raw)
    match = _HEADER.match(raw)
    if match is None:
        return Entry(raw)
    deliveries, attempts, due, origin = match.groups()
    return Entry(raw[match.end() :], int(deliveries), int(attempts), int(due), origin.decode("ascii"))


def write_entry(entry: Entry) -> bytes:
    """Write an entry with its header, or without one where it has no origin; the inverse of `read_entry`."""
    if not entry.origin:
        return entry.payload
    header = f"\x1e{entry.deliveries} {entry.attempts} {entry.due} {entry.origin}\n"
    return header.encode("ascii") + entry.payload


def is_anonymous(raw: bytes) -> bool:
    """Whether an entry is surely a job that nobody can know by an id, key or type that it names.

    It goes by the bytes alone, by the same rule as anonymous.lua, and says no where it would have to look closely.
    """
    names = (b'"id"', b'"uniqueKey"', b'"type"', b"\\u")
    return len(raw) <= _LONGEST_LOOK and raw[:1] != b"\x1e" and not any(name in raw for name in names)


def _must_be_a_date(value: object) -> object:
    """Refuse a bare number in a string, which would be taken for seconds since 1970: "2026" must not start a job."""
    if isinstance(value, str) and _DATE_AND_TIME.match(value):
        return value
    raise ValueError("must be a date and time with its zone, such as 2026-01-31T09:00:00Z")


Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_must_be_a_date)]


class Envelope(BaseModel):
    """The fields of a job beside its data. Fields that aren't named here (CloudEvents extensions) are left alone."""

    model_config = ConfigDict(
        alias_generator=to_camel, frozen=True, strict=True, extra="ignore", use_attribute_docstrings=True
    )

    data: dict[str, Any] = Field(default_factory=dict[str, Any])
    """What the work is about, checked against the handler's own schema."""
    id: JobId | None = None
    """Key for status, result and de-duplication: 1 to 128 printable ASCII characters without spaces."""
    type: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    """Which handler of the queue, where it has several."""
    time: Moment | None = None
    """When the producer made the job."""
    source: str | None = None
    traceparent: str | None = Field(default=None, pattern=r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")
    """W3C trace context."""
    run_at: Moment | None = None
    """Not before this time."""
    delay: float | None = Field(default=None, ge=0, le=_MAX_DELAY_SECONDS, allow_inf_nan=False)
    """Not before this many seconds after `time`, or after a runner first sees the job."""
    expires_at: Moment | None = None
    """Bury instead of starting later than this."""
    max_attempts: int | None = Field(default=None, ge=1)
    timeout_seconds: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    unique_key: JobId | None = None
    """At most one waiting or running job of the queue has this key."""
    group: Group | None = None
    """Whose job it is: groups get fair shares of a queue that has them."""


_NAMES = {field.alias or name: name for name, field in Envelope.model_fields.items()}
_CLOSE_NAMES = {name.lower(): name for name in _NAMES}


class Job(NamedTuple):
    """A job that a producer pushed, read and found well-formed; times are Unix milliseconds."""

    id: str
    data: dict[str, Any]
    type: str | None = None
    time: int | None = None
    source: str | None = None
    traceparent: str | None = None
    run_at: int | None = None
    expires_at: int | None = None
    max_attempts: int | None = None
    timeout_seconds: float | None = None
    unique_key: str | None = None
    group: str | None = None


class Malformed(NamedTuple):
    """Bytes that are no job, with every fault named."""

    id: str
    faults: tuple[str, ...]
    data: dict[str, Any] | None = None
    """What can be read of it all the same, so that its faults can be named too."""
    type: str | None = None


def decode(payload: bytes, fallback_id: str, now: int, max_bytes: int = MAX_PAYLOAD_BYTES) -> Job | Malformed:
    """Read a payload; `fallback_id` is the job's id where the payload names none, `now` is in Unix ms."""
    if len(payload) > max_bytes:
        return Malformed(fallback_id, (f"too large: {len(payload)} bytes, and {max_bytes} are allowed",))
    try:
        document: Any = from_json(payload, allow_inf_nan=False)
    except ValueError as error:
        return Malformed(fallback_id, (_explain_json(str(error), payload),))
    if not isinstance(document, dict):
        return Malformed(fallback_id, (f"must be a JSON object, not {_json_kind(document)}",))
    return _read_document(cast("dict[str, Any]", document), payload, fallback_id, now)


def check_id(job_id: str, payload: bytes) -> None:
    """Raise ValueError where a payload that is to take the place of a job's own would make it another job."""
    named = decode(payload, job_id, 0).id
    if named != job_id:
        raise ValueError(
            f"id: the job is {job_id!r}, and can't become {named!r}; leave the id as it is, or enqueue it anew"
        )


def _read_document(document: dict[str, Any], payload: bytes, fallback_id: str, now: int) -> Job | Malformed:
    """Take the short way for `{"data": …}` with or without an id: that is nearly every job."""
    data = document.get("data")
    if data is None and "data" not in document and "specversion" not in document:
        return Job(fallback_id, document)
    job_id = document.get("id", fallback_id)
    usual = len(document) == 1 + ("id" in document)
    if usual and type(data) is dict and type(job_id) is str and _ID.fullmatch(job_id):
        return Job(job_id, data)
    return _read_envelope(document, payload, fallback_id, now)


def _read_envelope(document: dict[str, Any], payload: bytes, fallback_id: str, now: int) -> Job | Malformed:
    faults = _misspelled(document)
    if document.get("runAt") is not None and document.get("delay") is not None:
        faults = (*faults, "runAt, delay: give one of them, not both")
    try:
        envelope = Envelope.model_validate_json(payload)
    except ValidationError as error:
        found = faults_of([(fault["loc"], fault["msg"]) for fault in error.errors(include_url=False)])
        return _malformed(document, fallback_id, (*found, *faults))
    if faults:
        return _malformed(document, fallback_id, faults)
    made = _ms(envelope.time)
    run_at = _ms(envelope.run_at)
    if envelope.delay is not None:
        run_at = (made if made is not None else now) + round(envelope.delay * 1000)
    return Job(
        id=envelope.id or fallback_id,
        data=envelope.data,
        type=envelope.type,
        time=made,
        source=envelope.source,
        traceparent=envelope.traceparent,
        run_at=run_at,
        expires_at=_ms(envelope.expires_at),
        max_attempts=envelope.max_attempts,
        timeout_seconds=envelope.timeout_seconds,
        unique_key=envelope.unique_key,
        group=envelope.group,
    )


_group: TypeAdapter[str] = TypeAdapter(Group)


def group_of(raw: bytes, by: str | None) -> str:
    """Read from an entry whose job it is, as `grouped` says; empty for what isn't a job."""
    job = decode(read_entry(raw).payload, "", 0)
    return grouped(job, by).group or "" if isinstance(job, Job) else ""


def grouped(job: Job, by: str | None) -> Job:
    """Give a job without a group the one that the field `by` of its data names.

    Nothing there (null, an empty text) is no group. What can't be a name (a long text, a list) stands for itself by its
    SHA-256: a limit for groups is not to be passed by.
    """
    name = job.data.get(by) if job.group is None and by is not None else None
    if name is None or name == "":
        return job
    if type(name) is int:
        name = str(name)
    try:
        return job._replace(group=_group.validate_python(name, strict=True))
    except ValueError:
        return job._replace(group=hashlib.sha256(to_json(name)).hexdigest())


def _misspelled(document: dict[str, Any]) -> tuple[str, ...]:
    """Name fields that are surely meant to be others: a typo in `runAt` must not start a job at once."""
    faults: list[str] = []
    if "data_base64" in document:
        faults.append("data_base64: not taken here; send data as a JSON object")
    unknown = document.keys() - _NAMES.keys()
    if len(unknown) > _MAX_UNKNOWN_FIELDS:
        # To compare very many names would hold up the runner's other jobs.
        return (*faults, f"{len(unknown)} fields beside data are unknown: put them into data")
    for name in unknown:
        close = get_close_matches(name.lower().replace("_", ""), _CLOSE_NAMES, n=1, cutoff=0.9)
        if close:
            faults.append(f"{in_short(name)}: unknown; did you mean {_CLOSE_NAMES[close[0]]}?")
    return tuple(sorted(faults))


def _malformed(document: dict[str, Any], fallback_id: str, faults: tuple[str, ...]) -> Malformed:
    data, kind = document.get("data"), document.get("type")
    return Malformed(
        _usable_id(document, fallback_id),
        faults,
        cast("dict[str, Any]", data) if isinstance(data, dict) else None,
        kind if isinstance(kind, str) else None,
    )


def _usable_id(document: dict[str, Any], fallback_id: str) -> str:
    job_id = document.get("id")
    return job_id if isinstance(job_id, str) and _ID.fullmatch(job_id) else fallback_id


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)


def _explain_json(message: str, payload: bytes) -> str:
    if payload.startswith(_BYTE_ORDER_MARKS):
        return "not JSON: begins with a byte order mark; send UTF-8 without one"
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        return f"not JSON: not UTF-8, byte 0x{payload[error.start]:02x} at position {error.start}"
    if "recursion limit" in message:
        return "nested too deeply: at most 200 levels are read"
    if "hex escape" in message:
        return f"not JSON: {message}; was the text cut in the middle of an emoji (half of a surrogate pair)?"
    return f"not JSON: {message}"


def _json_kind(document: object) -> str:
    match document:
        case list():
            return "an array"
        case str():
            return "a string"
        case bool():
            return "true or false"
        case None:
            return "null"
        case _:
            return "a number"
