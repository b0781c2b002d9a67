"""A trace context is put into a job without changing anything else of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.core.job import Job, decode
from edworkers.core.settings import MAX_PAYLOAD_BYTES
from edworkers.core.traced_payload import traced_payload

TRACED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHER = "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01"

data = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=4)


def read(payload: bytes) -> Job:
    job = decode(payload, "fallback", 0)
    assert isinstance(job, Job)
    return job


@given(data.filter(lambda found: not {"data", "specversion"} & found.keys()))
def test_bare_data_becomes_a_job_with_the_trace_context(found: dict[str, Any]) -> None:
    made = read(traced_payload(json.dumps(found).encode(), TRACED))
    assert (made.data, made.traceparent, made.id) == (found, TRACED, "fallback")


@given(data)
def test_an_envelope_keeps_all_its_fields(found: dict[str, Any]) -> None:
    payload = json.dumps({"id": "a", "type": "t", "data": found}, indent=1).encode()
    before, made = read(payload), read(traced_payload(payload, TRACED))
    assert made == before._replace(traceparent=TRACED)


def test_the_producers_own_trace_context_stays() -> None:
    payload = json.dumps({"traceparent": OTHER, "data": {}}).encode()
    assert traced_payload(payload, TRACED) == payload


def test_no_field_is_there_twice() -> None:
    made = traced_payload(b'{"traceparent": null, "data": {"n": 1}}', TRACED)
    assert made.count(b"traceparent") == 1
    assert (read(made).traceparent, read(made).data) == (TRACED, {"n": 1})


def test_a_field_of_bare_data_that_is_called_so_is_no_trace_context() -> None:
    made = read(traced_payload(json.dumps({"traceparent": OTHER}).encode(), TRACED))
    assert (made.data, made.traceparent) == ({"traceparent": OTHER}, TRACED)


@pytest.mark.parametrize("payload", [b"", b"[1]", b"{", b'{"specversion": "1.0"}', b"7"])
def test_what_is_no_job_stays_as_it_is_to_be_refused(payload: bytes) -> None:
    assert traced_payload(payload, TRACED) == payload


def test_a_job_that_has_no_room_for_it_stays_as_it_is() -> None:
    payload = json.dumps({"data": {"text": "x" * (MAX_PAYLOAD_BYTES - 24)}}).encode()
    assert len(payload) <= MAX_PAYLOAD_BYTES
    assert traced_payload(payload, TRACED) == payload
