"""A field that is meant for another is named; one that a CloudEvents producer may add is left alone."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.core.job import Envelope, Job, Malformed, decode

NAMES = sorted(field.alias or name for name, field in Envelope.model_fields.items())
LONG_NAMES = [name for name in NAMES if len(name) >= 10]

# Those that the specification and its documented extensions name, and what well-known producers add.
ATTRIBUTES = """
    specversion datacontenttype dataschema subject dataref dataclassification dataregulation datacategory authtype
    authid authclaims correlationid causationid deprecated deprecationfrom deprecationsunset deprecationmigration
    expirytime partitionkey recordedtime sampledrate rate sequence sequencetype severitytext severitynumber tracestate
    traceid baggage opcuametadatatype topic pubsubname triggertime knativearrivaltime eventtype tenant
    region retrycount priority attempt attempts jobid dedupkey timezone groups
    timestamp sourceid userid sessionid
""".split()  # noqa: SIM905 - forty-seven words in a column would be read by nobody


def decode_with(fields: dict[str, Any]) -> Job | Malformed:
    return decode(json.dumps({"data": {}, **fields}).encode(), "origin", 0)


def assert_refused(decoded: Job | Malformed, fault: str) -> None:
    assert isinstance(decoded, Malformed)
    assert (decoded.id, decoded.faults) == ("origin", (fault,))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("runat", "runAt"),
        ("run_at", "runAt"),
        ("run-at", "runAt"),
        ("RunAt", "runAt"),
        ("RUN_AT", "runAt"),
        ("runAt ", "runAt"),
        ("unique_key", "uniqueKey"),
        ("uniqueKeys", "uniqueKey"),
        ("maxattempts", "maxAttempts"),
        ("max_attempts", "maxAttempts"),
        ("maxAttempt", "maxAttempts"),
        ("maxAtempts", "maxAttempts"),
        ("timeout_seconds", "timeoutSeconds"),
        ("timeoutSecond", "timeoutSeconds"),
        ("timoutSeconds", "timeoutSeconds"),
        ("expires_at", "expiresAt"),
        ("expireAt", "expiresAt"),
        ("trace_parent", "traceparent"),
        ("traceParent", "traceparent"),
        ("Data", "data"),
        ("ID", "id"),
        ("Type", "type"),
    ],
)
def test_a_misspelled_field_is_refused_and_the_right_name_told(name: str, meant: str) -> None:
    assert_refused(decode_with({name: "x"}), f"{name}: unknown; did you mean {meant}?")


@given(st.sampled_from(NAMES), st.sampled_from([str.upper, str.title, str.capitalize]))
def test_the_case_of_a_name_matters_and_is_pointed_out(name: str, change: Any) -> None:
    changed = change(name)
    found = decode_with({changed: "x"})
    assert isinstance(found, Malformed)
    assert f"{changed}: unknown; did you mean {name}?" in found.faults


@given(st.sampled_from(LONG_NAMES), st.data())
def test_one_letter_too_few_or_doubled_in_a_long_name_is_noticed(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(name) - 1))
    for changed in (name[:at] + name[at + 1 :], name[:at] + name[at] + name[at:]):
        found = decode_with({changed: "x"})
        assert isinstance(found, Malformed)
        assert found.faults == (f"{changed}: unknown; did you mean {name}?",)


@pytest.mark.parametrize("name", [name for name in ATTRIBUTES if name != "groups"])
def test_attributes_of_cloudevents_are_no_misspellings(name: str) -> None:
    assert decode_with({name: "x"}) == Job("origin", {})


def test_all_those_attributes_may_come_together() -> None:
    fields = {name: "x" for name in ATTRIBUTES if name != "groups"}
    assert decode_with({"specversion": "1.0", "id": "e", "source": "/s", "type": "t", **fields}) == Job(
        "e", {}, type="t", source="/s"
    )


def test_a_misspelling_is_found_among_attributes() -> None:
    found = decode_with({"specversion": "1.0", "subject": "s", "sequence": "1", "runat": "x", "dataschema": "d"})
    assert_refused(found, "runat: unknown; did you mean runAt?")


def test_bare_data_may_have_any_names() -> None:
    fields = {"runat": 1, "max_attempts": 2, "ID": 3, "data_base64": 4, "delay": 5}
    assert decode(json.dumps(fields).encode(), "origin", 0) == Job("origin", fields)


def test_several_misspellings_are_named_in_alphabetical_order() -> None:
    found = decode_with({"uniquekey": 1, "runat": 2, "ID": 3, "data_base64": 4})
    assert isinstance(found, Malformed)
    assert [fault.split(":")[0] for fault in found.faults] == ["ID", "data_base64", "runat", "uniquekey"]


def test_a_flood_of_unknown_fields_is_refused_as_a_whole() -> None:
    found = decode_with({f"maxAttempts{number}": 0 for number in range(40_000)})
    assert_refused(found, "40000 fields beside data are unknown: put them into data")


def test_a_misspelling_does_not_outgrow_the_job_nor_reach_the_terminal_raw() -> None:
    found = decode_with({"run" + "_" * 10_000 + "at": 1, "runAt\x1b[2J"[:6]: 2})
    assert isinstance(found, Malformed)
    assert len(found.faults) == 2
    assert all(len(fault) < 120 and fault.isprintable() for fault in found.faults)
