"""What a producer in any language may push, and what it is taken for."""

import json
from typing import Any

import pytest

from edworkers.core.job import Envelope, Job, Malformed, check_id, decode
from edworkers.core.settings import MAX_PAYLOAD_BYTES

NOW = 1_767_225_600_000


def job(payload: str | bytes) -> Job:
    decoded = decode(payload.encode() if isinstance(payload, str) else payload, "origin", NOW)
    assert isinstance(decoded, Job), decoded
    return decoded


def faults(payload: str | bytes) -> tuple[str, ...]:
    decoded = decode(payload.encode() if isinstance(payload, str) else payload, "origin", NOW)
    assert isinstance(decoded, Malformed), decoded
    return decoded.faults


def test_an_object_without_data_is_the_data_itself() -> None:
    assert job('{"prompt":"hi","id":7,"type":null}') == Job("origin", {"prompt": "hi", "id": 7, "type": None})


def test_an_empty_object_is_a_job_without_data() -> None:
    assert job("{}") == Job("origin", {})


def test_data_in_an_envelope_may_come_alone_or_with_an_id() -> None:
    assert job('{"data":{"a":1}}') == Job("origin", {"a": 1})
    assert job('{"id":"j1","data":{"a":1}}') == Job("j1", {"a": 1})
    assert job('{"id":null,"data":{"a":1}}') == Job("origin", {"a": 1})


def test_every_field_of_an_envelope_is_read() -> None:
    envelope = {
        "data": {"a": 1},
        "id": "j1",
        "type": "report",
        "time": "2026-01-01T00:00:00Z",
        "source": "/api",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "runAt": "2026-01-01T00:01:00Z",
        "expiresAt": "2026-01-01T00:02:00Z",
        "maxAttempts": 2,
        "timeoutSeconds": 1.5,
        "uniqueKey": "user:1",
        "group": "school 1",
    }
    assert job(json.dumps(envelope)) == Job(
        id="j1",
        data={"a": 1},
        type="report",
        time=NOW,
        source="/api",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        run_at=NOW + 60_000,
        expires_at=NOW + 120_000,
        max_attempts=2,
        timeout_seconds=1.5,
        unique_key="user:1",
        group="school 1",
    )


def test_a_field_that_is_null_is_a_field_that_is_absent() -> None:
    names = {field.alias or name for name, field in Envelope.model_fields.items()} - {"data"}
    assert len(names) == 12
    assert job(json.dumps({"data": {}, **dict.fromkeys(names)})) == Job("origin", {})


def test_a_cloudevent_is_a_job() -> None:
    event = {
        "specversion": "1.0",
        "id": "A234-1234-1234",
        "source": "/mycontext",
        "type": "com.example.someevent",
        "time": "2018-04-05T17:31:00Z",
        "datacontenttype": "application/json",
        "comexampleextension1": "value",
        "comexampleothervalue": 5,
        "data": {"appinfoA": "abc"},
    }
    found = job(json.dumps(event))
    assert (found.id, found.type, found.source) == ("A234-1234-1234", "com.example.someevent", "/mycontext")
    assert (found.data, found.time) == ({"appinfoA": "abc"}, 1_522_949_460_000)


def test_a_cloudevent_without_data_is_a_job_without_data() -> None:
    assert job('{"specversion":"1.0","id":"a","source":"/s","type":"t"}') == Job("a", {}, type="t", source="/s")


def test_a_cloudevent_with_other_data_than_an_object_is_refused() -> None:
    event = '{"specversion":"1.0","id":"a","source":"/s","type":"t",'
    assert faults(event + '"data":"<xml/>"}') == ("data: Input should be an object",)
    assert faults(event + '"data_base64":"aGk="}') == ("data_base64: not taken here; send data as a JSON object",)


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 2**63, 2**64 + 1, 10**30, 0])
@pytest.mark.parametrize("form", ['{{"n":{}}}', '{{"data":{{"n":{}}}}}', '{{"type":"t","data":{{"n":{}}}}}'])
def test_integers_of_any_size_survive(number: int, form: str) -> None:
    assert job(form.format(number)).data == {"n": number}


