"""What a job of the queue `webhook` may say, and the message made from it."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edworkers.handlers.webhook.request import WebhookData, body, message_id

DATA: dict[str, Any] = {"url": "https://school.example/hooks", "event": "ai.completed", "payload": {"answer": 42}}
SECRET = "whsec_" + "QUJD" * 10
NOW = datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)

job_ids = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=12)


def read(**more: Any) -> WebhookData:
    return WebhookData.model_validate({**DATA, **more})


def fault(**more: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        read(**more)
    [one] = refused.value.errors(include_url=False)
    return f"{'.'.join(map(str, one['loc']))}: {one['msg']}"


def test_every_fault_of_the_data_is_named_at_once() -> None:
    with pytest.raises(ValidationError) as refused:
        WebhookData.model_validate({"url": "x", "event": "", "headers": {"host": "h"}, "secret": "s", "method": "GET"})
    assert [one["loc"][0] for one in refused.value.errors()] == [
        "url",
        "event",
        "payload",
        "headers",
        "secret",
        "method",
    ]


@pytest.mark.parametrize("payload", [None, False, 0, "", [], {}, [1, {"a": None}], 2**70, "ß"])
def test_the_payload_may_be_any_json_and_arrives_as_it_is(payload: Any) -> None:
    assert json.loads(body(read(payload=payload), NOW))["data"] == payload


def test_the_message_is_compact_json_with_type_time_and_data() -> None:
    assert body(read(), NOW) == (
        b'{"type":"ai.completed","timestamp":"2026-01-31T12:00:00.250000Z","data":{"answer":42}}'
    )


def test_the_time_of_the_message_is_that_of_the_event_where_the_job_tells_it() -> None:
    told = "2026-01-30T09:00:00+01:00"
    assert json.loads(body(read(timestamp=told), NOW))["timestamp"] == told
    elsewhere = NOW.astimezone(timezone(timedelta(hours=-8)))
    assert json.loads(body(read(), elsewhere))["timestamp"] == "2026-01-31T12:00:00.250000Z"


@pytest.mark.parametrize(
    "told", ["2026-01-30", "2026-01-30T09:00:00", "20260130T090000Z", "yesterday", "2026-13-30T09:00:00Z", "", "1e9"]
)
def test_a_time_that_is_none_or_has_no_zone_is_refused(told: str) -> None:
    assert fault(timestamp=told).startswith("timestamp: Value error, must be a time with its zone")


@pytest.mark.parametrize("told", [5, 1.5, True, {}])
def test_a_time_must_be_text(told: Any) -> None:
    assert fault(timestamp=told).startswith("timestamp: ")


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\rb", "a\x00b", "é", " a", "a ", "\ta", "a" * 4097])
def test_the_value_of_a_header_is_one_line_of_printable_ascii(value: str) -> None:
    assert fault(headers={"x-school": value}).startswith("headers.x-school: ")


@pytest.mark.parametrize("value", ["", "a", "Bearer a.b=", "a\tb  c"])
def test_a_header_may_hold_anything_on_one_line(value: str) -> None:
    assert read(headers={"X-School": value}).headers == {"X-School": value}


@pytest.mark.parametrize("name", ["", "a b", "a:b", "x\r\ny", "é", ":path", "a\x00", "a" * 129])
def test_the_name_of_a_header_is_one_word(name: str) -> None:
    assert fault(headers={name: "1"}).startswith("headers.")


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "content-LENGTH",
        "Transfer-Encoding",
        "connection",
        "webhook-id",
        "Webhook-Signature",
        "webhook-anything",
        "Proxy-Authorization",
        "accept-encoding",
    ],
)
def test_a_header_that_would_change_the_message_is_refused(name: str) -> None:
    assert fault(headers={name: "1"}) == f"headers: Value error, {name.lower()} is set by edworkers itself"


def test_a_header_is_there_once() -> None:
    assert "twice" in fault(headers={"X-School": "1", "x-school": "2"})
    assert fault(headers={f"x-{number}": "1" for number in range(51)}).startswith("headers: ")


def test_a_job_brings_a_secret_or_refers_to_one_but_not_both() -> None:
    assert read(secret=SECRET).secret == SECRET
    assert read(secretRef="school-1").secret_ref == "school-1"
    assert "not both" in fault(secret=SECRET, secretRef="school-1")


@pytest.mark.parametrize("ref", ["", "-a", "a b", "a=b", "a" * 64, "é", "../x"])
def test_a_reference_to_a_secret_can_be_made_a_variable_of(ref: str) -> None:
    assert fault(secretRef=ref).startswith("secretRef: ")


def test_a_secret_is_shown_nowhere() -> None:
    assert SECRET not in repr(read(secret=SECRET))
    assert "rubbish" not in fault(secret="rubbish")


@given(job_ids, job_ids)
def test_the_id_of_a_message_has_no_full_stop_and_is_anothers_for_no_job(one: str, other: str) -> None:
    assert "." not in message_id(one)
    assert (message_id(one) == message_id(other)) == (one == other)


def test_the_id_of_a_message_is_that_of_the_job_where_it_can_be() -> None:
    assert message_id("01J-abc_9:x") == "01J-abc_9:x"
    assert message_id("01J.webhook") == "01J%2Ewebhook"
    assert message_id("01J%2Ewebhook") == "01J%252Ewebhook"
