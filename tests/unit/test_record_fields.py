"""A record's history is read from its fields, and whatever somebody else wrote there is left out."""

from hypothesis import given
from hypothesis import strategies as st

from edworkers.adapters.redis.record_fields import read_group, read_history
from edworkers.core.follow_up import read_parent, write_children
from edworkers.ports.browse import FailureGroup, JobHistory, LogLine, PastAttempt, Related

NAMES = (*("state", "past", "past:1", "past:2", "logs", "followUps", "parent", "fingerprint", "error", "finishedAt"),)


@given(
    fields=st.dictionaries(
        st.sampled_from(NAMES).map(str.encode),
        st.one_of(
            st.binary(),
            st.sampled_from(
                [b"dead", b"1", b"{}", b"[{}]", b"[1]", b'{"number":"x"}', b'[{"at":"x"}]', b"null", b"[" * 99]
            ),
        ),
    )
)
def test_any_fields_can_be_read(fields: dict[bytes, bytes]) -> None:
    assert isinstance(read_history(fields), JobHistory)


@given(name=st.binary(), value=st.binary())
def test_any_group_can_be_read(name: bytes, value: bytes) -> None:
    assert read_group(name, value) is None or value.count(b" ") > 2


def test_a_history_is_read() -> None:
    history = read_history(
        {
            b"state": b"dead",
            b"past": b"11",
            b"past:11": b'{"number":11,"outcome":"retry","startedAt":null,"endedAt":3,"error":{"kind":"x"}}',
            b"past:9": b'{"number":9,"outcome":"lost","startedAt":1,"endedAt":2,"error":null}',
            b"startedAt": b"4",
            b"finishedAt": b"5",
            b"error": b'{"kind":"y"}',
            b"logs": b'[{"at":7,"level":"info","message":"m"}]',
            b"parent": b"ai p1",
            b"followUps": b'[{"queue":"webhook","id":"c1"}]',
            b"fingerprint": b"0123456789ab",
        }
    )
    assert history == JobHistory(
        past=(
            PastAttempt(9, "lost", 1, 2, None),
            PastAttempt(11, "retry", None, 3, {"kind": "x"}),
            PastAttempt(12, "bury", 4, 5, {"kind": "y"}),
        ),
        logs=(LogLine(7, "info", "m"),),
        related=(Related("ai", "p1", "parent"), Related("webhook", "c1", "child")),
        fingerprint="0123456789ab",
    )


def test_a_record_of_before_there_were_histories_has_none() -> None:
    assert read_history({b"state": b"done", b"attempts": b"3", b"origin": b"r.1.1"}) == JobHistory()


def test_a_group_of_failures_is_read() -> None:
    group = read_group(b"ab", b'2 10 20 {"kind":"k","message":"a b"}')
    assert group == FailureGroup("ab", "k", "a b", 2, 10, 20)


def test_a_follow_up_job_says_which_it_follows() -> None:
    assert read_parent(b'{"source":"edworkers/ai","parentid":"a 1"}') == ""
    assert read_parent(b'{"source":"edworkers/ai","parentid":"a1","data":{}}') == "ai a1"


def test_jobs_of_others_follow_none() -> None:
    for payload in (
        b"",
        b'{"parentid":"a"}',
        b'{"source":"x","parentid":"a"}',
        b'["parentid"]',
        b'"parentid"',
        b'{"parentid"',
    ):
        assert read_parent(payload) == ""


def test_children_are_written_and_what_is_none_is_left_out() -> None:
    assert write_children((b'webhook c"1\n{}', b"nonsense")) == b'[{"queue":"webhook","id":"c\\"1"}]'
    assert write_children(()) == b""