@pytest.mark.parametrize("value", [[], {}, [[]], [{}], "", 0.1, 1e-7, True, False, None, "\x00", "é", "\U0001f600"])
def test_values_keep_their_kind(value: Any) -> None:
    for document in ({"v": value}, {"data": {"v": value}}, {"type": "t", "data": {"v": value}}):
        found = job(json.dumps(document)).data["v"]
        assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ("[]", "an array"),
        ('["{}"]', "an array"),
        (r'"{\"data\":{}}"', "a string"),
        ("true", "true or false"),
        ("false", "true or false"),
        ("null", "null"),
        ("5", "a number"),
        ("0.5", "a number"),
    ],
)
def test_json_that_is_no_object_is_named_for_what_it_is(payload: str, kind: str) -> None:
    assert faults(payload) == (f"must be a JSON object, not {kind}",)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "EOF"),
        (b"   ", "EOF"),
        (b'{"data":{}', "EOF"),
        (b'{"data":{},}', "trailing comma"),
        (b"{'data':{}}", "key must be a string"),
        (b'{"data":{}}{"data":{}}', "trailing characters"),
        (b'{"data":{}}\x00', "trailing characters"),
        (b'{"data":{"n":NaN}}', "not JSON"),
        (b'{"data":{"n":Infinity}}', "not JSON"),
        (b'{"data":{"n":-Infinity}}', "not JSON"),
        (b'{"data":{"n":01}}', "invalid number"),
        (b'{"data":{"n":' + b"9" * 5000 + b"}}", "number out of range"),
        (b'{"data":{"s":"a\nb"}}', "control character"),
        (b'{"data":{"s":"\\x41"}}', "invalid escape"),
        (b"--- \ndata: {}", "not JSON"),
        (b"\x80\x04\x95", "not UTF-8, byte 0x80 at position 0"),
        (b'{"data":{"s":"caf\xe9"}}', "not UTF-8, byte 0xe9 at position 17"),
        (b'{"data":{"s":"\xed\xa0\x80"}}', "not UTF-8, byte 0xed at position 14"),
        (b'{"data":{"s":"\xc0\x80"}}', "not UTF-8, byte 0xc0 at position 14"),
    ],
)
def test_what_is_not_json_is_refused_with_the_place(payload: bytes, said: str) -> None:
    (fault,) = faults(payload)
    assert fault.startswith("not JSON: ")
    assert said in fault


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_called_by_its_name(encoding: str) -> None:
    assert faults('{"data":{}}'.encode(encoding)) == (
        "not JSON: begins with a byte order mark; send UTF-8 without one",
    )


@pytest.mark.parametrize("text", [r"\ud83d", r"\ud83d rest", r"\ude00", r"\ud83d\u0041"])
@pytest.mark.parametrize("form", ['{{"data":{{"s":"{}"}}}}', '{{"data":{{"{}":1}}}}', '{{"id":"{}","data":{{}}}}'])
def test_half_an_emoji_is_refused_and_explained(text: str, form: str) -> None:
    (fault,) = faults(form.format(text))
    assert "cut in the middle of an emoji" in fault


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("before", ['{"data":{"a":', '{"a":', '{"data":{},"x":', '{"type":"t","data":{"a":', ""])
def test_a_nesting_bomb_is_refused(before: str, opening: str, closing: str) -> None:
    after = "}" * before.count("{")
    for levels in (300, 50_000):
        assert faults(before + opening * levels + "1" + closing * levels + after)[0].startswith("nested too deeply")
        assert faults(before + opening * levels)[0].startswith("nested too deeply")


def test_two_hundred_levels_are_read() -> None:
    deep = "[" * 198 + "]" * 198
    assert job('{"data":{"a":' + deep + "}}").data == {"a": json.loads(deep)}
    assert job('{"type":"t","data":{"a":' + deep + "}}").data == {"a": json.loads(deep)}


def test_the_last_of_two_fields_with_one_name_counts_as_in_other_parsers() -> None:
    assert job('{"data":{"a":1,"a":2}}').data == {"a": 2}
    assert job('{"data":5,"id":"x","data":{},"id":"y"}') == Job("y", {})
    assert job('{"data":5,"type":"s","data":{},"type":"t","id":"x","id":"y"}') == Job("y", {}, type="t")
    assert faults('{"type":"t","data":{},"data":5}') == ("data: Input should be an object",)


