"""Whatever is pushed ends as a job or with its faults named."""

import json
from datetime import datetime
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from edworkers.core.job import Job, JobId, Malformed, decode

NOW = 1_767_225_600_000
LARGEST_MS = 999_999_999_999_999  # what the header of an entry holds
ID = TypeAdapter[str](JobId)

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)
DATA = st.dictionaries(st.text(max_size=8), VALUES, max_size=4)
NAMES: tuple[str, ...] = (
    "data",
    "id",
    "type",
    "time",
    "source",
    "traceparent",
    "runAt",
    "delay",
    "expiresAt",
    "maxAttempts",
)
NAMES += ("timeoutSeconds", "uniqueKey", "group", "specversion", "data_base64", "runat", "datacontenttype")
CONTROLS = "".join(chr(code) for code in (*range(0x20), 0x7F))
TIMES = st.one_of(
    # RFC 3339 has no offsets of seconds, which is what many zones had a century ago.
    st.datetimes(
        min_value=datetime(1975, 1, 1),  # noqa: DTZ001 - as Hypothesis asks
        timezones=st.timezones(),
    ).map(lambda moment: moment.isoformat()),
    st.sampled_from(["2026-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59"]),
)
IDS = st.text("".join(chr(code) for code in range(0x21, 0x7F)), min_size=1, max_size=128)
GOOD_ENVELOPES = st.fixed_dictionaries(
    {"data": DATA},
    optional={
        "id": IDS,
        "type": st.text(min_size=1, max_size=10),
        "time": TIMES,
        "source": st.text(max_size=10),
        "runAt": TIMES,
        "expiresAt": TIMES,
        "maxAttempts": st.integers(min_value=1),
        "timeoutSeconds": st.floats(min_value=1e-9, allow_infinity=False) | st.integers(min_value=1, max_value=10**9),
        "uniqueKey": IDS,
        "group": st.text(
            st.characters(exclude_characters=CONTROLS, exclude_categories=["Cs"]), min_size=1, max_size=10
        ),
    },
)


def ends_well(decoded: Job | Malformed) -> None:
    ID.validate_python(decoded.id)
    if isinstance(decoded, Malformed):
        assert decoded.faults
        assert all(fault.strip() for fault in decoded.faults)
        json.dumps(decoded.faults).encode()
        return
    assert type(decoded.data) is dict
    for moment in (decoded.time, decoded.run_at, decoded.expires_at):
        assert moment is None or (type(moment) is int and moment <= LARGEST_MS)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_never_raise(payload: bytes) -> None:
    ends_well(decode(payload, "origin", NOW))


@given(st.text('{}[]":,\\ud0123456789eE+-.truefalsn \ufeff\x1e', max_size=60))
def test_what_resembles_json_never_raises(text: str) -> None:
    ends_well(decode(text.encode(), "origin", NOW))


@given(VALUES, st.booleans())
@example("\ud800", True)  # noqa: FBT003 - given as `plain`
def test_arbitrary_json_never_raises(value: Any, plain: bool) -> None:  # noqa: FBT001 - drawn
    ends_well(decode(json.dumps(value, ensure_ascii=plain).encode(), "origin", NOW))


@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_arbitrary_values_in_the_known_fields_never_raise(document: dict[str, Any]) -> None:
    ends_well(decode(json.dumps(document).encode(), "origin", NOW))


@given(st.text(max_size=40), st.text(max_size=40))
def test_arbitrary_text_for_times_never_raises(one: str, other: str) -> None:
    document = {"data": {}, "time": one, "runAt": other, "expiresAt": f"2026-01-01T{one}"}
    ends_well(decode(json.dumps(document).encode(), "origin", NOW))


@given(GOOD_ENVELOPES, st.data())
def test_a_mutated_envelope_never_raises(envelope: dict[str, Any], data: st.DataObject) -> None:
    payload = json.dumps(envelope).encode()
    begin = data.draw(st.integers(0, len(payload)))
    end = data.draw(st.integers(begin, min(begin + 8, len(payload))))
    ends_well(decode(payload[:begin] + data.draw(st.binary(max_size=4)) + payload[end:], "origin", NOW))


@given(GOOD_ENVELOPES, st.booleans())
def test_a_good_envelope_is_a_job_with_that_data(envelope: dict[str, Any], plain: bool) -> None:  # noqa: FBT001 - drawn
    decoded = decode(json.dumps(envelope, ensure_ascii=plain).encode(), "origin", NOW)
    assert isinstance(decoded, Job)
    ends_well(decoded)
    assert repr(decoded.data) == repr(envelope["data"])
    assert decoded.id == envelope.get("id", "origin")
    assert (decoded.type, decoded.source) == (envelope.get("type"), envelope.get("source"))
    assert (decoded.unique_key, decoded.group) == (envelope.get("uniqueKey"), envelope.get("group"))
    assert (decoded.max_attempts, decoded.timeout_seconds) == (
        envelope.get("maxAttempts"),
        envelope.get("timeoutSeconds"),
    )


@given(DATA)
def test_data_is_the_same_bare_wrapped_and_in_a_cloudevent(data: dict[str, Any]) -> None:
    event = {"specversion": "1.0", "id": "e", "source": "/s", "type": "t", "data": data}
    for document in ({"data": data}, event):
        decoded = decode(json.dumps(document).encode(), "origin", NOW)
        assert isinstance(decoded, Job)
        assert repr(decoded.data) == repr(data)
    if "data" not in data and "specversion" not in data:
        assert decode(json.dumps(data).encode(), "origin", NOW) == Job("origin", data)


BAD: dict[str, Any] = {
    "id": "two words",
    "type": "",
    "time": "yesterday",
    "source": 5,
    "traceparent": "00",
    "runAt": "2026",
    "delay": -1,
    "expiresAt": "2026-01-01T00:00:00",
    "maxAttempts": 0,
    "timeoutSeconds": "30",
    "uniqueKey": "",
    "group": 7,
    "data_base64": "",
    "runat": "x",
    "unique_key": "x",
    "Data": {},
}


@given(st.sets(st.sampled_from(sorted(BAD)), min_size=1), st.sampled_from([{}, [], None, "text"]))
def test_every_fault_is_named_at_once(wrong: set[str], data: Any) -> None:
    decoded = decode(json.dumps({"data": data, **{name: BAD[name] for name in wrong}}).encode(), "origin", NOW)
    assert isinstance(decoded, Malformed)
    expected = wrong | ({"data"} if data != {} else set())
    if {"runAt", "delay"} <= wrong:
        expected = expected | {"runAt, delay"}
    assert {fault.split(": ")[0] for fault in decoded.faults} == expected
    assert len(decoded.faults) == len(expected)
