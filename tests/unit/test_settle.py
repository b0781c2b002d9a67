"""From what became of a job to what is written of it: it can always be written, and written twice it is the same."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from edworkers.core.fingerprint import fingerprint
from edworkers.core.job import Entry, Job, Malformed, decode
from edworkers.core.outcome import Cancelled, Deferred, Done, Failed, FollowUp, Outcome, Rejected, Released
from edworkers.core.returned import fits
from edworkers.core.settings import MAX_PAYLOAD_BYTES
from edworkers.core.verdict import Ack, Bury, Cancel, Defer, Duplicate, Release, Retry, Verdict
from edworkers.pipeline.claim import Claimed
from edworkers.pipeline.settle import settlement
from edworkers.ports import Settlement

NOW = 1_767_225_600_000  # 2026-01-01T00:00:00Z
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
WITH_SURROGATES = "aé€😀\n\x00\ud800\udfff\udcff"
IDS = st.text("".join(chr(code) for code in range(0x21, 0x7F)), min_size=1, max_size=128)


class Data(BaseModel):
    pass


def claimed(job_id: str = "j1", *, attempts: int = 0, run_at: int = 0, read: bool = True, **fields: Any) -> Claimed:
    entry = Entry(b"{}", attempts=attempts, origin="o1")
    job = Job(job_id, {}, **fields)
    return Claimed("r1", "o1", job_id, entry, job, data=Data() if read else None, put_off_until=run_at)


def settle(verdict: Verdict, of: Claimed | None = None, **more: Any) -> Settlement:
    return settlement(of or claimed(), verdict, queue="ai", now=NOW, **more)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


# What can be kept.


@pytest.mark.parametrize(
    "outcome",
    [
        Done(),
        Done(0),
        Done(""),
        Done({"text": "NaN, Infinity and -Infinity are words"}),
        Done(nested(200)),
        Done("x" * (MAX_PAYLOAD_BYTES - 2)),
        Done(None, (FollowUp("webhook", {"url": "u"}), FollowUp("data-export", {}))),
        Failed("Boom", "no luck"),
        Deferred(1, "busy"),
        Rejected(("a",)),
        Cancelled(),
        Released(),
    ],
)
def test_what_can_be_kept_is_left_as_it_is(outcome: Outcome) -> None:
    assert fits(outcome) is outcome


class Unwritable:
    pass


@pytest.mark.parametrize(
    "value",
    [
        Unwritable(),
        [Unwritable()],
        b"\xff",
        "\ud800",
        math.nan,
        [1, {"a": math.inf}],
        -math.inf,
        nested(250),
        nested(300),
    ],
)
def test_a_result_that_is_no_json_is_a_failure_that_no_retry_mends(value: object) -> None:
    outcome = fits(Done(value))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("result", False)
    assert outcome.message.startswith("the handler's result can't be written as JSON: ")


def test_a_result_that_contains_itself_is_a_failure() -> None:
    value: list[Any] = []
    value.append(value)
    assert isinstance(fits(Done(value)), Failed)


def test_a_result_that_is_too_large_is_a_failure_that_says_what_is_allowed() -> None:
    outcome = fits(Done("x" * (MAX_PAYLOAD_BYTES - 1)))
    assert outcome == Failed(
        "result",
        "the handler's result has 1048577 bytes as JSON, and 1048576 are allowed: keep it elsewhere",
        retryable=False,
    )


@pytest.mark.parametrize(
    ("follow", "fault"),
    [
        (
            FollowUp("webhook", {"a": Unwritable()}),
            "the follow-up job for the queue 'webhook' can't be written as JSON",
        ),
        (FollowUp("webhook", {"a": math.nan}), "the follow-up job for the queue 'webhook' can't be written as JSON"),
        (
            FollowUp("webhook", {"a": "x" * MAX_PAYLOAD_BYTES}),
            "the follow-up job for the queue 'webhook' has 1048593 bytes",
        ),
        (FollowUp("web hook", {}), "the follow-up job for the queue 'web hook' names no queue"),
        (FollowUp("a\nb", {}), r"the follow-up job for the queue 'a\nb' names no queue"),
        (FollowUp("", {}), "the follow-up job for the queue '' names no queue"),
    ],
)
def test_a_follow_up_that_could_not_be_sent_on_is_a_failure(follow: FollowUp, fault: str) -> None:
    outcome = fits(Done({"text": "42"}, (FollowUp("webhook", {}), follow)))
    assert isinstance(outcome, Failed)
    assert outcome.message.startswith(fault)
    assert not outcome.retryable


def test_all_that_cannot_be_kept_is_named_at_once() -> None:
    outcome = fits(Done(math.nan, (FollowUp("Web", {}), FollowUp("webhook", {"a": b"\xff"}))))
    assert isinstance(outcome, Failed)
    assert [part.partition(" can't")[0].partition(" names")[0] for part in outcome.message.split("; ")] == [
        "the handler's result",
        "the follow-up job for the queue 'Web'",
        "the follow-up job for the queue 'webhook'",
    ]


# What is written.

ERROR = {"kind": "Boom", "message": "no luck", "attempt": 1}
PLAIN = Settlement("r1", "j1", "o1", verb="", attempts=0, begun=0)


@pytest.mark.parametrize(
    ("verdict", "written"),
    [
        (Ack(None), PLAIN._replace(verb="ack")),
        (Ack({"text": "42"}), PLAIN._replace(verb="ack", body=b'{"text":"42"}')),
        (Ack(0), PLAIN._replace(verb="ack", body=b"0")),
        (
            Retry(2.5, {"message": "m"}),
            PLAIN._replace(verb="retry", body=b'{"message":"m"}', delay_ms=2500, attempts=1),
        ),
        (Defer(1.5, ""), PLAIN._replace(verb="defer", delay_ms=1500)),
        (
            Defer(1.5, "busy", close_gate=True),
            PLAIN._replace(verb="defer", delay_ms=1500, gate_ms=1500, body=b'{"kind":"deferred","message":"busy"}'),
        ),
        (
            Bury({"message": "m"}),
            PLAIN._replace(
                verb="bury",
                body=b'{"message":"m"}',
                fingerprint=fingerprint({"message": "m"}),
                cause=b'{"kind":"","message":"m"}',
            ),
        ),
        (Cancel(), PLAIN._replace(verb="cancel")),
        (Release(), PLAIN._replace(verb="release")),
        (Duplicate(), PLAIN._replace(verb="duplicate")),
    ],
)
def test_what_is_written_of_a_verdict(verdict: Verdict, written: Settlement) -> None:
    assert settle(verdict) == written


@pytest.mark.parametrize(
    ("verdict", "attempts"), [(Retry(1, ERROR), 3), (Defer(1, ""), 2), (Release(), 2), (Ack(None), 2), (Bury(ERROR), 2)]
)
def test_only_a_retry_costs_an_attempt(verdict: Verdict, attempts: int) -> None:
    assert settle(verdict, claimed(attempts=2)).attempts == attempts


@pytest.mark.parametrize(("started", "ran", "begun"), [(True, 0.0, 3), (True, None, 2), (False, None, 2)])
def test_an_attempt_was_begun_only_if_the_handler_was_asked(*, started: bool, ran: float | None, begun: int) -> None:
    made = settle(Release(), claimed(attempts=2), started=started, ran=ran)
    assert (made.begun, made.started) == (begun, started)


def test_the_time_until_which_its_producer_put_it_off_goes_before_the_wait() -> None:
    assert settle(Defer(0, ""), claimed(run_at=NOW + 60_000)).due == NOW + 60_000


def test_the_unique_key_and_the_seconds_are_passed_on() -> None:
    made = settle(Ack(None), claimed(unique_key="user-7"), ran=1.25)
    assert (made.unique_key, made.seconds) == ("user-7", 1.25)


def test_a_long_answer_keeps_its_beginning() -> None:
    body = json.loads(settle(Bury({**ERROR, "answer": "y" * 100_000})).body)
    assert body == {**ERROR, "answer": "y" * 16_384}


def test_a_long_traceback_keeps_its_end_where_the_error_stands() -> None:
    body = json.loads(settle(Bury({**ERROR, "traceback": "x" * 100_000 + "ValueError: the end"})).body)
    assert len(body["traceback"]) == 16_384
    assert body["traceback"].endswith("ValueError: the end")
    assert {**body, "traceback": None} == {**ERROR, "traceback": None}


def test_a_long_message_keeps_its_beginning() -> None:
    body = json.loads(settle(Retry(1, {**ERROR, "message": "begin" + "x" * 1_000_000})).body)
    assert len(body["message"]) == 16_384
    assert body["message"].startswith("begin")


@pytest.mark.parametrize(
    "verdict",
    [
        Bury({**ERROR, "message": "no file \udcff", "traceback": "in \ud800", "faults": ["a\udcff", "b"]}),
        Retry(1, {**ERROR, "message": "no file \udcff"}),
        Defer(1, "busy \udcff"),
    ],
)
def test_an_error_that_is_no_utf8_is_written_even_so(verdict: Verdict) -> None:
    body = json.loads(settle(verdict).body)
    assert r"\udcff" in body["message"]
    assert body.get("attempt", 1) == 1
    assert body.get("faults", [r"a\udcff", "b"]) == [r"a\udcff", "b"]


@given(st.text(WITH_SURROGATES, max_size=50), st.none() | st.text(WITH_SURROGATES, max_size=50))
def test_every_error_whatever_can_be_written_and_read(message: str, traceback: str | None) -> None:
    error = ERROR | {"message": message} | ({} if traceback is None else {"traceback": traceback})
    body = json.loads(settle(Bury(error)).body)
    assert body.keys() == error.keys()
    assert body["message"] == message.encode(errors="backslashreplace").decode()


# Jobs that follow.


def follow_ups(*queues: str, parent: Claimed | None = None) -> list[tuple[str, str, Job]]:
    made = settle(Ack(None, tuple(FollowUp(queue, {"n": n}) for n, queue in enumerate(queues))), parent)
    found: list[tuple[str, str, Job]] = []
    for item in made.follow_ups:
        head, _, payload = item.partition(b"\n")
        queue, _, job_id = head.decode("ascii").partition(" ")
        job = decode(payload, "fallback", NOW)
        assert not isinstance(job, Malformed)
        found.append((queue, job_id, job))
    return found


def test_a_follow_up_is_a_job_that_names_where_it_comes_from() -> None:
    [(queue, job_id, job)] = follow_ups("webhook", parent=claimed(traceparent=TRACE))
    assert (queue, job_id) == ("webhook", "j1.ai.webhook")
    assert job == Job("j1.ai.webhook", {"n": 0}, time=NOW, source="edworkers/ai", traceparent=TRACE)


def test_a_follow_up_of_a_job_without_a_trace_has_none() -> None:
    [(_, _, job)] = follow_ups("webhook")
    assert job.traceparent is None


def test_several_follow_ups_have_ids_of_their_own() -> None:
    found = follow_ups("webhook", "webhook", "email", parent=claimed("j1"))
    assert [job_id for _, job_id, _ in found] == ["j1.ai.webhook", "j1.ai.webhook.1", "j1.ai.email.2"]
    assert [job.data for _, _, job in found] == [{"n": 0}, {"n": 1}, {"n": 2}]


@given(IDS, st.lists(st.sampled_from(["webhook", "a" * 41]), min_size=1, max_size=4))
def test_the_ids_of_follow_ups_are_stable_distinct_and_never_too_long(parent: str, queues: list[str]) -> None:
    ids = [job_id for _, job_id, _ in follow_ups(*queues, parent=claimed(parent))]
    again = [job_id for _, job_id, _ in follow_ups(*queues, parent=claimed(parent, attempts=3))]
    assert ids == again
    assert len(set(ids)) == len(queues)
    assert all(1 <= len(job_id) <= 128 for job_id in ids)


def test_two_parents_with_long_ids_have_follow_ups_with_different_ids() -> None:
    [(_, one, job)] = follow_ups("webhook", parent=claimed("x" * 127 + "1"))
    [(_, other, _)] = follow_ups("webhook", parent=claimed("x" * 127 + "2"))
    assert one != other
    assert job.id == one


def test_a_second_writing_differs_in_nothing() -> None:
    verdict = Ack({"text": "42"}, (FollowUp("webhook", {"a": 1}),))
    assert settle(verdict) == settle(verdict)


# What tells the cause of a burial, and what its handler logged.


def test_a_burial_carries_the_fingerprint_and_what_is_shown_of_its_cause() -> None:
    one, other = (
        settle(Bury({"kind": "boom", "message": f"no user {number}", "traceback": "t" * 1000})) for number in (1, 22)
    )
    assert one.fingerprint == other.fingerprint
    assert len(one.fingerprint) == 12
    assert json.loads(other.cause) == {"kind": "boom", "message": "no user 22"}


@pytest.mark.parametrize("verdict", [Ack(1), Retry(1, {"kind": "x", "message": "m"}), Defer(1, "r"), Cancel()])
def test_nothing_else_has_a_fingerprint(verdict: Verdict) -> None:
    made = settle(verdict)
    assert (made.fingerprint, made.cause) == ("", b"")


def test_a_cause_of_half_a_surrogate_pair_can_be_kept() -> None:
    assert json.loads(settle(Bury({"kind": "x", "message": "\ud800"})).cause)["message"] == "\\ud800"


def test_what_was_logged_goes_with_whatever_became_of_the_job() -> None:
    assert settle(Release(), logs=b"[1]").logs == b"[1]"


def test_a_follow_up_job_names_its_parent() -> None:
    made = settle(Ack(None, (FollowUp("webhook", {"url": "u"}),)))
    envelope = json.loads(made.follow_ups[0].partition(b"\n")[2])
    assert (envelope["source"], envelope["parentid"]) == ("edworkers/ai", "j1")