def test_what_is_too_large_is_not_even_looked_at() -> None:
    payload = b'{"data":"' + b"x" * MAX_PAYLOAD_BYTES
    assert faults(payload) == (f"too large: {len(payload)} bytes, and {MAX_PAYLOAD_BYTES} are allowed",)


def test_the_largest_allowed_is_taken() -> None:
    payload = b'{"data":{}}'
    assert decode(payload, "origin", NOW, len(payload)) == Job("origin", {})
    assert isinstance(decode(payload, "origin", NOW, len(payload) - 1), Malformed)


@pytest.mark.parametrize("job_id", ["a", "!", "~", "01J8Z", "user:1/é"[:7], "x" * 128, 'a"b\\c', "{}", "order#5"])
def test_ids_are_printable_ascii(job_id: str) -> None:
    assert job(json.dumps({"data": {}, "id": job_id})).id == job_id
    assert job(json.dumps({"data": {}, "id": job_id, "type": "t"})).id == job_id


@pytest.mark.parametrize("job_id", ["", " ", "a b", "a\n", "\na", "a\x00", "é", "a\u2028", "x" * 129, 5, True, [], {}])
def test_other_ids_are_refused_and_the_job_goes_by_its_receipt(job_id: Any) -> None:
    for more in ({}, {"type": "t"}):
        found = decode(json.dumps({"data": {}, "id": job_id, **more}).encode(), "origin", NOW)
        assert isinstance(found, Malformed)
        assert found.id == "origin"
        assert [fault.split(":")[0] for fault in found.faults] == ["id"]


def test_a_malformed_job_with_a_good_id_is_found_by_it() -> None:
    for payload in ('{"id":"j1","data":5}', '{"id":"j1","data":{},"runat":"x"}'):
        found = decode(payload.encode(), "origin", NOW)
        assert isinstance(found, Malformed)
        assert found.id == "j1"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("data", None),
        ("data", "{}"),
        ("data", []),
        ("type", ""),
        ("type", 5),
        ("type", "t" * 129),
        ("source", 5),
        ("traceparent", ""),
        ("traceparent", "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n"),
        ("delay", "5"),
        ("delay", True),
        ("delay", -1),
        ("delay", 366 * 86400 + 1),
        ("maxAttempts", 0),
        ("maxAttempts", -1),
        ("maxAttempts", 1.5),
        ("maxAttempts", "3"),
        ("maxAttempts", True),
        ("timeoutSeconds", 0),
        ("timeoutSeconds", "30"),
        ("timeoutSeconds", True),
        ("uniqueKey", ""),
        ("uniqueKey", "two words"),
        ("uniqueKey", "k\n"),
        ("uniqueKey", 5),
        ("group", ""),
        ("group", 5),
        ("group", "g" * 129),
    ],
)
def test_a_wrong_field_is_named(field: str, value: Any) -> None:
    (fault,) = faults(json.dumps({"data": {}, "source": "/s", field: value}))
    assert fault.startswith(f"{field}: ")


@pytest.mark.parametrize("literal", ["1e400", "-1e400"])
@pytest.mark.parametrize("field", ["delay", "timeoutSeconds"])
def test_a_number_beyond_all_bounds_is_no_time_span(field: str, literal: str) -> None:
    (fault,) = faults(f'{{"data":{{}},"{field}":{literal}}}')
    assert fault.startswith(f"{field}: ")


def test_a_wish_for_very_many_attempts_is_taken_and_left_for_the_pool_to_bound() -> None:
    assert job('{"data":{},"maxAttempts":99999999999999999999}').max_attempts == 99999999999999999999


@pytest.mark.parametrize("payload", [b'{"data":{}}', b'{"id":"a","data":{}}', b"no job at all"])
def test_what_takes_the_place_of_a_jobs_payload_may_name_it_or_nothing(payload: bytes) -> None:
    check_id("a", payload)


def test_what_names_another_job_can_not_take_its_place() -> None:
    with pytest.raises(ValueError, match="the job is 'a', and can't become 'b'"):
        check_id("a", b'{"id":"b","data":{}}')
